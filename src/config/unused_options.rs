//! The options of a database URL that the exporter does not use: warnings, or errors where their loss would be unsafe.

use super::option_names::{ADDRESS, HARMLESS, TlsOptions, demands, is_about_tls, is_in, plain};
use super::spelling;
use super::tls::TlsMode;
use super::url_error::UrlError;
use super::url_parts::Options;

/// Returns a warning about each remaining option, except the harmless ones.
///
/// # Errors
/// An option that asks for a safer connection than the exporter would make, or may do so by its name.
pub(super) fn warnings(
    options: Options,
    known: &TlsOptions,
    mode: TlsMode,
) -> Result<Vec<String>, UrlError> {
    let mut warnings = Vec::new();
    for (name, value) in options.0 {
        let plain = plain(&name);
        if is_in(HARMLESS, &plain) {
            continue;
        }
        if demands(&plain, &value) {
            return Err(UrlError::Demand(format!("option {name}")));
        }
        if is_about_tls(&plain) && !is_in(known.ignored, &plain) {
            let advice = tls_advice(known, &plain);
            return Err(UrlError::UnknownTls(name, advice));
        }
        let effect = match (plain.as_str(), mode) {
            ("sslcapath", TlsMode::VerifyCa | TlsMode::VerifyFull) => {
                "not supported, but still requires a verified connection: put the authorities into one file and set ssl_ca"
            }
            ("sslcipher", TlsMode::Required | TlsMode::VerifyCa | TlsMode::VerifyFull) => {
                "not supported, but still requires an encrypted connection"
            }
            (name, _) if is_in(known.ignored, name) || is_in(ADDRESS, name) => {
                "not supported and ignored"
            }
            _ => "unknown and ignored",
        };
        warnings.push(format!("option `{name}` is {effect}"));
    }
    Ok(warnings)
}

/// Returns the known option that is meant by an unknown one of TLS, or another remedy.
fn tls_advice(known: &TlsOptions, name: &str) -> String {
    if known.used.is_empty() {
        return "remove it, since SQLite has no connection".to_owned();
    }
    let nearest = match name {
        "sslrootcert" | "sslca" | "sslcafile" | "sslcapath" => Some(known.authorities),
        name => spelling::nearest(name, known.used.iter().copied()),
    };
    let otherwise = "correct its name as docs/configuration.md lists it, or remove it";
    spelling::advice(nearest, otherwise)
}
