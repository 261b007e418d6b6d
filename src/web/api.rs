//! Handlers of the JSON API.

use hyper::{Request, Response, StatusCode};

use super::response::{Body, JSON, compressed, error, response, set_encoding};
use super::site::Site;
use super::{negotiation, query};
use crate::publish::rendered::Selection;
use crate::report::json;

/// Returns all services; `?down` selects those that the API lists as down, disabled ones included.
pub(super) async fn services(site: &Site, request: &Request<()>) -> Response<Body> {
    let Some(rendered) = site.latest.rendered() else {
        return no_snapshot();
    };
    let selection = if query::pairs(request.uri().query()).any(|(name, _)| name == "down") {
        Selection::Down
    } else {
        Selection::All
    };
    let encoding = negotiation::request_encoding(request);
    let ready = rendered.ready_json(selection, encoding).cloned();
    let json = if let Some(json) = ready {
        Ok(json)
    } else {
        // Rendering 10,000 services takes a while and must not delay scrapes.
        let render = move || rendered.json(selection, encoding).clone();
        tokio::task::spawn_blocking(render).await
    };
    let Ok(json) = json else {
        return error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "failed to render the services; this is a bug in the exporter, please report it",
        );
    };
    let mut response = response(StatusCode::OK, JSON, json);
    set_encoding(&mut response, encoding, "Accept-Encoding");
    response
}

/// Returns one service with its last hour.
pub(super) fn service(
    site: &Site,
    request: &Request<()>,
    binary: &str,
    host: &str,
) -> Response<Body> {
    let Some(rendered) = site.latest.rendered() else {
        return no_snapshot();
    };
    let services = &rendered.snapshot.services;
    let found =
        services.binary_search_by(|status| status.service.facts.name().cmp(&(binary, host)));
    let Ok(index) = found else {
        return error(
            StatusCode::NOT_FOUND,
            "no such service; /api/v1/services lists all",
        );
    };
    let status = &services[index];
    let hours = site.latest.hours([&status.service]);
    let hour = hours.first().and_then(Option::as_ref);
    let json = json::service(status, hour, &rendered.snapshot);
    compressed(negotiation::request_encoding(request), JSON, json)
}

fn no_snapshot() -> Response<Body> {
    error(
        StatusCode::SERVICE_UNAVAILABLE,
        "no recent snapshot of the services; see the log and openstack_heartbeat_poll_failures_total",
    )
}
