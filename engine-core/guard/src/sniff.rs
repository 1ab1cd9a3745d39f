//! Tells from the first bytes what a file is. Decides nothing: [`prepare`](crate::prepare) refuses what is no core module.

use std::fmt;

/// What some bytes are, judged by their beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A core module in the binary format.
    CoreModule,
    /// A component in the binary format.
    Component,
    /// A core module or component in a version of the format that is not known.
    UnknownVersion,
    /// The header of the binary format, cut off.
    Truncated,
    /// A module or component in the text format.
    Text,
    /// Native code that wasmtime made of a module or component.
    WasmtimeArtifact,
    /// An ELF file; WasmEdge's native artifacts are some of them.
    Elf,
    /// A Mach-O file.
    MachO,
    /// A Windows executable or library.
    WindowsExecutable,
    /// A script with a `#!` line.
    Script,
    /// A zip, gzip, zstd, xz, bzip2, tar or ar file.
    Archive,
    /// LLVM bitcode, what a compiler makes on the way to an object file.
    LlvmBitcode,
    /// No bytes at all.
    Empty,
    /// Something else.
    Unknown,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CoreModule => "a WebAssembly module",
            Self::Component => "a WebAssembly component",
            Self::UnknownVersion => "WebAssembly in an unknown version of the binary format",
            Self::Truncated => "a WebAssembly file that ends within its header",
            Self::Text => "WebAssembly in the text format",
            Self::WasmtimeArtifact => "a precompiled wasmtime artifact",
            Self::Elf => "an ELF executable or shared library",
            Self::MachO => "a Mach-O executable or library",
            Self::WindowsExecutable => "a Windows executable or library",
            Self::Script => "a script",
            Self::Archive => "an archive or compressed file",
            Self::LlvmBitcode => "LLVM bitcode",
            Self::Empty => "an empty file",
            Self::Unknown => "a file of an unknown kind",
        })
    }
}

const WASM_MAGIC: &[u8] = b"\0asm";
const MODULE_HEADER: &[u8] = b"\0asm\x01\0\0\0";
const COMPONENT_HEADER: &[u8] = b"\0asm\x0d\0\x01\0";

/// Beginnings that settle the matter. Scripts and text come later because they may start with space.
const SIGNATURES: &[(&[u8], Kind)] = &[
    (MODULE_HEADER, Kind::CoreModule),
    (COMPONENT_HEADER, Kind::Component),
    (b"MZ", Kind::WindowsExecutable),
    (b"\xfe\xed\xfa\xce", Kind::MachO),
    (b"\xfe\xed\xfa\xcf", Kind::MachO),
    (b"\xce\xfa\xed\xfe", Kind::MachO),
    (b"\xcf\xfa\xed\xfe", Kind::MachO),
    (b"\xca\xfe\xba\xbe", Kind::MachO),
    (b"#!", Kind::Script),
    (b"PK\x03\x04", Kind::Archive),
    (b"PK\x05\x06", Kind::Archive),
    (b"\x1f\x8b", Kind::Archive),
    (b"\x28\xb5\x2f\xfd", Kind::Archive),
    (b"\xfd7zXZ\0", Kind::Archive),
    (b"BZh", Kind::Archive),
    (b"!<arch>\n", Kind::Archive),
    (b"BC\xc0\xde", Kind::LlvmBitcode),
];

/// Where ELF says which system the file is for, and the number that wasmtime has taken for itself.
const ELF_OS_OFFSET: usize = 7;
const ELF_OS_WASMTIME: u8 = 200;

const TAR_MAGIC_OFFSET: usize = 257;

/// What these bytes are, judged by their beginning.
#[must_use]
pub fn sniff(bytes: &[u8]) -> Kind {
    if bytes.is_empty() {
        return Kind::Empty;
    }
    if let Some((_, kind)) = SIGNATURES.iter().find(|(signature, _)| bytes.starts_with(signature)) {
        return *kind;
    }
    if bytes.starts_with(b"\x7fELF") {
        return match bytes.get(ELF_OS_OFFSET) {
            Some(&ELF_OS_WASMTIME) => Kind::WasmtimeArtifact,
            _ => Kind::Elf,
        };
    }
    if MODULE_HEADER.starts_with(bytes) || COMPONENT_HEADER.starts_with(bytes) {
        return Kind::Truncated;
    }
    if bytes.starts_with(WASM_MAGIC) {
        return if bytes.len() < MODULE_HEADER.len() { Kind::Truncated } else { Kind::UnknownVersion };
    }
    if bytes.get(TAR_MAGIC_OFFSET..).is_some_and(|rest| rest.starts_with(b"ustar")) {
        return Kind::Archive;
    }
    if is_text(bytes) { Kind::Text } else { Kind::Unknown }
}

/// Whether this is the text format: `(module`, `(component` or a field of an abbreviated module, after space and comments.
fn is_text(bytes: &[u8]) -> bool {
    let Some(rest) = skip_space_and_comments(bytes) else { return false };
    let Some(rest) = rest.strip_prefix(b"(") else { return false };
    let Some(rest) = skip_space_and_comments(rest) else { return false };
    let word = rest.split(|byte| !byte.is_ascii_lowercase()).next().unwrap_or_default();
    [
        "module",
        "component",
        "type",
        "rec",
        "import",
        "func",
        "table",
        "memory",
        "global",
        "export",
        "start",
        "elem",
        "data",
        "tag",
    ]
    .iter()
    .any(|keyword| keyword.as_bytes() == word)
}

/// What follows leading space and comments. None when a comment does not end.
fn skip_space_and_comments(mut bytes: &[u8]) -> Option<&[u8]> {
    bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    loop {
        bytes = bytes.trim_ascii_start();
        if bytes.starts_with(b";;") {
            let end = bytes.iter().position(|byte| *byte == b'\n')?;
            bytes = bytes.get(end..)?;
        } else if bytes.starts_with(b"(;") {
            bytes = skip_block_comment(bytes)?;
        } else {
            return Some(bytes);
        }
    }
}

/// What follows a block comment, which may contain others.
fn skip_block_comment(mut bytes: &[u8]) -> Option<&[u8]> {
    let mut depth = 0usize;
    loop {
        if let Some(rest) = bytes.strip_prefix(b"(;") {
            depth += 1;
            bytes = rest;
        } else if let Some(rest) = bytes.strip_prefix(b";)") {
            depth -= 1;
            bytes = rest;
            if depth == 0 {
                return Some(bytes);
            }
        } else {
            bytes = bytes.get(1..)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_tells_the_kind() {
        let mut cwasm = b"\x7fELF\x02\x01\x01".to_vec();
        cwasm.push(ELF_OS_WASMTIME);
        let mut tar = vec![b'a'; TAR_MAGIC_OFFSET];
        tar.extend_from_slice(b"ustar\0");
        let cases: &[(&[u8], Kind)] = &[
            (b"", Kind::Empty),
            (b"\0", Kind::Truncated),
            (b"\0asm", Kind::Truncated),
            (b"\0asm\x01\0\0", Kind::Truncated),
            (b"\0asm\x0d\0\x01", Kind::Truncated),
            (b"\0asm\x05\0", Kind::Truncated),
            (b"\0asm\x01\0\0\0", Kind::CoreModule),
            (b"\0asm\x01\0\0\0rest", Kind::CoreModule),
            (b"\0asm\x0d\0\x01\0", Kind::Component),
            (b"\0asm\x02\0\0\0", Kind::UnknownVersion),
            (b"\0asm\x0c\0\x01\0", Kind::UnknownVersion),
            (b"\x7fELF\x02\x01\x01\0", Kind::Elf),
            (b"\x7fELF", Kind::Elf),
            (&cwasm, Kind::WasmtimeArtifact),
            (b"MZ\x90\0", Kind::WindowsExecutable),
            (b"\xcf\xfa\xed\xfe", Kind::MachO),
            (b"#!/bin/sh\n", Kind::Script),
            (b"PK\x03\x04...", Kind::Archive),
            (b"\x1f\x8b\x08", Kind::Archive),
            (&tar, Kind::Archive),
            (b"!<arch>\nfoo.o/", Kind::Archive),
            (b"(module)", Kind::Text),
            (b"  ;; hello\n (; a (; b ;) ;)\n( module $x", Kind::Text),
            (b"(component)", Kind::Text),
            (b"(func)", Kind::Text),
            (b"(modules)", Kind::Unknown),
            (b"(; (module", Kind::Unknown),
            (b";; only a comment", Kind::Unknown),
            (b"hello", Kind::Unknown),
            (b"asm\0", Kind::Unknown),
        ];
        for (bytes, kind) in cases {
            assert_eq!(sniff(bytes), *kind, "{:?}", String::from_utf8_lossy(bytes));
        }
    }
}
