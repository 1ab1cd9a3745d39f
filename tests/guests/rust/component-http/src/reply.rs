//! One response: its head, and its body as it is made.

use wasi::http::types::{Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasi::io::streams::{InputStream, OutputStream, StreamError};

/// Whether all of it went out.
pub type Sending = Result<(), ()>;

/// Where the response goes.
pub struct Reply(ResponseOutparam);

/// A body under way.
pub struct Body(OutputStream);

impl Reply {
    /// Nothing is sent yet.
    pub fn new(to: ResponseOutparam) -> Self {
        Self(to)
    }

    /// A short text.
    pub fn text(self, status: u16, text: &str) -> Sending {
        self.stream(status, "text/plain; charset=utf-8", Some(text.len() as u64), |body| body.write(text.as_bytes()))
    }

    /// A body that is written piece by piece, with its length if it is known. A body that breaks off is not finished, so that the client can tell.
    pub fn stream(
        self,
        status: u16,
        kind: &str,
        length: Option<u64>,
        write: impl FnOnce(&mut Body) -> Sending,
    ) -> Sending {
        let fields = Fields::new();
        let set = |name: &str, value: &str| fields.append(name, &value.as_bytes().to_vec()).map_err(|_| ());
        set("content-type", kind)?;
        if let Some(length) = length {
            set("content-length", &length.to_string())?;
        }
        let response = OutgoingResponse::new(fields);
        response.set_status_code(status)?;
        let outgoing = response.body()?;
        let stream = outgoing.write()?;
        ResponseOutparam::set(self.0, Ok(response));
        let mut body = Body(stream);
        write(&mut body)?;
        // The stream has to be gone before its body is finished.
        drop(body);
        OutgoingBody::finish(outgoing, None).map_err(|_| ())
    }
}

impl Body {
    /// Writes all of it, as fast as it is taken.
    pub fn write(&mut self, mut bytes: &[u8]) -> Sending {
        while !bytes.is_empty() {
            let count = bytes.len().min(4096);
            self.0.blocking_write_and_flush(&bytes[..count]).map_err(|_| ())?;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// So many letters.
    pub fn alphabet(&mut self, count: u64) -> Sending {
        // Whole rounds, so that the pieces join.
        let piece: Vec<u8> = (b'a'..=b'z').cycle().take(26 * 157).collect();
        let mut left = count;
        while left > 0 {
            let next = usize::try_from(left).map_or(piece.len(), |left| left.min(piece.len()));
            self.write(&piece[..next])?;
            left -= next as u64;
        }
        Ok(())
    }

    /// Everything that comes.
    pub fn copy(&mut self, from: &InputStream) -> Sending {
        loop {
            match from.blocking_read(64 << 10) {
                Ok(bytes) => self.write(&bytes)?,
                Err(StreamError::Closed) => return Ok(()),
                Err(StreamError::LastOperationFailed(_)) => return Err(()),
            }
        }
    }
}
