//! TLS: turns a web configuration into rustls's, and verifies client certificates.

use std::sync::Arc;

use rustls_pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    self, CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig,
    SignatureScheme,
};
use tokio_rustls::server::TlsStream;

use super::san;
use crate::config::certificate::{VERSION_1, is_version_1};
use crate::config::fault::Fault;
use crate::config::web::go_tls::{ClientAuth, Version};
use crate::config::web::tls::ServerTls;

/// ALPN name of HTTP/2.
const HTTP2: &[u8] = b"h2";

/// Returns whether client and server agreed on HTTP/2.
pub(crate) fn is_http2<S>(stream: &TlsStream<S>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(HTTP2)
}

/// Reads certificates and keys, and returns the server's configuration.
///
/// # Errors
/// Every unreadable or malformed file, and every setting that contradicts another.
pub fn server_config(tls: &ServerTls, http2: bool) -> Result<ServerConfig, Vec<Fault>> {
    let certificates = tls.certificate.certificates();
    let key = tls.key.key();
    let provider = Arc::new(provider(tls));
    let verifier = verifier(tls, &provider);
    let (certificates, key, verifier) = match (certificates, key, verifier) {
        (Ok(certificates), Ok(key), Ok(verifier)) => (certificates, key, verifier),
        (certificates, key, verifier) => {
            let faults = [certificates.err(), key.err(), verifier.err()];
            return Err(faults.into_iter().flatten().collect());
        }
    };
    let fault = |what: &str, error: rustls::Error| {
        let what = format!("{what}: {error}");
        let origin = tls.origin.clone();
        vec![Fault::Syntax { origin, what }]
    };
    let combination = "these versions, cipher suites and curves can't be used together";
    let allowed = tls.min_version..=tls.max_version;
    let mut versions = vec![(Version::Tls12, &TLS12), (Version::Tls13, &TLS13)];
    versions.retain(|(version, _)| allowed.contains(version));
    let versions: Vec<_> = versions.into_iter().map(|(_, version)| version).collect();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(|error| fault(combination, error))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates, key)
        .map_err(|error| match error {
            error if is_version_1(&error) => vec![Fault::syntax(
                &tls.certificate.origin,
                format!("the server's certificate {VERSION_1}"),
            )],
            error => fault("the certificate and the key can't be used", error),
        })?;
    config.ignore_client_order = tls.server_order;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    if http2 {
        config.alpn_protocols.insert(0, HTTP2.to_vec());
    }
    if tls.client_auth != ClientAuth::None {
        // A resumed session is not verified again: a client that lost its access could still connect.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}

/// Returns the cryptography with the configured cipher suites and curves, in the configured order.
fn provider(tls: &ServerTls) -> CryptoProvider {
    let mut provider = ring::default_provider();
    if let Some(chosen) = &tls.cipher_suites {
        let suites = &mut provider.cipher_suites;
        suites.retain(|suite| suite.version() == &TLS13);
        suites.extend(chosen);
    }
    if !tls.curves.is_empty() {
        let all = provider.kx_groups;
        let find = |curve| all.iter().copied().find(|group| group.name() == curve);
        provider.kx_groups = tls.curves.iter().filter_map(|curve| find(*curve)).collect();
    }
    provider
}

fn verifier(
    tls: &ServerTls,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Fault> {
    if tls.client_auth == ClientAuth::None {
        return Ok(WebPkiClientVerifier::no_client_auth());
    }
    let authority = match &tls.client_ca {
        None => None,
        Some(source) => {
            let mut roots = RootCertStore::empty();
            let fault = |error: &dyn std::fmt::Display| Fault::Syntax {
                origin: source.origin.clone(),
                what: format!("a certificate of the client_ca can't be used: {error}"),
            };
            for certificate in source.certificates()? {
                roots.add(certificate).map_err(|error| fault(&error))?;
            }
            let builder =
                WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
            Some(builder.build().map_err(|error| fault(&error))?)
        }
    };
    Ok(Arc::new(ClientVerifier {
        is_required: tls.client_auth.requires(),
        authority,
        allowed_sans: tls.allowed_sans.clone(),
        algorithms: provider.signature_verification_algorithms,
    }))
}

/// Verifies client certificates where `client_auth_type` asks for them.
#[derive(Debug)]
struct ClientVerifier {
    is_required: bool,
    /// Verifies the chain up to `client_ca_file`; `None`: any certificate is accepted.
    authority: Option<Arc<dyn ClientCertVerifier>>,
    allowed_sans: Option<Vec<String>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.is_required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        let authority = self.authority.as_ref();
        authority.map_or(&[], |authority| authority.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        if let Some(authority) = &self.authority {
            authority.verify_client_cert(certificate, intermediates, now)?;
        }
        if let Some(allowed) = &self.allowed_sans {
            let mut names = san::of(certificate).into_iter();
            if !names.any(|name| allowed.contains(&name)) {
                return Err(CertificateError::ApplicationVerificationFailure.into());
            }
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
