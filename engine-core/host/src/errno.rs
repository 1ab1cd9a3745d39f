//! The error numbers that guests see, and how host functions stop: with such a number, or with the guest's end.
//!
//! Both WASI versions use the same numbers. Which error a case deserves is decided where it happens, not here.

use rustix::io::Errno as Os;
use wasmrt_model::backend::Ending;
use wasmrt_model::{Error, Trap, TrapKind};

/// An error number of WASI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) u16);

impl Errno {
    pub(crate) const ACCES: Self = Self(2);
    pub(crate) const ADDRINUSE: Self = Self(3);
    pub(crate) const ADDRNOTAVAIL: Self = Self(4);
    pub(crate) const AFNOSUPPORT: Self = Self(5);
    pub(crate) const AGAIN: Self = Self(6);
    pub(crate) const ALREADY: Self = Self(7);
    pub(crate) const BADF: Self = Self(8);
    pub(crate) const BUSY: Self = Self(10);
    pub(crate) const CONNABORTED: Self = Self(13);
    pub(crate) const CONNREFUSED: Self = Self(14);
    pub(crate) const CONNRESET: Self = Self(15);
    pub(crate) const DESTADDRREQ: Self = Self(17);
    pub(crate) const DOM: Self = Self(18);
    pub(crate) const DQUOT: Self = Self(19);
    pub(crate) const EXIST: Self = Self(20);
    pub(crate) const FBIG: Self = Self(22);
    pub(crate) const HOSTUNREACH: Self = Self(23);
    pub(crate) const ILSEQ: Self = Self(25);
    pub(crate) const INPROGRESS: Self = Self(26);
    pub(crate) const INTR: Self = Self(27);
    pub(crate) const INVAL: Self = Self(28);
    pub(crate) const IO: Self = Self(29);
    pub(crate) const ISCONN: Self = Self(30);
    pub(crate) const ISDIR: Self = Self(31);
    pub(crate) const MFILE: Self = Self(33);
    pub(crate) const MSGSIZE: Self = Self(35);
    pub(crate) const NAMETOOLONG: Self = Self(37);
    pub(crate) const NETDOWN: Self = Self(38);
    pub(crate) const NETRESET: Self = Self(39);
    pub(crate) const NETUNREACH: Self = Self(40);
    pub(crate) const NFILE: Self = Self(41);
    pub(crate) const NOBUFS: Self = Self(42);
    pub(crate) const NOENT: Self = Self(44);
    pub(crate) const NOMEM: Self = Self(48);
    pub(crate) const NOPROTOOPT: Self = Self(50);
    pub(crate) const NOSPC: Self = Self(51);
    pub(crate) const NOSYS: Self = Self(52);
    pub(crate) const NOTCONN: Self = Self(53);
    pub(crate) const NOTDIR: Self = Self(54);
    pub(crate) const NOTSOCK: Self = Self(57);
    pub(crate) const NOTSUP: Self = Self(58);
    pub(crate) const NXIO: Self = Self(60);
    pub(crate) const OVERFLOW: Self = Self(61);
    pub(crate) const PERM: Self = Self(63);
    pub(crate) const PIPE: Self = Self(64);
    pub(crate) const PROTO: Self = Self(65);
    pub(crate) const PROTOTYPE: Self = Self(67);
    pub(crate) const ROFS: Self = Self(69);
    pub(crate) const SPIPE: Self = Self(70);
    pub(crate) const TIMEDOUT: Self = Self(73);
    pub(crate) const XDEV: Self = Self(75);
    // WasmEdge's own, of getaddrinfo.
    pub(crate) const AIBADFLAG: Self = Self(79);
    pub(crate) const AIFAMILY: Self = Self(81);
    pub(crate) const AIMEMORY: Self = Self(82);
    pub(crate) const AINODATA: Self = Self(83);
    pub(crate) const AINONAME: Self = Self(84);
    pub(crate) const AISERVICE: Self = Self(85);
    pub(crate) const AISOCKTYPE: Self = Self(86);

    /// What a failed call of the system on a stream or socket is to the guest.
    pub(crate) fn from_os(error: Os) -> Self {
        match error {
            Os::ACCESS => Self::ACCES,
            Os::ADDRINUSE => Self::ADDRINUSE,
            Os::ADDRNOTAVAIL => Self::ADDRNOTAVAIL,
            Os::AFNOSUPPORT => Self::AFNOSUPPORT,
            Os::AGAIN => Self::AGAIN,
            Os::ALREADY => Self::ALREADY,
            Os::BADF => Self::BADF,
            Os::CONNABORTED => Self::CONNABORTED,
            Os::CONNREFUSED => Self::CONNREFUSED,
            Os::CONNRESET => Self::CONNRESET,
            Os::DESTADDRREQ => Self::DESTADDRREQ,
            Os::DQUOT => Self::DQUOT,
            Os::FBIG => Self::FBIG,
            Os::HOSTUNREACH => Self::HOSTUNREACH,
            Os::INPROGRESS => Self::INPROGRESS,
            Os::INTR => Self::INTR,
            Os::INVAL => Self::INVAL,
            Os::ISCONN => Self::ISCONN,
            Os::ISDIR => Self::ISDIR,
            Os::MFILE => Self::MFILE,
            Os::MSGSIZE => Self::MSGSIZE,
            Os::NETDOWN => Self::NETDOWN,
            Os::NETRESET => Self::NETRESET,
            Os::NETUNREACH => Self::NETUNREACH,
            Os::NFILE => Self::NFILE,
            Os::NOBUFS => Self::NOBUFS,
            Os::NOMEM => Self::NOMEM,
            Os::NOPROTOOPT => Self::NOPROTOOPT,
            Os::NOSPC => Self::NOSPC,
            Os::NOTCONN => Self::NOTCONN,
            Os::NXIO => Self::NXIO,
            Os::OPNOTSUPP => Self::NOTSUP,
            Os::PERM => Self::PERM,
            Os::PIPE => Self::PIPE,
            Os::PROTO => Self::PROTO,
            Os::PROTOTYPE => Self::PROTOTYPE,
            Os::TIMEDOUT => Self::TIMEDOUT,
            _ => Self::IO,
        }
    }
}

/// Why a host function did not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The guest is told, and goes on.
    Errno(Errno),
    /// The guest is told that it may not, and the report why.
    Denied(String),
    /// The guest ends.
    End(Ending),
}

impl Stop {
    /// The guest passed a pointer that lies outside its memory, or is not aligned as its type demands.
    pub(crate) fn bad_pointer(detail: impl Into<String>) -> Self {
        Self::End(Ending::Trap(Trap::new(TrapKind::BadPointer).with_detail(detail)))
    }
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<Ending> for Stop {
    fn from(ending: Ending) -> Self {
        Self::End(ending)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::End(Ending::Failed(error))
    }
}

/// What a host function comes to.
pub(crate) type Answer<T = ()> = Result<T, Stop>;
