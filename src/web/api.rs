//! Handlers of the JSON API.

use std::borrow::Cow;

use hyper::{Request, Response, StatusCode};

use super::response::{Body, JSON, compressed, error, in_pieces, set_encoding};
use super::site::Site;
use super::{negotiation, parameters};
use crate::report::json;

/// The labels that identify one service.
pub(super) struct ServiceName<'a> {
    pub database: Cow<'a, str>,
    pub binary: Cow<'a, str>,
    pub host: Cow<'a, str>,
}

/// Returns the services of all sources; `?down` selects those that the API lists as down, disabled ones included.
pub(super) async fn services(site: &Site, request: &Request<()>) -> Response<Body> {
    let selection = match parameters::selection(request.uri().query()) {
        Ok(selection) => selection,
        Err(message) => return error(StatusCode::BAD_REQUEST, &message),
    };
    let published = site.latest.published();
    if published.rendered.is_empty() {
        return no_snapshot();
    }
    let encoding = negotiation::request_encoding(request);
    let pieces = if published.has_records(selection, encoding) {
        Ok(published.services(selection, encoding))
    } else {
        // Rendering 10,000 services takes a while and must not delay scrapes.
        let render = move || published.services(selection, encoding);
        tokio::task::spawn_blocking(render).await
    };
    let Ok(pieces) = pieces else {
        return error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "failed to render the services; this is a bug in the exporter, please report it",
        );
    };
    let mut response = in_pieces(StatusCode::OK, JSON, pieces);
    set_encoding(&mut response, encoding, "Accept-Encoding");
    response
}

/// Returns one service with its last hour.
pub(super) fn service(
    site: &Site,
    request: &Request<()>,
    name: &ServiceName<'_>,
) -> Response<Body> {
    if let Err(message) = parameters::none(request.uri().query()) {
        return error(StatusCode::BAD_REQUEST, &message);
    }
    let not_found = |message| error(StatusCode::NOT_FOUND, message);
    let views = site.latest.views();
    let Some(view) = views.iter().find(|view| *view.database == *name.database) else {
        return not_found("no such database; /api/v1/services lists all");
    };
    let Some(snapshot) = &view.snapshot else {
        return no_snapshot();
    };
    let services = &snapshot.services;
    let name = (&*name.binary, &*name.host);
    let found = services.binary_search_by_key(&name, |status| status.service.facts.name());
    let Ok(index) = found else {
        return not_found("no such service; /api/v1/services lists all");
    };
    let status = &services[index];
    let hours = site.latest.hours(&view.database, [&status.service]);
    let hour = hours.first().and_then(Option::as_ref);
    let json = json::service(&view.listed(), snapshot, status, hour);
    compressed(negotiation::request_encoding(request), JSON, json)
}

fn no_snapshot() -> Response<Body> {
    error(
        StatusCode::SERVICE_UNAVAILABLE,
        "no recent snapshot of the services; see the log, openstack_heartbeat_poll_failures_total and openstack_heartbeat_discovery_up",
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::BodyExt as _;
    use serde_json::Value;

    use super::*;
    use crate::heartbeat::failure::Class;
    use crate::publish::latest::{EntrySettings, Latest};

    async fn get(site: &Site, path: &str) -> (u16, Value) {
        let request = Request::get(path).body(()).unwrap();
        let answer = match path.strip_prefix("/api/v1/services/") {
            None => services(site, &request).await,
            Some(name) => {
                let mut parts = name.splitn(3, '/').map(Cow::Borrowed);
                let mut part = || parts.next().unwrap();
                let name = ServiceName {
                    database: part(),
                    binary: part(),
                    host: part(),
                };
                service(site, &request, &name)
            }
        };
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn it_answers_while_one_database_can_be_read() {
        let (latest, entry) = Latest::fixture();
        let other = latest.add("manila", EntrySettings::fixture());
        let site = Site::fixture(latest);
        assert_eq!(get(&site, "/api/v1/services").await.0, 503);
        entry.show_one();
        other.fail(Class::Auth, Duration::ZERO);
        let (status, all) = get(&site, "/api/v1/services").await;
        assert_eq!(status, 200);
        let [first, second] = [0, 1].map(|index| all["databases"][index].clone());
        assert_eq!(
            (&first["database"], &first["up"]),
            (&"cinder".into(), &true.into())
        );
        assert_eq!(
            (&second["database"], &second["up"], &second["class"]),
            (&"manila".into(), &false.into(), &"auth".into())
        );
        assert!(first["now"].is_string() && second["now"].is_null());
        assert_eq!(all["services"].as_array().unwrap().len(), 1);
        assert_eq!(all["services"][0]["database"], "cinder");
        assert_eq!(all["services"][0]["state"], "down");
        for (name, status) in [
            ("cinder/cinder-volume/block1", 200),
            ("cinder/cinder-volume/block2", 404),
            ("manila/cinder-volume/block1", 503),
            ("nova/cinder-volume/block1", 404),
        ] {
            let (answered, body) = get(&site, &format!("/api/v1/services/{name}")).await;
            assert_eq!(answered, status, "{name}: {body}");
        }
    }
}
