//! The subject alternative names of a certificate: just enough of X.509 to find them.
//!
//! webpki has already parsed the certificate, but exposes no IP or e-mail addresses. A malformed certificate has no
//! names.

use std::net::IpAddr;

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
/// The field `extensions` of a certificate.
const EXTENSIONS: u8 = 0xa3;
const EMAIL: u8 = 0x81;
const DNS: u8 = 0x82;
const URI: u8 = 0x86;
const IP: u8 = 0x87;

/// `subjectAltName`, 2.5.29.17.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// Returns the DNS names, e-mail addresses, IP addresses and URIs of a certificate in DER.
///
/// The notation is exporter-toolkit's: IPv6 addresses in their shortest form, everything else verbatim.
pub(crate) fn of(certificate: &[u8]) -> Vec<String> {
    let names = extension(certificate).unwrap_or_default();
    items(names).filter_map(name).collect()
}

fn name((tag, value): (u8, &[u8])) -> Option<String> {
    match tag {
        EMAIL | DNS | URI => std::str::from_utf8(value).ok().map(str::to_owned),
        IP => {
            let v4 = <[u8; 4]>::try_from(value).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from));
            Some(address.ok()?.to_canonical().to_string())
        }
        _ => None,
    }
}

/// Returns the encoded list of names.
fn extension(certificate: &[u8]) -> Option<&[u8]> {
    let certificate = first(certificate, SEQUENCE)?;
    let body = find(certificate, SEQUENCE)?;
    let extensions = first(find(body, EXTENSIONS)?, SEQUENCE)?;
    let value = items(extensions).find_map(|(_, extension)| {
        let id = find(extension, OBJECT_IDENTIFIER)?;
        (id == SUBJECT_ALT_NAME).then(|| find(extension, OCTET_STRING))?
    })?;
    first(value, SEQUENCE)
}

/// Returns the value of the first item, if it has this tag.
fn first(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let (found, value) = items(bytes).next()?;
    (found == tag).then_some(value)
}

/// Returns the value of the first item with this tag.
fn find(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    items(bytes).find_map(|(found, value)| (found == tag).then_some(value))
}

/// Returns consecutive items as tag and value, up to the first malformed one.
fn items(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, rest) = bytes.split_first()?;
        let (first, rest) = rest.split_first()?;
        // Below 128 the byte is the length. Otherwise it is 128 plus the number of length bytes.
        let (length, rest) = match usize::from(*first) {
            short @ ..0x80 => (short, rest),
            long => {
                let (digits, rest) = rest.split_at_checked(long - 0x80)?;
                if digits.len() > 4 {
                    return None;
                }
                let digits = digits.iter().map(|digit| usize::from(*digit));
                (digits.fold(0, |sum, digit| sum << 8 | digit), rest)
            }
        };
        let (value, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        Some((*tag, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, SanType};

    fn certificate(names: Vec<SanType>) -> Vec<u8> {
        let mut parameters = CertificateParams::default();
        parameters.subject_alt_names = names;
        let key = KeyPair::generate().unwrap();
        parameters.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn all_kinds_of_names_are_found_with_addresses_in_their_shortest_form() {
        let long = format!("{}.example.org", "x".repeat(60));
        let certificate = certificate(vec![
            SanType::DnsName("prometheus.example.org".try_into().unwrap()),
            SanType::DnsName(long.as_str().try_into().unwrap()),
            SanType::Rfc822Name("ops@example.org".try_into().unwrap()),
            SanType::URI("spiffe://example.org/prometheus".try_into().unwrap()),
            SanType::IpAddress("192.0.2.1".parse().unwrap()),
            SanType::IpAddress("2001:db8:0:0:0:0:0:1".parse().unwrap()),
            SanType::IpAddress("::ffff:192.0.2.2".parse().unwrap()),
        ]);
        let expected = [
            "prometheus.example.org",
            &long,
            "ops@example.org",
            "spiffe://example.org/prometheus",
            "192.0.2.1",
            "2001:db8::1",
            "192.0.2.2",
        ];
        assert_eq!(of(&certificate), expected);
    }

    #[test]
    fn a_certificate_without_names_or_a_malformed_one_yields_none_and_never_panics() {
        assert!(of(&certificate(Vec::new())).is_empty());
        let whole = certificate(vec![SanType::DnsName("a.example.org".try_into().unwrap())]);
        for end in 0..whole.len() {
            assert!(of(&whole[..end]).is_empty(), "{end}");
        }
        for position in 0..whole.len() {
            for byte in [0, 0x7f, 0x80, 0x84, 0x88, 0xff] {
                let mut broken = whole.clone();
                broken[position] = byte;
                // The result is arbitrary, but parsing ends.
                assert!(of(&broken).len() < whole.len());
            }
        }
    }
}
