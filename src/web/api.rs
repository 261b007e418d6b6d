//! Handlers of the JSON API.

use std::borrow::Cow;

use hyper::{Request, Response, StatusCode};

use super::response::{Body, JSON, compressed, error, in_pieces, set_encoding};
use super::site::Site;
use super::{negotiation, parameters};
use crate::report::json;

/// What identifies one service.
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
        "no recent snapshot of the services; see the log and openstack_heartbeat_poll_failures_total",
    )
}
