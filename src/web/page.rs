//! The page at `/`: what this is, how it is doing, and where everything else is.

use std::fmt::Write as _;

use super::server::Site;

/// Returns the landing page.
#[must_use]
pub fn landing(site: &Site) -> String {
    let mut page = String::from(concat!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
        "<title>OpenStack heartbeat exporter</title>\n",
        "<style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;",
        "margin:2rem auto;padding:0 1rem}</style>\n</head>\n<body>\n<h1>OpenStack heartbeat exporter</h1>\n",
        "<p>Tells which OpenStack service is down. Version ",
        env!("CARGO_PKG_VERSION"),
        ".</p>\n",
    ));
    match site.gallery.latest() {
        Some(picture) => {
            let services = &picture.snapshot.services;
            let down = services
                .iter()
                .filter(|status| !status.service.disabled && status.up == Some(false))
                .count();
            let _ = writeln!(
                page,
                "<p>{} services, {down} of the enabled ones down, {} s ago.</p>",
                services.len(),
                picture.taken.elapsed().as_secs()
            );
        }
        None => page.push_str(
            "<p><strong>The database has not been read lately</strong>, so that nothing is known of the services. \
             The log says why.</p>\n",
        ),
    }
    // The settings allow no character in the path that would need escaping.
    let _ = write!(
        page,
        "<ul>\n<li><a href=\"{}\">Metrics</a></li>\n<li><a href=\"/api/v1/services\">Services as JSON</a></li>\n\
         <li><a href=\"/-/healthy\">Health</a></li>\n<li><a href=\"/-/ready\">Readiness</a></li>\n</ul>\n\
         </body>\n</html>\n",
        site.telemetry_path
    );
    page
}
