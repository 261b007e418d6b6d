//! One gzip member out of two parts: the first compressed once a poll, the second at each scrape.
//!
//! Several members in one body would be legal, and `curl --compressed` stops after the first. So the first part
//! is raw deflate that ends on a byte, nothing in the second refers back to it, and the checksums are joined.
//! Formats: RFC 1951 and RFC 1952.

use bytes::Bytes;
use crc32fast::Hasher;
use flate2::{Compress, Compression, FlushCompress, Status};

/// ID1, ID2, deflate, no flags, no time, no extra flags, unknown system (RFC 1952, 2.3).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// The first part of a member.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The header and the compressed text.
    pub bytes: Bytes,
    checksum: Hasher,
    length: u32,
}

/// Compresses the first part of a page.
#[must_use]
pub fn open(text: &[u8]) -> Opening {
    let mut bytes = Vec::with_capacity(text.len() / 8 + 64);
    bytes.extend_from_slice(&HEADER);
    deflate(text, FlushCompress::Full, &mut bytes);
    bytes.shrink_to_fit();
    let mut checksum = Hasher::new();
    checksum.update(text);
    Opening {
        bytes: bytes.into(),
        checksum,
        length: wrapped_length(text),
    }
}

/// Compresses the second part and ends the member: what follows the bytes of `opening`.
#[must_use]
pub fn close(opening: &Opening, text: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(text.len() / 4 + 64);
    deflate(text, FlushCompress::Finish, &mut bytes);
    let mut checksum = opening.checksum.clone();
    let mut rest = Hasher::new();
    rest.update(text);
    checksum.combine(&rest);
    bytes.extend_from_slice(&checksum.finalize().to_le_bytes());
    let length = opening.length.wrapping_add(wrapped_length(text));
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.into()
}

/// Compresses a text of one part.
#[must_use]
pub fn whole(text: &[u8]) -> Bytes {
    let opening = open(b"");
    let rest = close(&opening, text);
    [opening.bytes, rest].concat().into()
}

/// ISIZE is the length modulo 2^32.
fn wrapped_length(text: &[u8]) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "RFC 1952 asks for it")]
    let length = text.len() as u32;
    length
}

fn deflate(text: &[u8], flush: FlushCompress, bytes: &mut Vec<u8>) {
    let mut compress = Compress::new(Compression::fast(), false);
    loop {
        let read = usize::try_from(compress.total_in()).unwrap_or(usize::MAX);
        bytes.reserve(64 * 1024);
        let room = bytes.capacity() - bytes.len();
        let before = compress.total_out();
        let status = compress
            .compress_vec(&text[read..], bytes, flush)
            .expect("deflate without a dictionary has no way to fail");
        let written = compress.total_out() - before;
        let full = usize::try_from(written).is_ok_and(|written| written == room);
        let all = usize::try_from(compress.total_in()).is_ok_and(|read| read == text.len());
        match flush {
            FlushCompress::Finish if status == Status::StreamEnd => return,
            // A flush is complete when it left room (zlib.h, deflate).
            FlushCompress::Full if all && !full => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// Both parts, as a reader of one member gets them back.
    fn check(first: &[u8], second: &[u8]) {
        let opening = open(first);
        let mut member = opening.bytes.to_vec();
        member.extend_from_slice(&close(&opening, second));
        let mut decoder = flate2::read::GzDecoder::new(member.as_slice());
        let mut text = Vec::new();
        decoder.read_to_end(&mut text).unwrap();
        assert_eq!(text, [first, second].concat());
        let rest = decoder.into_inner();
        assert!(rest.is_empty(), "{} bytes after the member", rest.len());
    }

    #[test]
    fn two_parts_make_one_member() {
        let long = "openstack_service_up{host=\"a\"} 1\n".repeat(100_000);
        check(b"", b"");
        check(b"", b"# EOF\n");
        check(b"a", b"");
        check(b"up 1\n", b"# EOF\n");
        check(long.as_bytes(), long.as_bytes());
        // What does not compress fills the room given.
        let noise: Vec<u8> = (0..300_000_u32)
            .map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()[3])
            .collect();
        check(&noise, &noise);
    }

    #[test]
    fn one_opening_serves_many_closings() {
        let opening = open(b"first\n");
        for second in ["1\n", "22\n"] {
            let member = [&opening.bytes[..], &close(&opening, second.as_bytes())].concat();
            let mut text = String::new();
            flate2::read::GzDecoder::new(member.as_slice())
                .read_to_string(&mut text)
                .unwrap();
            assert_eq!(text, format!("first\n{second}"));
        }
    }
}
