//! The page at `/`: what this is, how it is doing, and where everything else is.

use std::fmt::Write as _;

use super::server::Site;
use crate::heartbeat::advice;
use crate::heartbeat::snapshot::Snapshot;

/// More problems than anybody reads one by one.
const MOST_PROBLEMS: usize = 50;

/// Returns the landing page.
#[must_use]
pub fn landing(site: &Site) -> String {
    let mut page = String::from(concat!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
        "<title>OpenStack heartbeat exporter</title>\n",
        "<style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;",
        "margin:2rem auto;padding:0 1rem}</style>\n</head>\n<body>\n<h1>OpenStack heartbeat exporter</h1>\n",
        "<p>Tells which OpenStack service is down, and why. Version ",
        env!("CARGO_PKG_VERSION"),
        ".</p>\n",
    ));
    if !site.telemetry.is_database_up() {
        page.push_str(
            "<p><strong>The last poll of the database failed</strong>; the log says why.</p>\n",
        );
    }
    match site.gallery.latest() {
        Some(picture) => {
            let snapshot = &picture.snapshot;
            let _ = writeln!(
                page,
                "<p>{} services, as of {} s ago.</p>",
                snapshot.services.len(),
                picture.taken.elapsed().as_secs()
            );
            if snapshot.reference_clock_suspect {
                page.push_str(
                    "<p><strong>Most hosts share one clock skew</strong>: it is rather the clock of the database's server \
                     that is off, or its reads lag.</p>\n",
                );
            }
            problems(&mut page, snapshot);
        }
        None => page.push_str("<p>Nothing is known of the services at present.</p>\n"),
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

/// Lists what needs somebody: the services with advice, disabled ones aside.
fn problems(page: &mut String, snapshot: &Snapshot) {
    let mut problems = snapshot
        .services
        .iter()
        .filter(|status| !status.service.disabled)
        .filter_map(|status| Some((status, advice::advice(status, snapshot)?)))
        .peekable();
    if problems.peek().is_none() {
        page.push_str("<p>No enabled service is down.</p>\n");
        return;
    }
    page.push_str("<ul>\n");
    for (status, advice) in problems.take(MOST_PROBLEMS) {
        let state = if status.up == Some(false) {
            "down"
        } else {
            "listed as up"
        };
        let _ = writeln!(
            page,
            "<li><strong>{} on {}</strong> ({state}): {}</li>",
            escaped(&status.service.binary),
            escaped(&status.service.host),
            escaped(&advice)
        );
    }
    page.push_str("</ul>\n");
}

/// Returns a text as HTML shows it, whatever is in it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
