//! Where a body ends.

use crate::Head;

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunks, the last of them empty.
    Chunks,
    /// Everything until the connection closes: responses only.
    UntilClose,
}

/// A whole body.
#[derive(Debug)]
pub struct Whole {
    /// Its bytes, unchunked.
    pub bytes: Vec<u8>,
    /// How much of the buffer it took.
    pub used: usize,
}

impl Body {
    /// What the head says; a status if it contradicts itself.
    pub fn of(head: &Head) -> Result<Self, u16> {
        let mut lengths = head.all("content-length");
        let length = lengths.next();
        if lengths.any(|other| Some(other) != length) {
            return Err(400);
        }
        match (head.get("transfer-encoding"), length) {
            (Some(_), Some(_)) => Err(400),
            (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => Ok(Self::Chunks),
            (Some(_), None) => Err(501),
            (None, Some(length)) if !length.is_empty() && length.bytes().all(|digit| digit.is_ascii_digit()) => {
                length.parse().map(Self::Length).map_err(|_| 413)
            }
            (None, Some(_)) => Err(400),
            (None, None) => Ok(Self::UntilClose),
        }
    }

    /// The body at the start of this buffer, if it is there whole and not longer than the limit. `UntilClose` never is.
    pub fn take(self, input: &[u8], limit: usize) -> Result<Option<Whole>, u16> {
        match self {
            Self::UntilClose => Ok(None),
            Self::Chunks => chunked(input, limit),
            Self::Length(length) => match usize::try_from(length) {
                Ok(length) if length <= limit => {
                    Ok(input.get(..length).map(|bytes| Whole { bytes: bytes.to_vec(), used: length }))
                }
                _ => Err(413),
            },
        }
    }
}

/// A body in chunks, with its trailer; nothing if it has not arrived whole.
pub fn chunked(input: &[u8], limit: usize) -> Result<Option<Whole>, u16> {
    // What the framing itself may take: a megabyte in chunks of one byte is an attack, not a body.
    let most = limit.saturating_mul(2).saturating_add(crate::HEAD_LIMIT);
    let (mut bytes, mut used) = (Vec::new(), 0);
    loop {
        let Some(line) = line(&input[used..]) else {
            return if input.len() > most { Err(413) } else { Ok(None) };
        };
        let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let digits = std::str::from_utf8(digits).map_err(|_| 400u16)?;
        if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(400);
        }
        let size = usize::from_str_radix(digits, 16).map_err(|_| 413u16)?;
        used += line.len() + 2;
        if size == 0 {
            return Ok(trailer(&input[used..]).map(|length| Whole { bytes, used: used + length }));
        }
        if size > limit - bytes.len() {
            return Err(413);
        }
        match input.get(used..used + size + 2) {
            None => return Ok(None),
            Some(chunk) if chunk.ends_with(b"\r\n") => bytes.extend_from_slice(&chunk[..size]),
            Some(_) => return Err(400),
        }
        used += size + 2;
    }
}

/// The length of the lines behind the last chunk, up to and with the empty one.
fn trailer(input: &[u8]) -> Option<usize> {
    let mut used = 0;
    loop {
        let line = line(&input[used..])?;
        used += line.len() + 2;
        if line.is_empty() {
            return Some(used);
        }
    }
}

/// The first line, without its end.
fn line(input: &[u8]) -> Option<&[u8]> {
    let end = input.windows(2).position(|window| window == b"\r\n")?;
    Some(&input[..end])
}
