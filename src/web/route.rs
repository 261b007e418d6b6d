//! The routes: which path gives what, and the headers that guard it.
//!
//! No handler asks the database. A handler copies what the poller left in the [`Latest`](crate::publish::latest::Latest).

use std::borrow::Cow;

use bytes::Bytes;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    IF_NONE_MATCH,
};
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;

use super::query::{self, Query};
use super::response::{Body, JSON, error, in_pieces, plain, response, set_encoding};
use super::site::Site;
use super::{asset, negotiation, page};
use crate::publish::gzip;
use crate::publish::rendered::{Encoding, Selection};
use crate::report::json;

const API: &str = "/api/";
const SERVICES: &str = "/api/v1/services";

/// What a path leads to.
enum Route<'a> {
    Page,
    Healthy,
    Ready,
    Reload,
    Metrics,
    Services,
    Service {
        binary: Cow<'a, str>,
        host: Cow<'a, str>,
    },
    Asset(&'static asset::Asset),
}

impl<'a> Route<'a> {
    /// Returns where a path leads, along with the name under which requests for it are counted: one of a few.
    fn of(path: &'a str, site: &'a Site) -> Option<(Self, &'a str)> {
        let route = match path {
            "/" => Self::Page,
            "/-/healthy" => Self::Healthy,
            "/-/ready" => Self::Ready,
            "/-/reload" => Self::Reload,
            SERVICES => Self::Services,
            path if path == site.telemetry_path => Self::Metrics,
            _ => return Self::below(path),
        };
        Some((route, path))
    }

    /// Returns the methods that are answered, and this in words, unless this one is.
    fn forbids(&self, method: &Method) -> Option<(&'static str, &'static str)> {
        match (self, method) {
            (Self::Reload, &(Method::POST | Method::PUT)) => None,
            (Self::Reload, _) => Some(("POST, PUT", "only POST and PUT are answered here")),
            (_, &(Method::GET | Method::HEAD)) => None,
            _ => Some(("GET, HEAD", "only GET and HEAD are answered here")),
        }
    }

    fn below(path: &'a str) -> Option<(Self, &'a str)> {
        if let Some(name) = path.strip_prefix("/static/") {
            return Some((Self::Asset(asset::find(name)?), "/static"));
        }
        let name = path.strip_prefix(SERVICES)?.strip_prefix('/')?;
        let (binary, host) = name.split_once('/')?;
        let decoded = |text| percent_decode_str(text).decode_utf8().ok();
        let service = Self::Service {
            binary: decoded(binary)?,
            host: decoded(host)?,
        };
        Some((service, "/api/v1/services/{binary}/{host}"))
    }
}

/// Answers a request: never with an error, but with a status that tells what is wrong.
pub async fn answer(site: &Site, request: &Request<()>) -> Response<Body> {
    let route = Route::of(request.uri().path(), site);
    let name = route.as_ref().map_or("other", |(_, name)| *name);
    let refusal = if request.uri().path().starts_with(API) {
        error
    } else {
        plain
    };
    let rules = site.access.rules();
    // Who restarts a program that does not answer has no password; and these two tell nothing else.
    let is_open = matches!(route, Some((Route::Healthy | Route::Ready, _)));
    let checked = if is_open {
        Ok(())
    } else {
        site.access.check(&rules, request).await
    };
    let mut response = match route {
        _ if let Err(refused) = checked => {
            let mut response = refusal(refused.status(), refused.message());
            let (name, value) = refused.header();
            response.headers_mut().insert(name, value);
            response
        }
        None => refusal(StatusCode::NOT_FOUND, "not found; see / for what there is"),
        Some((route, _)) => match route.forbids(request.method()) {
            Some((methods, message)) => {
                let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, message);
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
        .answered(name, response.status().as_u16());
    response
}

async fn dispatch(site: &Site, request: &Request<()>, route: &Route<'_>) -> Response<Body> {
    match route {
        Route::Page => status_page(site, request),
        Route::Healthy => plain(StatusCode::OK, "healthy"),
        Route::Ready if *site.latest.polls().borrow() > 0 => plain(StatusCode::OK, "ready"),
        Route::Ready => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "the first poll has not ended yet",
        ),
        Route::Reload => reload(site).await,
        Route::Metrics => metrics(site, request),
        Route::Services => services(site, request).await,
        Route::Service { binary, host } => service(site, request, binary, host),
        Route::Asset(asset) => file(asset, request),
    }
}

/// Returns all lines of a header as one; it may be sent in several.
fn header(request: &Request<()>, name: HeaderName) -> String {
    let values = request.headers().get_all(name);
    let lines: Vec<&str> = values.iter().filter_map(|v| v.to_str().ok()).collect();
    lines.join(",")
}

fn encoding(request: &Request<()>) -> Encoding {
    negotiation::encoding(Some(&header(request, ACCEPT_ENCODING)))
}

/// Reloads the configuration, and answers when that is done or refused.
async fn reload(site: &Site) -> Response<Body> {
    let Some(reload) = &site.reload else {
        return plain(
            StatusCode::FORBIDDEN,
            "a reload by request is not allowed; start the exporter with --web.enable-lifecycle, or send it SIGHUP",
        );
    };
    match reload.request().await {
        Some(Ok(change)) if change.restart.is_empty() => plain(StatusCode::OK, "reloaded"),
        Some(Ok(change)) => {
            let settings = change.restart.join(", ");
            let text = format!("reloaded; a change of these settings takes a restart: {settings}");
            plain(StatusCode::OK, text)
        }
        Some(Err(faults)) => {
            let faults = faults.join("\n");
            let text = format!("not reloaded, the old configuration is kept in full:\n{faults}");
            plain(StatusCode::INTERNAL_SERVER_ERROR, text)
        }
        None => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "the exporter is about to end",
        ),
    }
}

/// The page of metrics; `?name[]=…`, repeated, leaves the families of these names.
fn metrics(site: &Site, request: &Request<()>) -> Response<Body> {
    let format = negotiation::format(Some(&header(request, ACCEPT)));
    let encoding = encoding(request);
    site.latest.ask(format, encoding);
    let page = site.latest.page();
    let pairs = query::pairs(request.uri().query().unwrap_or_default());
    let names = pairs.filter_map(|(name, value)| (name == "name[]").then(|| value.into_owned()));
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
    text(request, "text/html; charset=utf-8", page)
}

/// Answers with what was rendered for this request alone.
fn text(request: &Request<()>, content_type: &'static str, text: String) -> Response<Body> {
    let encoding = encoding(request);
    let body: Bytes = match encoding {
        Encoding::Identity => text.into(),
        Encoding::Gzip => gzip::whole(text.as_bytes()),
    };
    let mut response = response(StatusCode::OK, content_type, body);
    set_encoding(&mut response, encoding, "Accept-Encoding");
    response
}

/// All services as JSON; `?down` leaves those that the API lists as down, disabled ones included.
async fn services(site: &Site, request: &Request<()>) -> Response<Body> {
    let Some(rendered) = site.latest.rendered() else {
        return withheld();
    };
    let mut names = query::pairs(request.uri().query().unwrap_or_default());
    let selection = if names.any(|(name, _)| name == "down") {
        Selection::Down
    } else {
        Selection::All
    };
    let encoding = encoding(request);
    let ready = rendered.ready_json(selection, encoding).cloned();
    let json = if let Some(json) = ready {
        Ok(json)
    } else {
        // Ten thousand services take a while, and scrapes must not wait for it.
        let work = move || rendered.json(selection, encoding).clone();
        tokio::task::spawn_blocking(work).await
    };
    let Ok(json) = json else {
        return error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the services could not be listed; this is a mistake in the exporter, please report it",
        );
    };
    let mut response = response(StatusCode::OK, JSON, json);
    set_encoding(&mut response, encoding, "Accept-Encoding");
    response
}

fn service(site: &Site, request: &Request<()>, binary: &str, host: &str) -> Response<Body> {
    let Some(rendered) = site.latest.rendered() else {
        return withheld();
    };
    let services = &rendered.snapshot.services;
    let found =
        services.binary_search_by(|status| status.service.facts.name().cmp(&(binary, host)));
    let Ok(index) = found else {
        return error(
            StatusCode::NOT_FOUND,
            "there is no such service; /api/v1/services has all",
        );
    };
    let status = &services[index];
    let hours = site.latest.hours([&status.service]);
    let hour = hours.first().and_then(Option::as_ref);
    let json = json::service(status, hour, &rendered.snapshot);
    text(request, JSON, json)
}

fn file(asset: &'static asset::Asset, request: &Request<()>) -> Response<Body> {
    let encoding = encoding(request);
    // A strong tag is one of bytes, and these differ.
    let tag = match encoding {
        Encoding::Identity => format!("\"{}\"", asset.version),
        Encoding::Gzip => format!("\"{}-gzip\"", asset.version),
    };
    let known = header(request, IF_NONE_MATCH).contains(&tag);
    let mut response = if known {
        response(StatusCode::NOT_MODIFIED, JSON, Bytes::new())
    } else {
        let bytes = match encoding {
            Encoding::Identity => Bytes::from_static(asset.text),
            Encoding::Gzip => asset.gzip.clone(),
        };
        response(StatusCode::OK, asset.content_type, bytes)
    };
    let headers = response.headers_mut();
    if known {
        headers.remove(CONTENT_TYPE);
    }
    let mut names = query::pairs(request.uri().query().unwrap_or_default());
    let lasting = names.any(|(name, value)| name == "v" && value == asset.version);
    let caching = if lasting {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    let tag = HeaderValue::try_from(tag).expect("it is digits, a hyphen and letters in quotes");
    headers.insert(ETAG, tag);
    let sent = if known { Encoding::Identity } else { encoding };
    set_encoding(&mut response, sent, "Accept-Encoding");
    response
}

fn withheld() -> Response<Body> {
    error(
        StatusCode::SERVICE_UNAVAILABLE,
        "no recent picture of the services; see the log and openstack_heartbeat_poll_failures_total",
    )
}
