//! A guest's memory as its embedder sees it: every access is checked. Knows no engine.

use wasmrt_model::{Error, ErrorKind, Result};

/// A guest's memory, as long as nobody runs the guest.
#[derive(Debug)]
pub struct Memory<'a> {
    bytes: &'a mut [u8],
}

impl<'a> Memory<'a> {
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes }
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX)
    }

    /// `length` bytes from `offset` on.
    ///
    /// # Errors
    /// `InvalidInput` when they do not all lie in the memory.
    pub fn read(&self, offset: u64, length: u64) -> Result<&[u8]> {
        range(offset, length)
            .and_then(|range| self.bytes.get(range))
            .ok_or_else(|| self.outside("read", offset, length))
    }

    /// Writes these bytes from `offset` on, all or none.
    ///
    /// # Errors
    /// `InvalidInput` when the memory does not hold them all.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match range(offset, length).and_then(|range| self.bytes.get_mut(range)) {
            Some(place) => {
                place.copy_from_slice(bytes);
                Ok(())
            }
            None => Err(self.outside("write", offset, length)),
        }
    }

    /// All of it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// All of it, to be changed.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes
    }

    fn outside(&self, what: &str, offset: u64, length: u64) -> Error {
        let size = self.size();
        Error::new(ErrorKind::InvalidInput, format!("cannot {what} {length} bytes at {offset}: the memory has {size}"))
            .with_operation("access memory")
    }
}

fn range(offset: u64, length: u64) -> Option<std::ops::Range<usize>> {
    let end = offset.checked_add(length)?;
    Some(usize::try_from(offset).ok()?..usize::try_from(end).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_inside_and_none_outside() {
        let mut bytes = *b"0123456789";
        let mut memory = Memory::new(&mut bytes);
        assert_eq!(memory.read(0, 10).unwrap(), b"0123456789");
        assert_eq!(memory.read(10, 0).unwrap(), b"");
        memory.write(9, b"x").unwrap();
        assert_eq!(memory.read(8, 2).unwrap(), b"8x");
        for (offset, length) in [(0, 11), (10, 1), (11, 0), (u64::MAX, 1), (1, u64::MAX)] {
            assert_eq!(memory.read(offset, length).unwrap_err().kind(), ErrorKind::InvalidInput, "{offset} {length}");
        }
        assert!(memory.write(9, b"yz").is_err() && memory.write(u64::MAX, b"y").is_err());
        assert_eq!(memory.bytes(), b"012345678x");
    }
}
