//! One guest's host: carries out its host calls.
//!
//! Decides for each function who does it: the streams, the clocks, the quotas, the preopened files, or the inner context. Holds no engine.

use crate::clock::{Clocks, Id};
use crate::descriptors::{Descriptor, Descriptors};
use crate::errno::{Answer, Errno, Stop};
use crate::file_preopens::FileDirectory;
use crate::kernel_files::KernelFiles;
use crate::listing::Listings;
use crate::memory::{Scratch, aligned, buffers, first_buffer, range, read_u32, text, word, write_u32, write_u64};
use crate::numbers::Numbers;
use crate::preopens::{self, Preopens, Shown};
use crate::preview1::{Abi, Function, Preview1, Preview1Builder};
use crate::random::Source;
use crate::refusals::{Refusals, quoted};
use crate::resources::{Blocking, Counters, Resources};
use crate::sockets::{Around, Sockets};
use crate::streams::{Stream, Streams};
use crate::wait::Waiter;
use std::fmt;
use std::sync::atomic::Ordering;
use wasmrt_model::backend::{Ending, HostFunctions, ImportedFunction};
use wasmrt_model::units::Bytes;
use wasmrt_model::{Error, ErrorKind, Limit, Result, RunPlan};

/// The flags of path_open and of rights that the host looks at; the same in both versions of WASI.
pub(crate) mod open_flags {
    pub(crate) const CREATE: u32 = 1;
    pub(crate) const DIRECTORY: u32 = 2;
    pub(crate) const EXCLUSIVE: u32 = 4;
    pub(crate) const TRUNCATE: u32 = 8;
    pub(crate) const APPEND: u32 = 1;
    pub(crate) const NONBLOCK: u32 = 4;
    pub(crate) const RIGHT_FD_READ: u64 = 1 << 1;
    pub(crate) const RIGHT_FD_WRITE: u64 = 1 << 6;
}

const CHARACTER_DEVICE_TYPE: u8 = 2;

/// How guests are told how many sockets they were given, from descriptor 3 on.
const LISTEN_FDS: &str = "LISTEN_FDS";

/// The most that a function takes.
const MAX_ARGS: usize = 9;

/// The longest path, as on Linux.
const MAX_PATH: u32 = 4096;

/// The host of one guest.
pub struct Host {
    functions: Vec<(Function, Abi)>,
    pub(crate) inner: Preview1,
    pub(crate) numbers: Numbers,
    pub(crate) descriptors: Descriptors,
    pub(crate) sockets: Sockets,
    pub(crate) streams: Streams,
    pub(crate) clocks: Clocks,
    random: Source,
    pub(crate) file_directories: Vec<FileDirectory>,
    pub(crate) listings: Listings,
    preopens: Vec<String>,
    pub(crate) written_bytes: u64,
    pub(crate) written_limit: Limit<Bytes>,
    memory_bytes: u64,
    pub(crate) counters: Box<dyn AsRef<Counters> + Send + Sync>,
    pub(crate) waiter: Waiter,
    pub(crate) scratch: Scratch,
    refusals: Refusals,
    pub(crate) kernel_files: KernelFiles,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("descriptors", &self.descriptors)
            .field("streams", &self.streams)
            .field("clocks", &self.clocks)
            .field("preopens", &self.preopens)
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl Host {
    /// The host that a plan describes, its preopens opened. `imports` are what [`link`](crate::link) returned.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied` or `InvalidInput` for a preopen, naming it; `LimitExceeded` when there are more preopens than
    /// open_files allows; `MissingImports` for an import that is not in the table; `InvalidInput` for a clock that cannot be.
    pub fn new(plan: &RunPlan, resources: Resources, imports: &[ImportedFunction]) -> Result<Self> {
        let functions = imports.iter().map(function).collect::<Result<_>>()?;
        let inline = resources.blocking == Blocking::Inline;
        let mut env = plan.env().to_vec();
        if !resources.listeners.is_empty() && !env.iter().any(|(name, _)| name == LISTEN_FDS) {
            env.push((LISTEN_FDS.to_owned(), resources.listeners.len().to_string()));
        }
        let mut builder = Preview1Builder::new(plan.args(), &env, inline);
        let kernel_files = if plan.preopens().is_empty() { KernelFiles::default() } else { KernelFiles::find()? };
        let Preopens { shown, directories } =
            preopens::open(plan.preopens(), resources.host_root, &kernel_files, &mut builder)?;
        let limits = plan.limits();
        let mut descriptors = Descriptors::new(limits.open_files);
        let mut numbers = Numbers::default();
        for stream in 0..3 {
            numbers.add(stream);
        }
        let (sockets, listeners) = Sockets::new(resources.network, resources.listeners, limits);
        for key in listeners {
            descriptors.insert(key, Descriptor::Socket);
            numbers.add(key);
        }
        let mut preopens = Vec::new();
        for (fd, shown) in (3u32..).zip(&shown) {
            numbers.add(fd);
            descriptors.insert(
                fd,
                match shown {
                    Shown::Directory { guest } => {
                        preopens.push(guest.clone());
                        Descriptor::Directory { preopen: preopens.len() - 1 }
                    }
                    Shown::Files { directory } => Descriptor::FileDirectory { directory: *directory },
                },
            );
        }
        if let Some(limit) = limits.open_files.bound()
            && u64::try_from(descriptors.len()).unwrap_or(u64::MAX) > limit.0
        {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("the guest starts with {} open files, and open_files is {limit}", descriptors.len()),
            )
            .with_hint("raise open_files or give fewer preopens"));
        }
        let stdio = plan.stdio();
        let fds = [resources.stdin, resources.stdout, resources.stderr];
        Ok(Self {
            functions,
            inner: builder.build(),
            numbers,
            descriptors,
            sockets,
            streams: Streams::new(fds, [&stdio.stdout, &stdio.stderr], limits.output_bytes),
            clocks: Clocks::new(*plan.clock(), inline)?,
            random: Source::new(*plan.random())?,
            file_directories: directories,
            listings: Listings::default(),
            preopens,
            written_bytes: 0,
            written_limit: limits.written_bytes,
            memory_bytes: 0,
            counters: resources.counters,
            waiter: Waiter { deadline: resources.deadline, cancel: resources.cancel },
            scratch: Scratch::default(),
            refusals: Refusals::default(),
            kernel_files,
        })
    }

    /// A handle on what this host refuses; it stays valid when the host is gone.
    #[must_use]
    pub fn refusals(&self) -> Refusals {
        self.refusals.clone()
    }

    fn carry_out(&mut self, function: Function, abi: Abi, memory: &mut [u8], args: &[u64]) -> Answer {
        match function {
            Function::ProcExit => return Err(Ending::Exit(word(args[0])).into()),
            // There are no signals: a guest that wants to end has proc_exit, and one that wants to crash can trap.
            Function::ProcRaise => return Err(Errno::NOTSUP.into()),
            Function::SchedYield => return Ok(()),
            Function::ClockTimeGet => {
                aligned(memory, word(args[2]), 8, 8)?;
                let now = self.clocks.now(Id::from_number(word(args[0]))?)?;
                return write_u64(memory, word(args[2]), now);
            }
            Function::ClockResGet => {
                let resolution = self.clocks.resolution(Id::from_number(word(args[0]))?)?;
                return write_u64(memory, word(args[1]), resolution);
            }
            Function::RandomGet => {
                let place = range(memory, word(args[0]), word(args[1]))?;
                return self.random.fill(&mut memory[place], &self.waiter);
            }
            Function::PollOneoff => return self.poll_oneoff(abi, memory, args),
            _ => {}
        }
        if matches!(function, Function::SockOpen | Function::SockGetaddrinfo) {
            return self.on_sockets(function, memory, args);
        }
        check_paths(function, memory, args)?;
        match function {
            Function::FdClose => return self.close(word(args[0])),
            Function::FdRenumber => return self.renumber(word(args[0]), word(args[1])),
            _ => {}
        }
        let places = descriptor_args(function);
        let mut keyed = [0; MAX_ARGS];
        let keyed = &mut keyed[..args.len()];
        keyed.copy_from_slice(args);
        for place in places {
            keyed[*place] = u64::from(self.numbers.key(word(args[*place]))?);
        }
        self.on_keys(function, abi, memory, keyed, places)?;
        if function == Function::PathOpen {
            // What was opened has a key so far.
            let opened_at = word(args[8]);
            let number = self.numbers.add(read_u32(memory, opened_at)?);
            write_u32(memory, opened_at, number)?;
        }
        Ok(())
    }

    /// The functions on descriptors, which are named by their keys from here on.
    fn on_keys(&mut self, function: Function, abi: Abi, memory: &mut [u8], args: &[u64], places: &[usize]) -> Answer {
        for place in places {
            if let Descriptor::FileDirectory { directory } = self.descriptors.get(word(args[*place]))?
                && let Some(answer) = self.on_file_directory(function, abi, memory, args, directory)
            {
                return answer;
            }
        }
        match places.first() {
            Some(place) => {
                let descriptor = self.descriptors.get(word(args[*place]))?;
                self.on_descriptor(function, abi, memory, args, descriptor)
            }
            None => self.inner.call(function, abi, memory, args, &self.waiter),
        }
    }

    fn close(&mut self, number: u32) -> Answer {
        let key = self.numbers.key(number)?;
        self.close_key(key)?;
        self.numbers.remove(number);
        Ok(())
    }

    fn close_key(&mut self, key: u32) -> Answer {
        match self.descriptors.get(key)? {
            Descriptor::Socket => self.sockets.close(key),
            _ => self.inner_close(key)?,
        }
        self.descriptors.remove(key);
        self.listings.forget(key);
        Ok(())
    }

    fn renumber(&mut self, from: u32, to: u32) -> Answer {
        self.numbers.key(from)?;
        let replaced = self.numbers.key(to)?;
        if from != to {
            self.close_key(replaced)?;
        }
        self.numbers.rename(from, to)
    }

    /// The functions that make sockets of nothing, or ask for names.
    fn on_sockets(&mut self, function: Function, memory: &mut [u8], args: &[u64]) -> Answer {
        let words = words(args);
        if function == Function::SockGetaddrinfo {
            return self.sockets.resolve(memory, &words[..args.len()]);
        }
        aligned(memory, words[2], 4, 4)?;
        self.descriptors.check_room()?;
        let key = self.sockets.open_numbered(words[0], words[1])?;
        self.add_socket(key, memory, words[2])
    }

    /// The functions on a socket.
    fn on_socket(&mut self, function: Function, abi: Abi, memory: &mut [u8], args: &[u64]) -> Answer {
        let key = word(args[0]);
        let around = Around { waiter: &self.waiter, counters: (*self.counters).as_ref() };
        let (flags, accepted_at) = match function {
            Function::SockAccept => (word(args[1]), word(args[2])),
            Function::SockAcceptV1 => (0, word(args[1])),
            _ if function.is_of_sockets() => {
                let words = words(&args[1..]);
                return self.sockets.call(function, key, memory, &words[..args.len() - 1], &around);
            }
            _ => return self.sockets.call_preview1(function, abi, key, memory, args, &around),
        };
        if flags & !open_flags::NONBLOCK != 0 {
            return Err(Errno::INVAL.into());
        }
        aligned(memory, accepted_at, 4, 4)?;
        self.descriptors.check_room()?;
        let accepted = self.sockets.accept(key, flags != 0, &around)?;
        self.add_socket(accepted, memory, accepted_at)
    }

    /// Gives a number to a socket, and tells the guest.
    fn add_socket(&mut self, key: u32, memory: &mut [u8], at: u32) -> Answer {
        self.descriptors.insert(key, Descriptor::Socket);
        write_u32(memory, at, self.numbers.add(key))
    }

    /// The functions whose descriptors are known to exist.
    fn on_descriptor(
        &mut self,
        function: Function,
        abi: Abi,
        memory: &mut [u8],
        args: &[u64],
        descriptor: Descriptor,
    ) -> Answer {
        match (function, descriptor) {
            (_, Descriptor::Socket) => self.on_socket(function, abi, memory, args),
            _ if function.is_of_sockets() => Err(Errno::NOTSOCK.into()),
            (Function::FdRead, Descriptor::Stream(stream)) => self.read_stream(stream, memory, args),
            (Function::FdWrite, Descriptor::Stream(stream)) => self.write_stream(stream, memory, args),
            (Function::FdFdstatGet, Descriptor::Stream(stream)) => self.stream_status(stream, memory, args),
            (Function::FdFdstatSetFlags, Descriptor::Stream(stream)) => self.set_stream_flags(stream, args),
            (Function::FdFilestatGet, Descriptor::Stream(stream)) => self.stream_stat(stream, abi, memory, args),
            (Function::FdRead | Function::FdPread, Descriptor::File(_)) => self.read_file(function, memory, args),
            (Function::FdWrite | Function::FdPwrite, Descriptor::File(file)) => {
                self.write_file(function, memory, args, file)
            }
            (Function::FdFilestatSetSize, Descriptor::File(file)) => self.resize_file(memory, args, file),
            (Function::FdFdstatSetFlags, Descriptor::File(_)) => self.set_file_flags(memory, args),
            (Function::PathOpen, Descriptor::Directory { preopen }) => self.open_in_directory(memory, args, preopen),
            (Function::FdReaddir, Descriptor::Directory { .. }) => self.read_directory(memory, args),
            (Function::PathRemoveDirectory, Descriptor::Directory { .. }) => self.remove_directory(memory, args),
            _ => self.inner.call(function, abi, memory, args, &self.waiter),
        }
    }

    fn read_stream(&mut self, stream: Stream, memory: &mut [u8], args: &[u64]) -> Answer {
        aligned(memory, word(args[3]), 4, 4)?;
        let buffer = first_buffer(memory, word(args[1]), word(args[2]))?;
        if stream != Stream::Stdin {
            return Err(Errno::BADF.into());
        }
        let count = match buffer {
            None => 0,
            Some((pointer, length)) => {
                let place = range(memory, pointer, length)?;
                self.streams.read(&mut memory[place], &self.waiter)?
            }
        };
        write_u32(memory, word(args[3]), u32::try_from(count).map_err(|_| Errno::OVERFLOW)?)
    }

    fn write_stream(&mut self, stream: Stream, memory: &mut [u8], args: &[u64]) -> Answer {
        aligned(memory, word(args[3]), 4, 4)?;
        let buffers = buffers(memory, word(args[1]), word(args[2]))?;
        if stream == Stream::Stdin {
            return Err(Errno::BADF.into());
        }
        let total = &(*self.counters).as_ref().output_bytes;
        let count = self.streams.write(stream, memory, &buffers, &self.waiter, total)?;
        write_u32(memory, word(args[3]), u32::try_from(count).map_err(|_| Errno::OVERFLOW)?)
    }

    /// The file type of a stream: a character device when it is a terminal, else 0, unknown.
    fn stream_type(&self, stream: Stream) -> u8 {
        if self.streams.is_terminal(stream) { CHARACTER_DEVICE_TYPE } else { 0 }
    }

    fn stream_status(&self, stream: Stream, memory: &mut [u8], args: &[u64]) -> Answer {
        let place = aligned(memory, word(args[1]), 24, 8)?;
        let status = &mut memory[place];
        status.fill(0);
        status[0] = self.stream_type(stream);
        if self.streams.is_nonblocking(stream) {
            status[2] = 4;
        }
        let rights = if stream == Stream::Stdin { open_flags::RIGHT_FD_READ } else { open_flags::RIGHT_FD_WRITE };
        status[8..16].copy_from_slice(&rights.to_le_bytes());
        status[16..24].copy_from_slice(&rights.to_le_bytes());
        Ok(())
    }

    fn set_stream_flags(&mut self, stream: Stream, args: &[u64]) -> Answer {
        let flags = word(args[1]);
        if flags & !(open_flags::APPEND | open_flags::NONBLOCK) != 0 {
            return Err(Errno::INVAL.into());
        }
        self.streams.set_nonblocking(stream, flags & open_flags::NONBLOCK != 0);
        Ok(())
    }

    fn stream_stat(&self, stream: Stream, abi: Abi, memory: &mut [u8], args: &[u64]) -> Answer {
        let size = if abi == Abi::Snapshot1 { 64 } else { 56 };
        let place = aligned(memory, word(args[1]), size, 8)?;
        let stat = &mut memory[place];
        stat.fill(0);
        stat[16] = self.stream_type(stream);
        Ok(())
    }

    /// Notes what the guest was denied, for whoever wonders why it fails.
    fn note(&self, function: Function, memory: &[u8], args: &[u64], errno: Errno) {
        let why = match (errno, function) {
            (Errno::PERM, _) => "outside of the preopen, or it is read-only",
            (Errno::ROFS, _) => "only preopened files exist there",
            (Errno::NFILE, _) if function.is_of_sockets() => "open_sockets or open_files is reached",
            (Errno::NFILE, _) => "open_files is reached",
            (Errno::NOTSUP, Function::ProcRaise) => "there are no signals",
            _ => return,
        };
        self.refusals.add(|| {
            let mut line = function.name().to_owned();
            for (fd, path) in path_args(function) {
                let directory = match self.numbers.key(word(args[*fd])).and_then(|key| self.descriptors.get(key)) {
                    Ok(Descriptor::Directory { preopen }) => self.preopens.get(preopen).map_or("?", String::as_str),
                    Ok(Descriptor::FileDirectory { directory }) => self.file_directories[directory].guest(),
                    _ => "?",
                };
                let path = text(memory, word(args[*path]), word(args[path + 1])).unwrap_or("?");
                line.push_str(&format!(" {} in {}", quoted(path), quoted(directory)));
            }
            format!("{line}: {why}")
        });
    }
}

impl HostFunctions for Host {
    fn call(&mut self, import: usize, memory: &mut [u8], args: &[u64], results: &mut [u64]) -> Result<(), Ending> {
        let unknown = || Error::new(ErrorKind::Internal, "a host function was called that the module does not import");
        let (function, abi) = *self.functions.get(import).ok_or_else(unknown)?;
        if args.len() != function.params().len() || results.len() != function.results().len() {
            return Err(unknown().with_context("function", function.name()).into());
        }
        self.waiter.check_cancel()?;
        let size = u64::try_from(memory.len()).unwrap_or(u64::MAX);
        if size > self.memory_bytes {
            self.memory_bytes = size;
            (*self.counters).as_ref().memory_bytes.store(size, Ordering::Relaxed);
        }
        let errno = match self.carry_out(function, abi, memory, args) {
            Ok(()) => 0,
            Err(Stop::Errno(errno)) => {
                self.note(function, memory, args, errno);
                u64::from(errno.0)
            }
            Err(Stop::Denied(why)) => {
                self.refusals.add(|| format!("{}: {why}", function.name()));
                u64::from(Errno::ACCES.0)
            }
            Err(Stop::End(ending)) => return Err(ending),
        };
        if let Some(result) = results.first_mut() {
            *result = errno;
        }
        Ok(())
    }
}

/// Arguments that are all 32 bits wide.
fn words(args: &[u64]) -> [u32; MAX_ARGS] {
    let mut words = [0; MAX_ARGS];
    words.iter_mut().zip(args).for_each(|(word, arg)| *word = self::word(*arg));
    words
}

fn function(import: &ImportedFunction) -> Result<(Function, Abi)> {
    Abi::of_module(&import.module)
        .and_then(|abi| {
            let fits = |function: &Function| {
                import.signature.params == function.params() && import.signature.results == function.results()
            };
            Function::of_name(abi, &import.name).find(fits).map(|function| (function, abi))
        })
        .ok_or_else(|| {
            Error::new(
                ErrorKind::MissingImports,
                format!("{}.{} {} is not offered", import.module, import.name, import.signature),
            )
        })
}

/// Paths have to lie in the memory, and be no longer than the system takes: what resolves them works in proportion to their length.
fn check_paths(function: Function, memory: &[u8], args: &[u64]) -> Answer {
    let target: &[(usize, usize)] = if function == Function::PathSymlink { &[(2, 0)] } else { &[] };
    for (_, path) in path_args(function).iter().chain(target) {
        let length = word(args[path + 1]);
        range(memory, word(args[*path]), length)?;
        if length > MAX_PATH {
            return Err(Errno::NAMETOOLONG.into());
        }
    }
    Ok(())
}

/// Which arguments of a function are descriptors.
fn descriptor_args(function: Function) -> &'static [usize] {
    match function {
        Function::ArgsGet
        | Function::ArgsSizesGet
        | Function::EnvironGet
        | Function::EnvironSizesGet
        | Function::ClockResGet
        | Function::ClockTimeGet
        | Function::PollOneoff
        | Function::ProcExit
        | Function::ProcRaise
        | Function::SchedYield
        | Function::RandomGet
        | Function::SockOpen
        | Function::SockGetaddrinfo => &[],
        Function::FdRenumber => &[0, 1],
        Function::PathLink => &[0, 4],
        Function::PathRename => &[0, 3],
        Function::PathSymlink => &[2],
        _ => &[0],
    }
}

/// Where a path function has its descriptors, and the paths in them.
fn path_args(function: Function) -> &'static [(usize, usize)] {
    match function {
        Function::PathCreateDirectory
        | Function::PathReadlink
        | Function::PathRemoveDirectory
        | Function::PathUnlinkFile => &[(0, 1)],
        Function::PathFilestatGet | Function::PathFilestatSetTimes | Function::PathOpen => &[(0, 2)],
        Function::PathLink => &[(0, 2), (4, 5)],
        Function::PathRename => &[(0, 1), (3, 4)],
        Function::PathSymlink => &[(2, 3)],
        _ => &[],
    }
}
