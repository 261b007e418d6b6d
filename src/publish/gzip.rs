//! One gzip member assembled from parts, which are compressed one by one and can be joined in any order.
//!
//! Several members in one body would be legal, but `curl --compressed` stops after the first. Each part is raw deflate
//! that ends on a byte and refers to no other part; the checksums are combined.
//! Formats: RFC 1951 and RFC 1952.

use bytes::Bytes;
use crc32fast::Hasher;
use flate2::{Compress, Compression, FlushCompress, Status};

/// Start of a member: ID1, ID2, deflate, no flags, no time, no extra flags, unknown system (RFC 1952, 2.3).
pub(crate) const HEADER: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// A part of a member.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// The compressed text.
    pub bytes: Bytes,
    checksum: Hasher,
}

/// Compresses texts, one part at a time.
#[derive(Debug)]
pub(crate) struct Deflate {
    compress: Compress,
    bytes: Vec<u8>,
    checksum: Hasher,
}

impl Default for Deflate {
    fn default() -> Self {
        Self {
            compress: Compress::new(Compression::fast(), false),
            bytes: Vec::new(),
            checksum: Hasher::new(),
        }
    }
}

impl Deflate {
    /// Adds text to the part.
    pub(crate) fn write(&mut self, text: &[u8]) {
        self.checksum.update(text);
        self.deflate(text, FlushCompress::None);
    }

    /// Ends a part that others may follow in the member.
    pub(crate) fn part(&mut self) -> Part {
        if self.checksum.total_len() > 0 {
            self.deflate(&[], FlushCompress::Full);
        }
        self.take()
    }

    /// Ends the last part of a member.
    pub(crate) fn end(mut self) -> Part {
        self.deflate(&[], FlushCompress::Finish);
        self.take()
    }

    fn take(&mut self) -> Part {
        // Parts are kept until the next poll: without spare capacity.
        let bytes = self.bytes.as_slice().to_vec();
        self.bytes.clear();
        Part {
            bytes: bytes.into(),
            checksum: std::mem::take(&mut self.checksum),
        }
    }

    fn deflate(&mut self, text: &[u8], flush: FlushCompress) {
        let begin = self.compress.total_in();
        loop {
            let read = usize::try_from(self.compress.total_in() - begin).unwrap_or(usize::MAX);
            self.bytes.reserve(16 * 1024);
            let room = self.bytes.capacity() - self.bytes.len();
            let before = self.bytes.len();
            let status = self
                .compress
                .compress_vec(&text[read..], &mut self.bytes, flush)
                .expect("deflate without a dictionary has no way to fail");
            let full = self.bytes.len() - before == room;
            match flush {
                FlushCompress::Finish if status == Status::StreamEnd => return,
                FlushCompress::Finish => {}
                // The input is consumed, and a flush complete, once there is room left (deflate in zlib.h).
                _ if !full => return,
                _ => {}
            }
        }
    }
}

/// Returns the end of a member: the checksum and the length of the text (RFC 1952, 2.3.1).
pub(crate) fn trailer<'a>(parts: impl IntoIterator<Item = &'a Part>) -> Bytes {
    let mut checksum = Hasher::new();
    for part in parts {
        checksum.combine(&part.checksum);
    }
    // ISIZE is the length modulo 2^32.
    let length = &checksum.total_len().to_le_bytes()[..4];
    let checksum = checksum.finalize().to_le_bytes();
    [&checksum[..], length].concat().into()
}

/// Compresses a text into the last part of a member.
pub(crate) fn last_part(text: &[u8]) -> Part {
    let mut deflate = Deflate::default();
    deflate.write(text);
    deflate.end()
}

/// Compresses a text into a member of one part.
pub(crate) fn whole(text: &[u8]) -> Bytes {
    let part = last_part(text);
    [HEADER, &part.bytes, &trailer([&part])].concat().into()
}

/// Decompresses a member that nothing follows.
#[cfg(test)]
pub(crate) fn decompressed(member: &[u8]) -> Vec<u8> {
    let mut decoder = flate2::read::GzDecoder::new(member);
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut decoder, &mut text).unwrap();
    let rest = decoder.into_inner();
    assert!(rest.is_empty(), "{} bytes after the member", rest.len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Joins parts and reads them like a reader of one member; the last part ends the member.
    fn read(parts: &[&Part]) -> Vec<u8> {
        let mut member = HEADER.to_vec();
        for part in parts {
            member.extend_from_slice(&part.bytes);
        }
        member.extend_from_slice(&trailer(parts.iter().copied()));
        decompressed(&member)
    }

    fn check(first: &[u8], second: &[u8]) {
        let mut deflate = Deflate::default();
        deflate.write(first);
        let opening = deflate.part();
        deflate.write(second);
        let middle = deflate.part();
        deflate.write(second);
        let ending = deflate.end();
        assert_eq!(
            read(&[&opening, &middle, &ending]),
            [first, second, second].concat()
        );
        // In another order, and with an end from another stream.
        let ending = last_part(first);
        assert_eq!(
            read(&[&middle, &opening, &ending]),
            [second, first, first].concat()
        );
        assert_eq!(read(&[&ending]), first);
    }

    #[test]
    fn parts_make_one_member_in_any_order() {
        let long = "openstack_service_up{host=\"a\"} 1\n".repeat(100_000);
        check(b"", b"");
        check(b"", b"# EOF\n");
        check(b"a", b"");
        check(b"up 1\n", b"# EOF\n");
        check(long.as_bytes(), long.as_bytes());
        // Incompressible bytes fill the output buffer.
        let noise: Vec<u8> = (0..300_000_u32)
            .map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()[3])
            .collect();
        check(&noise, &noise);
    }

    #[test]
    fn a_part_written_in_pieces_decompresses_to_the_whole_text() {
        let text = "openstack_service_up{host=\"a\"} 1\n".repeat(10_000);
        let mut deflate = Deflate::default();
        for piece in text.as_bytes().chunks(4_097) {
            deflate.write(piece);
        }
        assert_eq!(read(&[&deflate.end()]), text.as_bytes());
        assert_eq!(decompressed(&whole(text.as_bytes())), text.as_bytes());
    }
}
