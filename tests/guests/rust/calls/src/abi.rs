//! The numbers and layouts of the interface, for both editions.

/// The two editions, which differ in a few layouts.
#[derive(Clone, Copy, PartialEq)]
#[allow(dead_code, reason = "each program speaks one of both")]
pub enum Edition {
    /// `wasi_snapshot_preview1`.
    Preview1,
    /// `wasi_unstable`.
    Unstable,
}

const ERRNOS: [&str; 88] = [
    "ok",
    "2big",
    "acces",
    "addrinuse",
    "addrnotavail",
    "afnosupport",
    "again",
    "already",
    "badf",
    "badmsg",
    "busy",
    "canceled",
    "child",
    "connaborted",
    "connrefused",
    "connreset",
    "deadlk",
    "destaddrreq",
    "dom",
    "dquot",
    "exist",
    "fault",
    "fbig",
    "hostunreach",
    "idrm",
    "ilseq",
    "inprogress",
    "intr",
    "inval",
    "io",
    "isconn",
    "isdir",
    "loop",
    "mfile",
    "mlink",
    "msgsize",
    "multihop",
    "nametoolong",
    "netdown",
    "netreset",
    "netunreach",
    "nfile",
    "nobufs",
    "nodev",
    "noent",
    "noexec",
    "nolck",
    "nolink",
    "nomem",
    "nomsg",
    "noprotoopt",
    "nospc",
    "nosys",
    "notconn",
    "notdir",
    "notempty",
    "notrecoverable",
    "notsock",
    "notsup",
    "notty",
    "nxio",
    "overflow",
    "ownerdead",
    "perm",
    "pipe",
    "proto",
    "protonosupport",
    "prototype",
    "range",
    "rofs",
    "spipe",
    "srch",
    "stale",
    "timedout",
    "txtbsy",
    "xdev",
    "notcapable",
    // The rest is WasmEdge's, for its resolver.
    "aiaddrfamily",
    "aiagain",
    "aibadflag",
    "aifail",
    "aifamily",
    "aimemory",
    "ainodata",
    "ainoname",
    "aiservice",
    "aisocktype",
    "aisystem",
];

/// The name of an error number; "ok" for 0.
pub fn errno(number: i32) -> String {
    usize::try_from(number)
        .ok()
        .and_then(|index| ERRNOS.get(index))
        .map_or(format!("errno-{number}"), |name| (*name).to_owned())
}

/// The name of a file type.
pub fn file_type(number: u8) -> &'static str {
    const TYPES: [&str; 8] = ["unknown", "block", "char", "dir", "file", "dgram", "stream", "symlink"];
    TYPES.get(usize::from(number)).copied().unwrap_or("no-such-type")
}

/// Which flag words set which bits.
pub type Flags = &'static [(&'static str, u64)];

/// `oflags` of path_open.
pub const OPEN: Flags = &[("creat", 1), ("dir", 2), ("excl", 4), ("trunc", 8)];
/// Descriptor flags.
pub const DESCRIPTOR: Flags = &[("append", 1), ("dsync", 2), ("nonblock", 4), ("rsync", 8), ("sync", 16)];
/// Flags of the functions that set times.
pub const TIMES: Flags = &[("atim", 1), ("atim-now", 2), ("mtim", 4), ("mtim-now", 8)];
/// Rights that path_open asks for; `all` asks for everything there is.
pub const RIGHTS: Flags = &[("r", READ), ("w", WRITE), ("rw", READ | WRITE), ("all", (1 << 30) - 1), ("none", 0)];

const READ: u64 = 1 << 1 | 1 << 2 | 1 << 5 | 1 << 14 | 1 << 21 | 1 << 27 | 1 << 18;
const WRITE: u64 = 1 | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 21 | 1 << 22 | 1 << 23 | 1 << 27;

/// `set`, `cur` and `end`, which the editions number differently.
pub fn whence(edition: Edition, word: &str) -> Option<i32> {
    let index = ["set", "cur", "end"].iter().position(|name| *name == word)?;
    Some(match edition {
        Edition::Preview1 => [0, 1, 2][index],
        Edition::Unstable => [2, 0, 1][index],
    })
}

/// Offsets within a filestat.
pub struct Filestat {
    /// The type.
    pub file_type: usize,
    /// The number of links, and whether it has 64 bits.
    pub links: (usize, bool),
    /// The size.
    pub size: usize,
    /// The time of the last access.
    pub accessed: usize,
    /// The time of the last modification.
    pub modified: usize,
}

/// Where the parts of a filestat lie.
pub const fn filestat(edition: Edition) -> Filestat {
    match edition {
        Edition::Preview1 => Filestat { file_type: 16, links: (24, true), size: 32, accessed: 40, modified: 48 },
        Edition::Unstable => Filestat { file_type: 16, links: (20, false), size: 24, accessed: 32, modified: 40 },
    }
}

/// The size of a subscription, and where its clock's timeout and flags lie.
pub const fn subscription(edition: Edition) -> (usize, usize, usize) {
    match edition {
        Edition::Preview1 => (48, 24, 40),
        // The clock of wasi_unstable carries an identifier of its own in front.
        Edition::Unstable => (56, 32, 48),
    }
}
