//! A guest without an engine: a memory, and calls by name. Everything goes through `link` and `HostFunctions::call`, as from an engine.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use wasmrt_host::{Blocking, Cancel, Counters, Host, Refusals, Resources, link};
use wasmrt_model::backend::{Ending, HostFunctions};
use wasmrt_model::module::{ExternType, Import};
use wasmrt_model::{
    Capabilities, Ceiling, Enforcement, EngineName, FeatureSet, FunctionType, ModuleInfo, Result, RunPlan, RunSpec,
    Tier, TierCapabilities, TrapKind, ValueType, resolve,
};

pub(crate) const P1: &str = "wasi_snapshot_preview1";
pub(crate) const P0: &str = "wasi_unstable";

/// What every function takes, as a letter each: w is 32 bits, l is 64 bits.
pub(crate) const SIGNATURES: &[(&str, &str)] = &[
    ("args_get", "ww"),
    ("args_sizes_get", "ww"),
    ("environ_get", "ww"),
    ("environ_sizes_get", "ww"),
    ("clock_res_get", "ww"),
    ("clock_time_get", "wlw"),
    ("fd_advise", "wllw"),
    ("fd_allocate", "wll"),
    ("fd_close", "w"),
    ("fd_datasync", "w"),
    ("fd_fdstat_get", "ww"),
    ("fd_fdstat_set_flags", "ww"),
    ("fd_fdstat_set_rights", "wll"),
    ("fd_filestat_get", "ww"),
    ("fd_filestat_set_size", "wl"),
    ("fd_filestat_set_times", "wllw"),
    ("fd_pread", "wwwlw"),
    ("fd_prestat_get", "ww"),
    ("fd_prestat_dir_name", "www"),
    ("fd_pwrite", "wwwlw"),
    ("fd_read", "wwww"),
    ("fd_readdir", "wwwlw"),
    ("fd_renumber", "ww"),
    ("fd_seek", "wlww"),
    ("fd_sync", "w"),
    ("fd_tell", "ww"),
    ("fd_write", "wwww"),
    ("path_create_directory", "www"),
    ("path_filestat_get", "wwwww"),
    ("path_filestat_set_times", "wwwwllw"),
    ("path_link", "wwwwwww"),
    ("path_open", "wwwwwllww"),
    ("path_readlink", "wwwwww"),
    ("path_remove_directory", "www"),
    ("path_rename", "wwwwww"),
    ("path_symlink", "wwwww"),
    ("path_unlink_file", "www"),
    ("poll_oneoff", "wwww"),
    ("proc_exit", "w"),
    ("proc_raise", "w"),
    ("sched_yield", ""),
    ("random_get", "ww"),
    ("sock_accept", "www"),
    ("sock_recv", "wwwwww"),
    ("sock_send", "wwwww"),
    ("sock_shutdown", "ww"),
];

/// WasmEdge's, which only the newer version has. What stands behind a slash tells forms of one name apart, here only.
pub(crate) const WASMEDGE: &[(&str, &str)] = &[
    ("sock_open", "www"),
    ("sock_bind", "www"),
    ("sock_listen", "ww"),
    ("sock_accept/1", "ww"),
    ("sock_connect", "www"),
    ("sock_recv_from/1", "wwwwwww"),
    ("sock_recv_from", "wwwwwwww"),
    ("sock_send_to", "wwwwwww"),
    ("sock_getsockopt", "wwwww"),
    ("sock_setsockopt", "wwwww"),
    ("sock_getlocaladdr", "wwww"),
    ("sock_getlocaladdr_v2", "www"),
    ("sock_getpeeraddr", "wwww"),
    ("sock_getpeeraddr_v2", "www"),
    ("sock_getaddrinfo", "wwwwwwww"),
];

/// Every function of both versions, as a module would import them.
pub(crate) fn every_import() -> ModuleInfo {
    let mut info = ModuleInfo::default();
    for (module, signatures) in [(P1, SIGNATURES), (P0, SIGNATURES), (P1, WASMEDGE)] {
        for (name, params) in signatures {
            if (module, *name) == (P0, "sock_accept") {
                continue;
            }
            let name = name.split('/').next().unwrap_or(name);
            let params: Vec<_> =
                params.chars().map(|letter| if letter == 'w' { ValueType::I32 } else { ValueType::I64 }).collect();
            let results: &[ValueType] = if name == "proc_exit" { &[] } else { &[ValueType::I32] };
            info.imports.push(Import {
                module: module.to_owned(),
                name: name.to_owned(),
                extern_type: ExternType::Function(FunctionType::new(&params, results)),
            });
        }
    }
    info
}

/// A plan from a JSON spec.
pub(crate) fn plan(json: &str) -> RunPlan {
    let mut capabilities = Capabilities::new(EngineName::Wasmtime, "0");
    capabilities.tiers = vec![TierCapabilities { tier: Tier::Optimized, features: FeatureSet::EMPTY }];
    let spec = RunSpec::from_json(json).unwrap();
    let mut enforcement = Enforcement::NONE;
    enforcement.network = true;
    resolve(&spec, &capabilities, enforcement, &Ceiling::default(), &|_| None).unwrap()
}

/// A spec with these (host, guest, access) preopens and more fields.
pub(crate) fn preopened(preopens: &[(&Path, &str, &str)], more: &str) -> String {
    let list: Vec<String> = preopens
        .iter()
        .map(|(host, guest, access)| {
            format!(r#"{{"host": {:?}, "guest": {guest:?}, "access": {access:?}}}"#, host.to_str().unwrap())
        })
        .collect();
    let comma = if more.is_empty() { "" } else { ", " };
    format!(r#"{{"preopens": [{}]{comma}{more}}}"#, list.join(", "))
}

/// A guest: memory and host.
pub(crate) struct Guest {
    host: Host,
    imports: BTreeMap<(&'static str, &'static str), usize>,
    bytes: Vec<u8>,
    start: usize,
    pub(crate) counters: Arc<Counters>,
    pub(crate) refusals: Refusals,
}

/// The rights that reading and writing need.
pub(crate) const READ: u64 = 1 << 1;
pub(crate) const WRITE: u64 = 1 << 6;
pub(crate) const CREAT: u64 = 1;
pub(crate) const DIRECTORY: u64 = 2;
pub(crate) const EXCL: u64 = 4;
pub(crate) const TRUNC: u64 = 8;

const SIZE: usize = 4 << 20;
/// Where results go, and where paths and data are put; nothing else uses these places.
const RESULT: u64 = 64;
const LIST: u64 = 256;
const DATA: u64 = 4096;
const SECOND: u64 = 65536;

impl Guest {
    pub(crate) fn new(json: &str) -> Self {
        Self::with(json, Resources::new()).unwrap()
    }

    pub(crate) fn with(json: &str, mut resources: Resources) -> Result<Self> {
        let counters = Arc::new(Counters::default());
        resources.counters = Box::new(counters.clone());
        let linked = link(&every_import()).unwrap();
        let host = Host::new(&plan(json), resources, &linked)?;
        let names = SIGNATURES.iter().map(|(name, _)| *name);
        let newer = names.clone().map(|name| (P1, name));
        let older = names.filter(|n| *n != "sock_accept").map(|name| (P0, name));
        let all = newer.chain(older).chain(WASMEDGE.iter().map(|(name, _)| (P1, *name)));
        let imports = all.zip(0..).collect();
        let bytes = vec![0; SIZE + 64];
        let start = bytes.as_ptr().align_offset(64);
        let refusals = host.refusals();
        Ok(Self { host, imports, bytes, start, counters, refusals })
    }

    pub(crate) fn memory(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + SIZE]
    }

    /// Calls a function of one of both versions.
    pub(crate) fn call_in(&mut self, module: &'static str, name: &'static str, args: &[u64]) -> Result<u64, Ending> {
        let import = self.imports[&(module, name)];
        let mut result = [u64::MAX];
        let results: &mut [u64] = if name == "proc_exit" { &mut [] } else { &mut result };
        let memory = &mut self.bytes[self.start..self.start + SIZE];
        self.host.call(import, memory, args, results)?;
        Ok(result[0])
    }

    /// Calls a function of the newer version; the guest has to survive it.
    pub(crate) fn call(&mut self, name: &'static str, args: &[u64]) -> u64 {
        self.call_in(P1, name, args).unwrap()
    }

    /// Calls a function that has to end the guest.
    pub(crate) fn end(&mut self, name: &'static str, args: &[u64]) -> Ending {
        self.call_in(P1, name, args).unwrap_err()
    }

    /// Calls without any memory.
    pub(crate) fn call_without_memory(&mut self, name: &'static str, args: &[u64]) -> Result<u64, Ending> {
        let mut result = [u64::MAX];
        self.host.call(self.imports[&(P1, name)], &mut [], args, &mut result)?;
        Ok(result[0])
    }

    pub(crate) fn put(&mut self, at: u64, bytes: &[u8]) {
        let at = usize::try_from(at).unwrap();
        self.memory()[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub(crate) fn get(&mut self, at: u64, length: u64) -> Vec<u8> {
        let at = usize::try_from(at).unwrap();
        self.memory()[at..at + usize::try_from(length).unwrap()].to_vec()
    }

    pub(crate) fn word(&mut self, at: u64) -> u64 {
        u64::from(u32::from_le_bytes(self.get(at, 4).try_into().unwrap()))
    }

    pub(crate) fn long(&mut self, at: u64) -> u64 {
        u64::from_le_bytes(self.get(at, 8).try_into().unwrap())
    }

    /// Puts a path where paths go and returns pointer and length.
    fn path(&mut self, at: u64, path: &[u8]) -> [u64; 2] {
        self.put(at, path);
        [at, path.len() as u64]
    }

    /// Calls `name(fd, path)`.
    pub(crate) fn on_path(&mut self, name: &'static str, fd: u64, path: &str) -> u64 {
        let [at, length] = self.path(DATA, path.as_bytes());
        self.call(name, &[fd, at, length])
    }

    pub(crate) fn open_bytes(
        &mut self,
        fd: u64,
        path: &[u8],
        oflags: u64,
        rights: u64,
        follow: u64,
    ) -> Result<u64, u64> {
        let [at, length] = self.path(DATA, path);
        match self.call("path_open", &[fd, follow, at, length, oflags, rights, rights, 0, RESULT]) {
            0 => Ok(self.word(RESULT)),
            errno => Err(errno),
        }
    }

    /// Opens a path, following links.
    pub(crate) fn open(&mut self, fd: u64, path: &str, oflags: u64, rights: u64) -> Result<u64, u64> {
        self.open_bytes(fd, path.as_bytes(), oflags, rights, 1)
    }

    pub(crate) fn open_append(&mut self, fd: u64, path: &str) -> u64 {
        let [at, length] = self.path(DATA, path.as_bytes());
        assert_eq!(self.call("path_open", &[fd, 1, at, length, CREAT, WRITE, WRITE, 1, RESULT]), 0);
        self.word(RESULT)
    }

    /// Puts a list of buffers at their place.
    pub(crate) fn list(&mut self, buffers: &[(u64, u64)]) -> [u64; 2] {
        let mut bytes = Vec::new();
        for (at, length) in buffers {
            bytes.extend(u32::try_from(*at).unwrap().to_le_bytes());
            bytes.extend(u32::try_from(*length).unwrap().to_le_bytes());
        }
        self.put(LIST, &bytes);
        [LIST, buffers.len() as u64]
    }

    pub(crate) fn try_write(&mut self, fd: u64, data: &[u8]) -> Result<Result<u64, u64>, Ending> {
        self.put(DATA, data);
        let [list, count] = self.list(&[(DATA, data.len() as u64)]);
        Ok(match self.call_in(P1, "fd_write", &[fd, list, count, RESULT])? {
            0 => Ok(self.word(RESULT)),
            errno => Err(errno),
        })
    }

    pub(crate) fn write(&mut self, fd: u64, data: &[u8]) -> Result<u64, u64> {
        self.try_write(fd, data).unwrap()
    }

    pub(crate) fn pwrite(&mut self, fd: u64, data: &[u8], at: u64) -> Result<Result<u64, u64>, Ending> {
        self.put(DATA, data);
        let [list, count] = self.list(&[(DATA, data.len() as u64)]);
        Ok(match self.call_in(P1, "fd_pwrite", &[fd, list, count, at, RESULT])? {
            0 => Ok(self.word(RESULT)),
            errno => Err(errno),
        })
    }

    pub(crate) fn read(&mut self, fd: u64, length: u64) -> Result<Vec<u8>, u64> {
        self.try_read(fd, length).unwrap()
    }

    pub(crate) fn try_read(&mut self, fd: u64, length: u64) -> Result<Result<Vec<u8>, u64>, Ending> {
        let [list, count] = self.list(&[(DATA, length)]);
        Ok(match self.call_in(P1, "fd_read", &[fd, list, count, RESULT])? {
            0 => {
                let count = self.word(RESULT);
                Ok(self.get(DATA, count))
            }
            errno => Err(errno),
        })
    }

    /// The attributes of a path: (file type, size), links not followed.
    pub(crate) fn stat(&mut self, fd: u64, path: &str) -> Result<(u8, u64), u64> {
        let [at, length] = self.path(DATA, path.as_bytes());
        match self.call("path_filestat_get", &[fd, 0, at, length, RESULT]) {
            0 => Ok((self.get(RESULT + 16, 1)[0], self.long(RESULT + 32))),
            errno => Err(errno),
        }
    }

    /// Calls a function with two (fd, path) pairs: path_rename.
    pub(crate) fn rename(&mut self, from: (u64, &str), to: (u64, &str)) -> u64 {
        let [a, a_length] = self.path(DATA, from.1.as_bytes());
        let [b, b_length] = self.path(SECOND, to.1.as_bytes());
        self.call("path_rename", &[from.0, a, a_length, to.0, b, b_length])
    }

    pub(crate) fn link(&mut self, from: (u64, &str), to: (u64, &str)) -> u64 {
        let [a, a_length] = self.path(DATA, from.1.as_bytes());
        let [b, b_length] = self.path(SECOND, to.1.as_bytes());
        self.call("path_link", &[from.0, 0, a, a_length, to.0, b, b_length])
    }

    pub(crate) fn symlink(&mut self, target: &str, fd: u64, path: &str) -> u64 {
        let [a, a_length] = self.path(DATA, target.as_bytes());
        let [b, b_length] = self.path(SECOND, path.as_bytes());
        self.call("path_symlink", &[a, a_length, fd, b, b_length])
    }

    pub(crate) fn set_times(&mut self, fd: u64, path: &str) -> u64 {
        let [at, length] = self.path(DATA, path.as_bytes());
        // Both times to the given ones.
        self.call("path_filestat_set_times", &[fd, 0, at, length, 1_000_000_000, 2_000_000_000, 5])
    }

    /// The names in a directory, read in pieces of `piece` bytes.
    pub(crate) fn list_directory(&mut self, fd: u64, piece: u64) -> Result<Vec<String>, u64> {
        let (mut names, mut cookie) = (Vec::new(), 0);
        loop {
            let errno = self.call("fd_readdir", &[fd, SECOND, piece, cookie, RESULT]);
            if errno != 0 {
                return Err(errno);
            }
            let used = self.word(RESULT);
            let (mut at, mut progress) = (0, false);
            while at + 24 <= used {
                let (next, length) = (self.long(SECOND + at), self.word(SECOND + at + 16));
                if at + 24 + length > used {
                    break;
                }
                names.push(String::from_utf8(self.get(SECOND + at + 24, length)).unwrap());
                (cookie, progress) = (next, true);
                at += 24 + length;
            }
            if used < piece {
                names.sort();
                return Ok(names);
            }
            assert!(progress, "no entry fits {piece} bytes");
        }
    }

    pub(crate) fn written(&self) -> u64 {
        self.counters.written_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn output(&self) -> u64 {
        self.counters.output_bytes.load(Ordering::Relaxed)
    }
}

/// A pipe: (what is read from, what is written to).
pub(crate) fn pipe() -> (File, File) {
    let (reader, writer) = std::io::pipe().unwrap();
    (File::from(OwnedFd::from(reader)), File::from(OwnedFd::from(writer)))
}

/// Resources with these streams.
pub(crate) fn streams(stdin: Option<File>, stdout: Option<File>, stderr: Option<File>) -> Resources {
    let mut resources = Resources::new();
    resources.stdin = stdin.map(OwnedFd::from);
    resources.stdout = stdout.map(OwnedFd::from);
    resources.stderr = stderr.map(OwnedFd::from);
    resources
}

/// Resources for a guest in the caller's process, and what cancels it.
pub(crate) fn offloaded() -> (Resources, Cancel) {
    let mut resources = Resources::new();
    let cancel = Cancel::new().unwrap();
    resources.blocking = Blocking::Offload;
    resources.cancel = Some(cancel.clone());
    (resources, cancel)
}

/// Whether an ending is the trap for bad pointers.
pub(crate) fn is_bad_pointer(ending: &Ending) -> bool {
    matches!(ending, Ending::Trap(trap) if trap.kind == TrapKind::BadPointer)
}
