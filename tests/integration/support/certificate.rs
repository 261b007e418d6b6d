//! Certificates for a test, by its own authority, as files for the exporter and its clients.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType,
};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// An authority that signs certificates of servers and clients.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// Creates an authority with this name.
    pub(crate) fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(parameters, key).unwrap())
    }

    /// Writes the authority's own certificate.
    pub(crate) fn write(&self, path: &Path) -> PathBuf {
        std::fs::write(path, self.0.pem()).unwrap();
        path.to_owned()
    }

    /// Returns the configuration of a client that trusts only this authority.
    pub(crate) fn trusting(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    /// Writes a server's certificate for 127.0.0.1 and localhost: `tls.crt` and `tls.key` in a folder.
    pub(crate) fn server(&self, folder: &Path) {
        let names = vec![
            SanType::DnsName("localhost".try_into().unwrap()),
            SanType::IpAddress("127.0.0.1".parse().unwrap()),
        ];
        let usage = ExtendedKeyUsagePurpose::ServerAuth;
        self.issue(
            names,
            usage,
            &folder.join("tls.crt"),
            &folder.join("tls.key"),
        );
    }

    /// Writes a client's certificate: `NAME.crt` and `NAME.key` in a folder.
    pub(crate) fn client(&self, folder: &Path, name: &str, names: Vec<SanType>) {
        let usage = ExtendedKeyUsagePurpose::ClientAuth;
        let certificate = folder.join(format!("{name}.crt"));
        let key = folder.join(format!("{name}.key"));
        self.issue(names, usage, &certificate, &key);
    }

    fn issue(
        &self,
        names: Vec<SanType>,
        usage: ExtendedKeyUsagePurpose,
        certificate: &Path,
        key_file: &Path,
    ) {
        let mut parameters = CertificateParams::default();
        parameters.subject_alt_names = names;
        parameters.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let issued = parameters.signed_by(&key, &self.0).unwrap();
        // Tools that rotate certificates replace files by renaming.
        for (path, text) in [(certificate, issued.pem()), (key_file, key.serialize_pem())] {
            let new = path.with_extension("new");
            std::fs::write(&new, text).unwrap();
            std::fs::rename(new, path).unwrap();
        }
    }
}
