//! The table of WASI functions, and the only use of wasmtime-wasi's generated functions.
//!
//! Those functions are public but promised to nobody, so the version is pinned and everything that touches them is here: the names and
//! signatures that modules may import, and the call of an inner function by its row. Functions marked `own` are carried out entirely by
//! this crate; the others may be intercepted before they get here. This file holds no policy.

use crate::errno::{Answer, Errno, Stop};
use crate::memory::word;
use crate::wait::{Offload, Waiter};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use wasmrt_model::backend::Ending;
use wasmrt_model::{Access, Trap, TrapKind, ValueType};
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p0::wasi_unstable;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::wasi_snapshot_preview1::{self as snapshot, WasiSnapshotPreview1 as _};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder, WasiView};
use wiggle::{GuestError, GuestMemory};

/// How many bytes an inner call may copy out of the guest's memory.
const COPY_BOUND: usize = 128 << 20;

/// Which of the two versions of WASI a module was built for. They differ in four functions' layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Abi {
    /// `wasi_snapshot_preview1`.
    Snapshot1,
    /// `wasi_unstable`.
    Unstable,
}

impl Abi {
    /// The module names that are offered.
    pub(crate) const MODULES: [(&str, Self); 2] =
        [("wasi_snapshot_preview1", Self::Snapshot1), ("wasi_unstable", Self::Unstable)];

    /// The ABI of an imported module name.
    pub(crate) fn of_module(name: &str) -> Option<Self> {
        Self::MODULES.iter().find(|(module, _)| *module == name).map(|(_, abi)| *abi)
    }
}

/// The arguments of an inner call, taken in order.
struct Args<'a>(std::slice::Iter<'a, u64>);

impl Args<'_> {
    fn next(&mut self) -> u64 {
        self.0.next().copied().unwrap_or_default()
    }
}

macro_rules! value_type {
    (i32) => {
        ValueType::I32
    };
    (i64) => {
        ValueType::I64
    };
}

macro_rules! argument {
    ($args:ident i32) => {
        word($args.next()).cast_signed()
    };
    ($args:ident i64) => {
        $args.next().cast_signed()
    };
}

macro_rules! inner_call {
    (own $module:ident $name:ident $call:tt) => { Err(wiggle::error::Error::msg(concat!(stringify!($name), " has no inner function"))) };
    (sync $module:ident $name:ident ($context:ident, $memory:ident, $args:ident, $($param:ident)*)) => {
        $module::$name($context, $memory, $(argument!($args $param)),*)
    };
    (wait $module:ident $name:ident ($context:ident, $memory:ident, $args:ident, $($param:ident)*)) => {
        $module::$name($context, $memory, $(argument!($args $param)),*).await
    };
}

macro_rules! functions {
    ($($variant:ident $name:ident($($param:ident)*) $way:ident;)*) => {
        /// A function of WASI.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
        pub(crate) enum Function { $($variant,)* }

        impl Function {
            /// Every function, in the order of the specification.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name in imports.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($name),)* }
            }

            /// What it takes.
            pub(crate) fn params(self) -> &'static [ValueType] {
                match self { $(Self::$variant => &[$(value_type!($param),)*],)* }
            }
        }

        async fn call_inner(
            context: &mut WasiP1Ctx,
            function: Function,
            abi: Abi,
            memory: &mut GuestMemory<'_>,
            args: &[u64],
        ) -> wiggle::error::Result<i32> {
            let mut args = Args(args.iter());
            if abi == Abi::Unstable {
                match function {
                    Function::FdSeek => {
                        return inner_call!(wait wasi_unstable fd_seek (context, memory, args, i32 i64 i32 i32));
                    }
                    Function::FdFilestatGet => {
                        return inner_call!(wait wasi_unstable fd_filestat_get (context, memory, args, i32 i32));
                    }
                    Function::PathFilestatGet => {
                        return inner_call!(wait wasi_unstable path_filestat_get (context, memory, args, i32 i32 i32 i32 i32));
                    }
                    _ => {}
                }
            }
            match function {
                $(Function::$variant => inner_call!($way snapshot $name (context, memory, args, $($param)*)),)*
            }
        }
    };
}

functions! {
    ArgsGet args_get(i32 i32) sync;
    ArgsSizesGet args_sizes_get(i32 i32) sync;
    EnvironGet environ_get(i32 i32) sync;
    EnvironSizesGet environ_sizes_get(i32 i32) sync;
    ClockResGet clock_res_get(i32 i32) own;
    ClockTimeGet clock_time_get(i32 i64 i32) own;
    FdAdvise fd_advise(i32 i64 i64 i32) wait;
    FdAllocate fd_allocate(i32 i64 i64) sync;
    FdClose fd_close(i32) wait;
    FdDatasync fd_datasync(i32) wait;
    FdFdstatGet fd_fdstat_get(i32 i32) wait;
    FdFdstatSetFlags fd_fdstat_set_flags(i32 i32) sync;
    FdFdstatSetRights fd_fdstat_set_rights(i32 i64 i64) sync;
    FdFilestatGet fd_filestat_get(i32 i32) wait;
    FdFilestatSetSize fd_filestat_set_size(i32 i64) wait;
    FdFilestatSetTimes fd_filestat_set_times(i32 i64 i64 i32) wait;
    FdPread fd_pread(i32 i32 i32 i64 i32) wait;
    FdPrestatGet fd_prestat_get(i32 i32) sync;
    FdPrestatDirName fd_prestat_dir_name(i32 i32 i32) sync;
    FdPwrite fd_pwrite(i32 i32 i32 i64 i32) wait;
    FdRead fd_read(i32 i32 i32 i32) wait;
    FdReaddir fd_readdir(i32 i32 i32 i64 i32) wait;
    FdRenumber fd_renumber(i32 i32) wait;
    FdSeek fd_seek(i32 i64 i32 i32) wait;
    FdSync fd_sync(i32) wait;
    FdTell fd_tell(i32 i32) sync;
    FdWrite fd_write(i32 i32 i32 i32) wait;
    PathCreateDirectory path_create_directory(i32 i32 i32) wait;
    PathFilestatGet path_filestat_get(i32 i32 i32 i32 i32) wait;
    PathFilestatSetTimes path_filestat_set_times(i32 i32 i32 i32 i64 i64 i32) wait;
    PathLink path_link(i32 i32 i32 i32 i32 i32 i32) wait;
    PathOpen path_open(i32 i32 i32 i32 i32 i64 i64 i32 i32) wait;
    PathReadlink path_readlink(i32 i32 i32 i32 i32 i32) wait;
    PathRemoveDirectory path_remove_directory(i32 i32 i32) wait;
    PathRename path_rename(i32 i32 i32 i32 i32 i32) wait;
    PathSymlink path_symlink(i32 i32 i32 i32 i32) wait;
    PathUnlinkFile path_unlink_file(i32 i32 i32) wait;
    PollOneoff poll_oneoff(i32 i32 i32 i32) own;
    ProcExit proc_exit(i32) own;
    ProcRaise proc_raise(i32) own;
    SchedYield sched_yield() own;
    RandomGet random_get(i32 i32) own;
    SockAccept sock_accept(i32 i32 i32) own;
    SockRecv sock_recv(i32 i32 i32 i32 i32 i32) own;
    SockSend sock_send(i32 i32 i32 i32 i32) own;
    SockShutdown sock_shutdown(i32 i32) own;
    SockOpen sock_open(i32 i32 i32) own;
    SockBind sock_bind(i32 i32 i32) own;
    SockListen sock_listen(i32 i32) own;
    SockAcceptV1 sock_accept(i32 i32) own;
    SockConnect sock_connect(i32 i32 i32) own;
    SockRecvFrom sock_recv_from(i32 i32 i32 i32 i32 i32 i32) own;
    SockRecvFromV2 sock_recv_from(i32 i32 i32 i32 i32 i32 i32 i32) own;
    SockSendTo sock_send_to(i32 i32 i32 i32 i32 i32 i32) own;
    SockGetsockopt sock_getsockopt(i32 i32 i32 i32 i32) own;
    SockSetsockopt sock_setsockopt(i32 i32 i32 i32 i32) own;
    SockGetlocaladdr sock_getlocaladdr(i32 i32 i32 i32) own;
    SockGetlocaladdrV2 sock_getlocaladdr(i32 i32 i32) own;
    SockGetpeeraddr sock_getpeeraddr(i32 i32 i32 i32) own;
    SockGetpeeraddrV2 sock_getpeeraddr(i32 i32 i32) own;
    SockGetaddrinfo sock_getaddrinfo(i32 i32 i32 i32 i32 i32 i32 i32) own;
}

impl Function {
    /// Whether it is one of those that are about sockets alone, which are the last of the table.
    pub(crate) fn is_of_sockets(self) -> bool {
        self >= Self::SockAccept
    }

    /// The functions of this name, as far as this ABI has them: one, or the forms of one that WasmEdge tells apart by their signatures.
    pub(crate) fn of_name(abi: Abi, name: &str) -> impl Iterator<Item = Self> {
        // WasmEdge's newer forms have names of their own as well.
        let plain = name.strip_suffix("_v2").filter(|plain| plain.starts_with("sock_"));
        let all = Self::ALL.iter().copied();
        all.filter(move |function| match plain {
            Some(plain) => function.name() == plain && function.has_v2_name(),
            None => function.name() == name,
        })
        .filter(move |function| abi == Abi::Snapshot1 || !function.is_newer())
    }

    /// Whether it came after `wasi_unstable`: accepting connections, and all of WasmEdge's.
    fn is_newer(self) -> bool {
        let position = |wanted: Self| Self::ALL.iter().position(|function| *function == wanted);
        self == Self::SockAccept || position(self) > position(Self::SockShutdown)
    }

    /// Whether WasmEdge has it under a name with `_v2` behind it.
    fn has_v2_name(self) -> bool {
        matches!(
            self,
            Self::SockOpen
                | Self::SockBind
                | Self::SockListen
                | Self::SockAccept
                | Self::SockConnect
                | Self::SockRecv
                | Self::SockRecvFromV2
                | Self::SockSend
                | Self::SockSendTo
                | Self::SockGetlocaladdrV2
                | Self::SockGetpeeraddrV2
        )
    }

    /// What it returns: an error number, but for the one function that does not return.
    pub(crate) fn results(self) -> &'static [ValueType] {
        if self == Self::ProcExit { &[] } else { &[ValueType::I32] }
    }

    /// Whether the inner function moves data between a file and the guest's memory without a copy of ours.
    fn transfers(self) -> bool {
        matches!(self, Self::FdRead | Self::FdPread | Self::FdWrite | Self::FdPwrite)
    }
}

/// Gathers what the inner context starts with.
pub(crate) struct Preview1Builder {
    builder: WasiCtxBuilder,
    inline: bool,
}

impl Preview1Builder {
    /// A context without arguments, variables and preopens, whose own standard streams lead nowhere.
    pub(crate) fn new(args: &[String], env: &[(String, String)], inline: bool) -> Self {
        let mut builder = WasiCtxBuilder::new();
        // This has to come first: each preopen takes the setting over.
        builder.allow_blocking_current_thread(inline);
        builder.args(args).envs(env);
        Self { builder, inline }
    }

    /// Adds a preopened directory; descriptors are numbered in the order of these calls, from 3.
    ///
    /// # Errors
    /// The operating system's, from opening the directory.
    pub(crate) fn preopen(&mut self, host: &Path, guest: &str, access: Access) -> Result<(), std::io::Error> {
        let perms = match access {
            Access::ReadOnly => FsPerms::ReadOnly,
            Access::ReadWrite => FsPerms::ReadWrite,
        };
        self.builder.preopened_dir(host, guest, perms).map(|_| ()).map_err(|error| {
            match error.downcast::<std::io::Error>() {
                Ok(error) => error,
                Err(other) => std::io::Error::other(other.to_string()),
            }
        })
    }

    pub(crate) fn build(mut self) -> Preview1 {
        let offload = if self.inline { None } else { Some(Offload::default()) };
        Preview1 { context: self.builder.build_p1(), offload, has_descriptors: false }
    }
}

/// The inner context.
pub(crate) struct Preview1 {
    context: WasiP1Ctx,
    offload: Option<Offload>,
    has_descriptors: bool,
}

impl std::fmt::Debug for Preview1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Preview1").field("inline", &self.offload.is_none()).finish_non_exhaustive()
    }
}

impl Preview1 {
    /// Carries out a function. `Ok` means that its error number is 0.
    pub(crate) fn call(
        &mut self,
        function: Function,
        abi: Abi,
        memory: &mut [u8],
        args: &[u64],
        waiter: &Waiter,
    ) -> Answer {
        // Transfers allocate nothing that grows with the guest's buffers, or at most their size on the way to a file thread.
        self.context.set_hostcall_fuel(if function.transfers() { usize::MAX } else { COPY_BOUND });
        let mut memory = GuestMemory::Unshared(memory);
        let future = pin!(call_inner(&mut self.context, function, abi, &mut memory, args));
        let returned = match &mut self.offload {
            Some(offload) => offload.block_on(future, waiter)?,
            None => match future.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(returned) => returned,
                // With blocking allowed and our own streams nothing inside ever waits.
                Poll::Pending => Err(wiggle::error::Error::msg(format!("{} would have to wait", function.name()))),
            },
        };
        match returned {
            Ok(0) => Ok(()),
            Ok(errno) => Err(u16::try_from(errno).map_or(Errno::IO, Errno).into()),
            Err(error) => Err(classify(function, &error)),
        }
    }
}

impl Preview1 {
    /// Opens a file or directory, and says which device it is on, which the inner function keeps to itself.
    pub(crate) fn open(&mut self, abi: Abi, memory: &mut [u8], args: &[u64], waiter: &Waiter) -> Answer<u64> {
        if !std::mem::replace(&mut self.has_descriptors, true) {
            // The inner context makes its own descriptors when it is called for the first time, whatever for.
            let nobodys = u64::from(u32::MAX);
            let _ = self.call(Function::FdClose, Abi::Snapshot1, &mut [], &[nobodys], waiter);
        }
        let place = self.next_place()?;
        self.call(Function::PathOpen, abi, memory, args, waiter)?;
        let table = self.context.ctx().table;
        let opened = table.get_any_mut(place).map_err(|_| Errno::IO)?;
        let file = match opened.downcast_ref::<Descriptor>().ok_or(Errno::IO)? {
            Descriptor::File(file) => &file.file,
            Descriptor::Dir(directory) => &directory.dir,
        };
        Ok(file.metadata().map_err(|_| Errno::IO)?.dev())
    }

    /// Where the next thing is kept that is opened: the place that was given back last, which is that of something that comes and goes here.
    fn next_place(&mut self) -> Answer<u32> {
        let table = self.context.ctx().table;
        let passing = table.push(()).map_err(|_| Errno::NFILE)?;
        let place = passing.rep();
        table.delete(passing).map_err(|_| Errno::IO)?;
        Ok(place)
    }
}

/// What a failure that is no error number means.
fn classify(function: Function, error: &wiggle::error::Error) -> Stop {
    let mut guest = error.downcast_ref::<GuestError>();
    while let Some(GuestError::InFunc { err, .. }) = guest {
        guest = Some(err);
    }
    match guest {
        Some(GuestError::InvalidFlagValue(_) | GuestError::InvalidEnumValue(_) | GuestError::TryFromIntError(_)) => {
            Errno::INVAL.into()
        }
        Some(GuestError::InvalidUtf8(_)) => Errno::ILSEQ.into(),
        Some(pointer) => Stop::bad_pointer(format!("{}: {pointer}", function.name())),
        None => Stop::End(Ending::Trap(
            Trap::new(TrapKind::HostFunction).with_detail(format!("{}: {error:#}", function.name())),
        )),
    }
}
