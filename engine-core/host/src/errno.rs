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
    pub(crate) const AGAIN: Self = Self(6);
    pub(crate) const BADF: Self = Self(8);
    pub(crate) const BUSY: Self = Self(10);
    pub(crate) const EXIST: Self = Self(20);
    pub(crate) const ILSEQ: Self = Self(25);
    pub(crate) const INVAL: Self = Self(28);
    pub(crate) const IO: Self = Self(29);
    pub(crate) const ISDIR: Self = Self(31);
    pub(crate) const NAMETOOLONG: Self = Self(37);
    pub(crate) const NFILE: Self = Self(41);
    pub(crate) const NOENT: Self = Self(44);
    pub(crate) const NOMEM: Self = Self(48);
    pub(crate) const NOTDIR: Self = Self(54);
    pub(crate) const NOTSOCK: Self = Self(57);
    pub(crate) const NOTSUP: Self = Self(58);
    pub(crate) const OVERFLOW: Self = Self(61);
    pub(crate) const PERM: Self = Self(63);
    pub(crate) const ROFS: Self = Self(69);
    pub(crate) const XDEV: Self = Self(75);

    /// What a failed read or write of a standard stream is to the guest.
    pub(crate) fn from_os(error: Os) -> Self {
        Self(match error {
            Os::AGAIN => return Self::AGAIN,
            Os::BADF => return Self::BADF,
            Os::INVAL => return Self::INVAL,
            Os::ISDIR => return Self::ISDIR,
            Os::NOMEM => return Self::NOMEM,
            Os::PERM => return Self::PERM,
            Os::ACCESS => 2,
            Os::CONNRESET => 15,
            Os::DQUOT => 19,
            Os::FBIG => 22,
            Os::INTR => 27,
            Os::NOSPC => 51,
            Os::NXIO => 60,
            Os::PIPE => 64,
            _ => return Self::IO,
        })
    }
}

/// Why a host function did not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The guest is told, and goes on.
    Errno(Errno),
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
