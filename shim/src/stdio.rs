//! The standard streams of a process: what containerd names, opened for the process, and held open for as long as it lives.
//!
//! containerd names FIFOs, and reads and writes their other ends. While both ends of an output are held here, neither side sees an end or a broken
//! pipe because the other one is started again; the end comes when the process does. An input is held until the process begins, because whoever
//! writes to it may not be there before; from then on its end is the process's end of input.

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{FileType, Mode, OFlags};
use std::fs::OpenOptions;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wasmrt_model::{Error, ErrorKind, Result};

/// How long whoever reads an output may take to open it. Later it still can, while the process lives.
const READER_WITHIN: Duration = Duration::from_secs(1);
/// How long whoever reads an output may take to read it to its end before the process's end is told.
const READ_WITHIN: Duration = Duration::from_secs(1);
/// What a pipe that can be written to takes without blocking.
const ROOM: usize = rustix::pipe::PIPE_BUF;

/// What containerd says of a process's streams. Empty: none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Named {
    pub(crate) terminal: bool,
    pub(crate) stdin: String,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The process's ends: standard input, output and error.
pub(crate) type ProcessEnds = [OwnedFd; 3];

/// Both sides' ends; the process's only when it has no terminal.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    pub(crate) ends: Option<ProcessEnds>,
    pub(crate) held: Held,
}

/// Our ends.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// What keeps the input from ending before the process begins.
    pub(crate) stdin: Option<OwnedFd>,
    /// Where what we say of the process's end goes.
    stderr: Option<OwnedFd>,
    /// The ends that are written to.
    outputs: Vec<OwnedFd>,
    /// What keeps the outputs from ending.
    keepers: Vec<OwnedFd>,
}

impl Held {
    /// Says something at the end of the process's standard error, and lets go of the streams once they were read.
    pub(crate) fn finish(mut self, text: &str) {
        self.keepers.clear();
        if let Some(stderr) = &self.stderr {
            say_and_wait(stderr, text, &self.outputs);
        }
    }
}

/// Says the last words, and waits until everything was read: clients that hear of the process's end give up what they have not begun to read.
/// Waits a moment at most, and for nobody who is not there, as long as no keeper is.
pub(crate) fn say_and_wait(output: &OwnedFd, text: &str, outputs: &[OwnedFd]) {
    let until = Instant::now() + READ_WITHIN;
    say(output, text, until);
    let unread = |output: &OwnedFd| {
        let bytes = rustix::io::ioctl_fionread(output).unwrap_or(0);
        bytes > 0 && !poll(output, PollFlags::empty(), Duration::ZERO).contains(PollFlags::ERR)
    };
    while outputs.iter().any(unread) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Writes as much as there is room for.
fn say(output: &OwnedFd, text: &str, until: Instant) {
    for some in text.as_bytes().chunks(ROOM) {
        let left = until.saturating_duration_since(Instant::now());
        if !poll(output, PollFlags::OUT, left).contains(PollFlags::OUT) || rustix::io::write(output, some).is_err() {
            return;
        }
    }
}

/// What is to be said of a descriptor, once something is, within a span of time.
fn poll(fd: &OwnedFd, events: PollFlags, within: Duration) -> PollFlags {
    let mut fds = [PollFd::new(fd, events)];
    let within = Timespec { tv_sec: 0, tv_nsec: within.as_nanos().min(999_999_999) as i64 };
    // Without an answer, nothing is said.
    let _ = rustix::event::poll(&mut fds, Some(&within));
    fds[0].revents()
}

/// Opens all three. May wait a moment.
///
/// # Errors
/// The system's, naming the stream.
pub(crate) fn open(named: &Named, container: &str, namespace: &str) -> Result<Streams> {
    if named.terminal {
        return Ok(Streams::default());
    }
    let mut held = Held::default();
    let stdin = if named.stdin.is_empty() {
        null().map_err(|source| failed("stdin", source))?
    } else {
        let path = Path::new(&named.stdin);
        let keeper = open_fifo(path, OFlags::RDWR).map_err(|source| failed("stdin", source))?;
        let end = open_fifo(path, OFlags::RDONLY).map_err(|source| failed("stdin", source))?;
        held.stdin = Some(keeper);
        end
    };
    let stdout = open_output("stdout", &named.stdout, (container, namespace), &mut held)?;
    let stderr = if named.stderr == named.stdout && !named.stdout.is_empty() {
        stdout.try_clone().map_err(|source| failed("stderr", source))?
    } else {
        open_output("stderr", &named.stderr, (container, namespace), &mut held)?
    };
    held.stderr = Some(stderr.try_clone().map_err(|source| failed("stderr", source))?);
    Ok(Streams { ends: Some([stdin, stdout, stderr]), held })
}

fn open_output(
    name: &'static str,
    place: &str,
    (container, namespace): (&str, &str),
    held: &mut Held,
) -> Result<OwnedFd> {
    let failed = |source| failed(name, source);
    if place.is_empty() {
        return null().map_err(failed);
    }
    match place.split_once("://") {
        None => fifo_output(Path::new(place), held).map_err(failed),
        Some(("fifo", path)) => fifo_output(Path::new(path), held).map_err(failed),
        Some(("file", path)) => {
            let path = Path::new(path.split_once('?').map_or(path, |(path, _)| path));
            let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(failed)?;
            Ok(file.into())
        }
        Some(("binary", logger)) => start_logger(logger, container, namespace, held).map_err(failed),
        Some((scheme, _)) => Err(Error::new(ErrorKind::Unsupported, format!("{name} cannot go to '{scheme}://'"))
            .with_hint("a path, fifo://, file:// and binary:// can be had")),
    }
}

fn fifo_output(path: &Path, held: &mut Held) -> std::io::Result<OwnedFd> {
    let read = await_reader(path)?;
    held.keepers.push(open_fifo(path, OFlags::RDWR)?);
    let end = read.map_or_else(|| open_fifo(path, OFlags::WRONLY), Ok)?;
    held.outputs.push(end.try_clone()?);
    Ok(end)
}

/// Opens a FIFO once somebody reads it, which takes a moment. What a process leaves in one that nobody has opened when it ends is lost. None when
/// nobody came.
fn await_reader(path: &Path) -> std::io::Result<Option<OwnedFd>> {
    let until = Instant::now() + READER_WITHIN;
    loop {
        match open_fifo(path, OFlags::WRONLY) {
            Err(error) if error.raw_os_error() != Some(libc::ENXIO) => return Err(error),
            Err(_) if Instant::now() > until => return Ok(None),
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
            Ok(end) => return Ok(Some(end)),
        }
    }
}

/// Whoever is at the other end may not be there yet. While a descriptor for both directions is open, the others open at once, and block no less
/// for having been opened without.
pub(crate) fn open_fifo(path: &Path, access: OFlags) -> std::io::Result<OwnedFd> {
    let end = rustix::fs::open(path, access | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty())?;
    if FileType::from_raw_mode(rustix::fs::fstat(&end)?.st_mode) != FileType::Fifo {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, format!("{} is no FIFO", path.display())));
    }
    let flags = rustix::fs::fcntl_getfl(&end)?;
    rustix::fs::fcntl_setfl(&end, flags - OFlags::NONBLOCK)?;
    Ok(end)
}

/// A program of the operator's that takes what is written: it finds output, error, and where to say that it is ready, at descriptors 3 to 5.
fn start_logger(logger: &str, container: &str, namespace: &str, held: &mut Held) -> std::io::Result<OwnedFd> {
    let (program, query) = logger.split_once('?').unwrap_or((logger, ""));
    let (reader, writer) = std::io::pipe()?;
    let (ready, tells) = std::io::pipe()?;
    let nothing = null()?;
    let copy = |fd: OwnedFd| rustix::io::fcntl_dupfd_cloexec(&fd, 10).map_err(std::io::Error::from);
    let passed = [copy(reader.into())?, copy(nothing)?, copy(tells.into())?];
    let mut command = Command::new("/bin/sh");
    // The shell moves descriptors to where the program looks for them, and becomes it.
    let numbers = passed.each_ref().map(std::os::fd::AsRawFd::as_raw_fd);
    let [output, error, tells] = numbers.map(|number| format!("/proc/self/fd/{number}"));
    command
        .args(["-c", r#"exec "$0" "$@" 3<"$OUTPUT" 4<"$ERROR" 5>"$READY""#, program])
        .env("OUTPUT", output)
        .env("ERROR", error)
        .env("READY", tells);
    for (key, value) in
        query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    {
        command.arg(key).arg(value);
    }
    for fd in &passed {
        rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty())?;
    }
    command.env("CONTAINER_ID", container).env("CONTAINER_NAMESPACE", namespace);
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    drop(passed);
    started?;
    // It closes its end when it is ready, and also when it ends before.
    let mut nothing = [0];
    std::io::Read::read(&mut &ready, &mut nothing)?;
    held.keepers.push(ready.into());
    Ok(writer.into())
}

fn null() -> std::io::Result<OwnedFd> {
    Ok(OpenOptions::new().read(true).write(true).open(PathBuf::from("/dev/null"))?.into())
}

fn failed(name: &'static str, source: std::io::Error) -> Error {
    Error::io(format!("cannot open the container's {name}"), source)
}
