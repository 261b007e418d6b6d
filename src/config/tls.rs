//! The TLS settings that the options of a database URL ask for.

use std::path::PathBuf;

use super::option_file::OptionFile;
use super::option_names::demands;
use super::url_error::UrlError;
use super::url_parts::Options;

/// Whether the connection is encrypted, and how the server is verified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// No encryption.
    #[default]
    Disabled,
    /// Encrypted if the server offers it; the server is not verified.
    Preferred,
    /// Encrypted; the server is not verified.
    Required,
    /// Encrypted; the certificate is verified, but not its host name.
    VerifyCa,
    /// Encrypted; the certificate and its host name are verified.
    VerifyFull,
}

/// The TLS settings. Without `ca`, the verifying modes trust the system's authorities.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Encryption and verification.
    pub mode: TlsMode,
    /// File of the trusted authorities' certificates.
    pub ca: Option<PathBuf>,
    /// File of the client's certificate.
    pub cert: Option<PathBuf>,
    /// File of the client's private key.
    pub key: Option<PathBuf>,
    /// The environment variables that gave a value.
    pub(crate) variables: Vec<&'static str>,
}

/// Returns the value of an environment variable.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Returns the TLS settings of a MySQL URL.
///
/// A native `ssl-mode` wins. Otherwise mirrors `Connection.__init__` and `_create_ssl_ctx` of `PyMySQL`, with two
/// differences: `false` means false for `ssl_disabled` and `ssl_verify_identity`; and `ssl_ca` is used together with
/// `ssl_verify_cert` and `ssl_verify_identity`, where `PyMySQL` trusts only the system's authorities and never
/// compares the host name.
pub(super) fn mysql(options: &mut Options, file: &OptionFile) -> Result<Tls, UrlError> {
    let folder = options.has("sslcapath") || file.get("ssl-capath").is_some();
    let cipher = options.has("sslcipher") || file.get("ssl-cipher").is_some();
    let mut path = |option: &str, in_file: &str| {
        options
            .path(option)
            .or_else(|| file.get(in_file).map(PathBuf::from))
    };
    let ca = path("sslca", "ssl-ca");
    let cert = path("sslcert", "ssl-cert");
    let key = path("sslkey", "ssl-key");
    let disabled = options.flag("ssl_disabled")?;
    let identity = options.flag("ssl_verify_identity")?;
    let verify = options.flag("ssl_verify_cert")?;
    let host_name = options.flag("ssl_check_hostname")?;
    let has_ca = ca.is_some() || folder;
    let has_option = cert.is_some() || key.is_some() || cipher || host_name.is_some();
    let native = options.take(&["sslmode"]).map(|mode| mode.to_uppercase());
    let mode = match native.as_deref() {
        Some("DISABLED") => TlsMode::Disabled,
        Some("PREFERRED") => TlsMode::Preferred,
        Some("REQUIRED") => TlsMode::Required,
        Some("VERIFY_CA") => TlsMode::VerifyCa,
        Some("VERIFY_IDENTITY") => TlsMode::VerifyFull,
        Some(_) => {
            let known = "DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY";
            return Err(UrlError::TlsMode("option ssl-mode", known));
        }
        None if disabled == Some(true) => TlsMode::Disabled,
        None if identity == Some(true) => TlsMode::VerifyFull,
        None => match verify {
            Some(true) => TlsMode::VerifyCa,
            Some(false) => TlsMode::Required,
            None if has_ca && host_name == Some(false) => TlsMode::VerifyCa,
            None if has_ca => TlsMode::VerifyFull,
            None if has_option => TlsMode::Required,
            None => TlsMode::Preferred,
        },
    };
    tls(mode, [ca, cert, key], Vec::new())
}

/// Returns the TLS settings of a PostgreSQL URL.
///
/// Mirrors libpq, also in the environment variables that stand in for missing options, with two differences: files in
/// `~/.postgresql` are ignored, and `allow` means `prefer`, which tries encryption first.
pub(super) fn postgres(
    options: &mut Options,
    environment: Environment<'_>,
) -> Result<Tls, UrlError> {
    for (variable, option) in [
        ("PGCHANNELBINDING", "channelbinding"),
        ("PGGSSENCMODE", "gssencmode"),
        ("PGREQUIREAUTH", "requireauth"),
    ] {
        let value = environment(variable).filter(|value| !value.is_empty());
        if !options.has(option) && value.is_some_and(|value| demands(option, &value)) {
            return Err(UrlError::Demand(format!("variable {variable}")));
        }
    }
    let mut variables = Vec::new();
    let files = [
        ("sslrootcert", "PGSSLROOTCERT"),
        ("sslcert", "PGSSLCERT"),
        ("sslkey", "PGSSLKEY"),
    ];
    let [ca, cert, key] = files.map(|(option, variable)| {
        options.path(option).or_else(|| {
            let path = environment(variable).filter(|path| !path.is_empty())?;
            variables.push(variable);
            Some(path.into())
        })
    });
    let (written, place) = match (options.take(&["sslmode"]), environment("PGSSLMODE")) {
        (Some(mode), _) => (Some(mode), "option sslmode"),
        (None, Some(mode)) => (Some(mode), "variable PGSSLMODE"),
        // The old variable counts only where the new one is missing.
        (None, None) => {
            let required = environment("PGREQUIRESSL").filter(|text| text.starts_with('1'));
            (required.map(|_| "require".to_owned()), "PGREQUIRESSL")
        }
    };
    let system = ca.as_ref().is_some_and(|ca| ca.as_os_str() == "system");
    let mode = match written.as_deref() {
        // With the system's authorities, libpq accepts only modes that verify the host name.
        None | Some("require" | "verify-ca" | "verify-full") if system => TlsMode::VerifyFull,
        None | Some("prefer" | "allow") => TlsMode::Preferred,
        Some("disable") => TlsMode::Disabled,
        Some("require") if ca.is_none() => TlsMode::Required,
        Some("require" | "verify-ca") => TlsMode::VerifyCa,
        Some("verify-full") => TlsMode::VerifyFull,
        Some(_) => {
            let known = "disable, allow, prefer, require, verify-ca or verify-full";
            return Err(UrlError::TlsMode(place, known));
        }
    };
    tls(mode, [ca.filter(|_| !system), cert, key], variables)
}

/// Returns the settings. Without encryption, no file is used, so none has to exist.
fn tls(
    mode: TlsMode,
    [ca, cert, key]: [Option<PathBuf>; 3],
    variables: Vec<&'static str>,
) -> Result<Tls, UrlError> {
    if mode == TlsMode::Disabled {
        return Ok(Tls::default());
    }
    if cert.is_some() != key.is_some() {
        return Err(UrlError::HalfCertificate);
    }
    Ok(Tls {
        mode,
        ca,
        cert,
        key,
        variables,
    })
}
