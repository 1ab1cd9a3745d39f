//! Tar files, as far as images need them (POSIX ustar).

use super::Content;
use crate::Result;

const BLOCK: usize = 512;

#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    directories: Vec<String>,
}

impl Writer {
    /// Adds something, and the directories above it.
    pub(super) fn add(&mut self, path: &str, content: &Content) -> Result<()> {
        let mut above = String::new();
        for part in path.split('/').take(path.matches('/').count()) {
            above = format!("{above}{part}/");
            self.directory(&above)?;
        }
        match content {
            Content::File(bytes, mode) => self.entry(path, b'0', *mode, "", bytes),
            Content::Link(target) => self.entry(path, b'2', 0o777, target, &[]),
            Content::Directory => self.directory(&format!("{path}/")),
            Content::Fifo => self.entry(path, b'6', 0o644, "", &[]),
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 2 * BLOCK, 0);
        self.bytes
    }

    fn directory(&mut self, path: &str) -> Result<()> {
        if self.directories.iter().any(|known| known == path) {
            return Ok(());
        }
        self.directories.push(path.to_owned());
        self.entry(path, b'5', 0o755, "", &[])
    }

    fn entry(&mut self, path: &str, kind: u8, mode: u32, target: &str, content: &[u8]) -> Result<()> {
        if path.len() > 100 || target.len() > 100 {
            return Err(format!("{path}: names of more than 100 bytes do not fit into a tar file of this kind"));
        }
        let mut header = [0; BLOCK];
        put(&mut header, 0, path);
        put(&mut header, 100, &format!("{mode:07o}"));
        put(&mut header, 108, "0000000");
        put(&mut header, 116, "0000000");
        put(&mut header, 124, &format!("{:011o}", content.len()));
        put(&mut header, 136, "00000000000");
        header[156] = kind;
        put(&mut header, 157, target);
        put(&mut header, 257, "ustar");
        put(&mut header, 263, "00");
        // The sum is taken with blanks in its own place.
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        put(&mut header, 148, &format!("{sum:06o}\0 "));
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK), 0);
        Ok(())
    }
}

fn put(header: &mut [u8; BLOCK], at: usize, text: &str) {
    header[at..at + text.len()].copy_from_slice(text.as_bytes());
}
