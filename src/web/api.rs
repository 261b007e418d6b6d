//! Handlers of the JSON API.

use hyper::{Request, Response, StatusCode};

use super::response::{Body, JSON, compressed, encoded, error};
use super::site::Site;
use super::{negotiation, parameters};
use crate::report::json;

/// Returns all services; `?down` selects those that the API lists as down, disabled ones included.
pub(super) async fn services(site: &Site, request: &Request<()>) -> Response<Body> {
    let selection = match parameters::selection(request.uri().query()) {
        Ok(selection) => selection,
        Err(message) => return error(StatusCode::BAD_REQUEST, &message),
    };
    let Some(rendered) = site.latest.rendered() else {
        return no_snapshot();
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
    match json {
        Ok(json) => encoded(encoding, JSON, json),
        Err(_) => error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "failed to render the services; this is a bug in the exporter, please report it",
        ),
    }
}

/// Returns one service with its last hour.
pub(super) fn service(
    site: &Site,
    request: &Request<()>,
    binary: &str,
    host: &str,
) -> Response<Body> {
    if let Err(message) = parameters::none(request.uri().query()) {
        return error(StatusCode::BAD_REQUEST, &message);
    }
    let Some(rendered) = site.latest.rendered() else {
        return no_snapshot();
    };
    let services = &rendered.snapshot.services;
    let name = (binary, host);
    let found = services.binary_search_by_key(&name, |status| status.service.facts.name());
    let Ok(index) = found else {
        let message = "no such service; /api/v1/services lists all";
        return error(StatusCode::NOT_FOUND, message);
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
