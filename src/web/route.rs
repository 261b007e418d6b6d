//! Routes: which path gets which response.
//!
//! No handler queries the database: all responses come from [`Latest`](crate::publish::latest::Latest).

use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;

use super::api::{self, ServiceName};
use super::asset::{self, Asset};
use super::query::{self, Query};
use super::response::{Body, compressed, error, in_pieces, plain, set_encoding};
use super::site::Site;
use super::{negotiation, page};

const API: &str = "/api/";
const SERVICES: &str = "/api/v1/services";

/// The handler for a path.
enum Route<'a> {
    Page,
    Healthy,
    Ready,
    Reload,
    Metrics,
    Services,
    Service(ServiceName<'a>),
    Asset(&'static Asset),
}

impl<'a> Route<'a> {
    /// Returns the route of a path, with the bounded name under which its requests are counted.
    fn of(path: &'a str, site: &'a Site) -> Option<(Self, &'a str)> {
        let route = match path {
            "/" => Self::Page,
            "/-/healthy" => Self::Healthy,
            "/-/ready" => Self::Ready,
            "/-/reload" => Self::Reload,
            SERVICES => Self::Services,
            path if path == site.telemetry_path => Self::Metrics,
            _ => return Self::with_parameters(path),
        };
        Some((route, path))
    }

    fn with_parameters(path: &'a str) -> Option<(Self, &'a str)> {
        if let Some(name) = path.strip_prefix("/static/") {
            return Some((Self::Asset(asset::find(name)?), "/static"));
        }
        let name = path.strip_prefix(SERVICES)?.strip_prefix('/')?;
        let (database, name) = name.split_once('/')?;
        let (binary, host) = name.split_once('/')?;
        let decoded = |text| percent_decode_str(text).decode_utf8().ok();
        let service = Self::Service(ServiceName {
            database: decoded(database)?,
            binary: decoded(binary)?,
            host: decoded(host)?,
        });
        Some((service, "/api/v1/services/{database}/{binary}/{host}"))
    }

    /// Returns the allowed methods, as header and as message, if this method is not one of them.
    fn forbids(&self, method: &Method) -> Option<(&'static str, &'static str)> {
        match (self, method) {
            (Self::Reload, &(Method::POST | Method::PUT)) => None,
            (Self::Reload, _) => Some(("POST, PUT", "only POST and PUT are allowed here")),
            (_, &(Method::GET | Method::HEAD)) => None,
            _ => Some(("GET, HEAD", "only GET and HEAD are allowed here")),
        }
    }

    /// Returns whether the route needs no login: probes carry no credentials, and these routes reveal nothing else.
    fn is_open(&self) -> bool {
        matches!(self, Self::Healthy | Self::Ready)
    }
}

/// Answers a request; failures are responses too.
pub async fn answer(site: &Site, request: &Request<()>) -> Response<Body> {
    let path = request.uri().path();
    let (route, name) = Route::of(path, site).unzip();
    let refuse: fn(StatusCode, &'static str) -> Response<Body> =
        if path.starts_with(API) { error } else { plain };
    let rules = site.access.rules();
    let checked = if route.as_ref().is_some_and(Route::is_open) {
        Ok(())
    } else {
        site.access.check(&rules, request).await
    };
    let mut response = match route {
        _ if let Err(refusal) = checked => {
            let (status, message, (name, value)) = refusal.parts();
            let mut response = refuse(status, message);
            response.headers_mut().insert(name, value);
            response
        }
        None => refuse(
            StatusCode::NOT_FOUND,
            "not found; the page at / links to all others",
        ),
        Some(route) => match route.forbids(request.method()) {
            Some((methods, message)) => {
                let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, message);
                response
                    .headers_mut()
                    .insert(ALLOW, HeaderValue::from_static(methods));
                response
            }
            None => dispatch(site, request, &route).await,
        },
    };
    rules.set_headers(&mut response);
    site.latest
        .telemetry()
        .answered(name.unwrap_or("other"), response.status().as_u16());
    response
}

async fn dispatch(site: &Site, request: &Request<()>, route: &Route<'_>) -> Response<Body> {
    match route {
        Route::Page => status_page(site, request),
        Route::Healthy => plain(StatusCode::OK, "healthy"),
        Route::Ready if site.latest.is_ready() => plain(StatusCode::OK, "ready"),
        Route::Ready => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "the first poll of a database has not ended yet",
        ),
        Route::Reload => reload(site).await,
        Route::Metrics => metrics(site, request),
        Route::Services => api::services(site, request).await,
        Route::Service(name) => api::service(site, request, name),
        Route::Asset(asset) => asset.respond(request),
    }
}

/// Reloads the configuration, and reports the outcome.
async fn reload(site: &Site) -> Response<Body> {
    let Some(reload) = &site.reload else {
        return plain(
            StatusCode::FORBIDDEN,
            "reload over HTTP is disabled; start the exporter with --web.enable-lifecycle, or send it SIGHUP",
        );
    };
    match reload.request().await {
        Some(Ok(change)) if change.restart.is_empty() => plain(StatusCode::OK, "reloaded"),
        Some(Ok(change)) => {
            let settings = change.restart.join(", ");
            let text = format!("reloaded; these changed settings need a restart: {settings}");
            plain(StatusCode::OK, text)
        }
        Some(Err(faults)) => {
            let faults = faults.join("\n");
            let text =
                format!("not reloaded; the old configuration stays active in full:\n{faults}");
            plain(StatusCode::INTERNAL_SERVER_ERROR, text)
        }
        None => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "the exporter is shutting down",
        ),
    }
}

/// Returns the metrics page; `?name[]=…`, repeatable, selects families by name.
fn metrics(site: &Site, request: &Request<()>) -> Response<Body> {
    let format = negotiation::request_format(request);
    let encoding = negotiation::request_encoding(request);
    site.latest.ask(format, encoding);
    let page = site.latest.page();
    let names = query::pairs(request.uri().query())
        .filter_map(|(name, value)| (name == "name[]").then(|| value.into_owned()));
    let names: Vec<String> = names.collect();
    let pieces = if names.is_empty() {
        page.pieces(format, encoding).clone()
    } else {
        page.selected(&names, format, encoding)
    };
    let mut response = in_pieces(StatusCode::OK, format.content_type(), pieces);
    set_encoding(&mut response, encoding, "Accept, Accept-Encoding");
    response
}

fn status_page(site: &Site, request: &Request<()>) -> Response<Body> {
    let page = page::render(site, &Query::parse(request.uri().query()));
    let encoding = negotiation::request_encoding(request);
    compressed(encoding, "text/html; charset=utf-8", page)
}
