//! The process that embedders start as `wasmrt-worker`: it has engines loaded, forks a supervisor for each job and outlives whatever happens in one.
//!
//! It has one thread, waits for messages, for its supervisors and for the end of its owner, and does no job itself: nothing of a guest is read here.
//! It ends when its control socket does, or its owner's process; its supervisors end with it, and their workers with them.

mod supervise;

use crate::errand::Errand;
use crate::kept::{Kept, Learned};
use crate::process::{self, ChildProcess, Death, Forked};
use crate::ready::ArtifactNote;
use crate::runtime::{Runtime, RuntimeConfig};
use crate::wire::{self, Answer, Greeting, JobHead, Task, VERSION, Welcome, packet};
use crate::worker::above_standard_streams;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SocketType, sockopt};
use rustix::process::{Pid, Resource, Rlimit};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use wasmrt_model::{Error, ErrorKind, Result};

/// How long supervisors have, once the owner is gone, to end what they do in good order. Then they are killed.
const GOOD_ORDER: Duration = Duration::from_millis(500);

/// What the program `wasmrt-worker` does. It is no program for people, and says so to them.
#[must_use]
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    run(arguments, None)
}

/// As [`main`], for a program that knows errands: what an [`Embedder`](crate::Embedder) starts as its worker.
#[must_use]
pub fn main_with_errands(arguments: impl Iterator<Item = OsString>, errand: Errand) -> ExitCode {
    run(arguments, Some(errand))
}

/// In a fresh fork: becomes the zygote, and ends with this code. `epilogue` is what it does last.
pub(crate) fn live(control: OwnedFd, errand: Errand, epilogue: impl FnOnce()) -> i32 {
    let ended = live_until_the_end(control, Some(errand));
    epilogue();
    i32::from(ended.is_err())
}

fn live_until_the_end(control: OwnedFd, errand: Option<Errand>) -> Result<()> {
    match Zygote::set_up(control, errand)? {
        Some(zygote) => zygote.serve(),
        // Its owner has changed its mind.
        None => Ok(()),
    }
}

fn run(arguments: impl Iterator<Item = OsString>, errand: Option<Errand>) -> ExitCode {
    let failed = |text: &str| {
        eprintln!("wasmrt-worker: {text}");
        ExitCode::from(ErrorKind::Internal.exit_code())
    };
    let Some(control) = control_socket(arguments) else {
        return failed(
            "this is a part of the wasmrt library, which starts it to run guests; there is nothing to be had from it by hand. To run a program, use wasm-run",
        );
    };
    match live_until_the_end(control, errand) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error.to_string()),
    }
}

/// The socket that the command line names by its number.
fn control_socket(arguments: impl Iterator<Item = OsString>) -> Option<OwnedFd> {
    let arguments: Vec<OsString> = arguments.skip(1).collect();
    let [flag, number] = arguments.as_slice() else { return None };
    let number = number.to_str().filter(|_| flag == "--control")?.parse().ok()?;
    let control = process::adopt(number)?;
    (sockopt::socket_type(&control).ok()? == SocketType::SEQPACKET).then_some(control)
}

/// A job as it came, with its descriptors.
#[derive(Debug)]
struct Job {
    head: JobHead,
    /// Where its answer goes. Readable, or hung up, when the answer is not wanted any more.
    socket: OwnedFd,
    /// Where relative paths begin.
    directory: OwnedFd,
    module: Option<OwnedFd>,
    spec: Spec,
    streams: [Option<OwnedFd>; 3],
    events: Option<OwnedFd>,
    extra: Vec<OwnedFd>,
}

#[derive(Debug)]
enum Spec {
    Here(Vec<u8>),
    InMemory(OwnedFd),
}

/// A job that a supervisor has.
#[derive(Debug)]
struct Running {
    supervisor: ChildProcess,
    socket: OwnedFd,
}

struct Zygote {
    control: OwnedFd,
    /// Ends when the owner's process does.
    owner: OwnedFd,
    runtime: Runtime,
    errand: Option<Errand>,
    max_runs: usize,
    pid: Pid,
    /// The limit on descriptors as the owner has it: what a guest's worker starts from.
    descriptors: Rlimit,
    running: Vec<Running>,
    waiting: VecDeque<Job>,
    /// What earlier jobs came to.
    kept: Kept,
    /// Where supervisors tell of it: the zygote's end and theirs.
    notes: (OwnedFd, OwnedFd),
}

impl Zygote {
    /// Meets the owner. None when there is none any more.
    fn set_up(mut control: OwnedFd, errand: Option<Errand>) -> Result<Option<Self>> {
        let failed = |source| Error::io("cannot set up its own streams", source);
        process::hear_of_children();
        let own = above_standard_streams(control.as_fd()).map_err(failed)?;
        let null = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDWR, rustix::fs::Mode::empty())
            .map_err(|errno| failed(errno.into()))?;
        rustix::stdio::dup2_stdin(&null).map_err(|errno| failed(errno.into()))?;
        rustix::stdio::dup2_stdout(&null).map_err(|errno| failed(errno.into()))?;
        // What it came as is /dev/null now, and to be left open: nothing else may ever have the number of a standard stream.
        if control.as_raw_fd() <= 2 {
            std::mem::forget(std::mem::replace(&mut control, own));
        } else {
            control = own;
        }
        let greeting = packet::receive(control.as_fd()).map_err(|source| Error::io("cannot hear its owner", source))?;
        let Some(greeting) = greeting else { return Ok(None) };
        let met = Self::meet(&greeting.head, greeting.descriptors.into_iter().next());
        let welcome = match &met {
            Ok(_) => Welcome::Ready,
            Err(error) => Welcome::Refused(Error::new(error.kind(), error.to_string())),
        };
        let welcome = serde_json::to_vec(&welcome)
            .map_err(|source| Error::new(ErrorKind::Internal, "cannot answer its owner").with_source(source))?;
        packet::Packet::new(&welcome)
            .send(control.as_fd(), &[])
            .map_err(|source| Error::io("cannot answer its owner", source))?;
        let (greeting, owner) = met?;
        // The number of descriptors is bounded by the number of jobs, which the owner bounds.
        let descriptors = rustix::process::getrlimit(Resource::Nofile);
        let raised = Rlimit { current: descriptors.maximum, maximum: descriptors.maximum };
        // Where that fails, fewer jobs fit, and those that do not are told.
        let _ = rustix::process::setrlimit(Resource::Nofile, raised);
        let runtime = Runtime::new(RuntimeConfig { cache: greeting.cache, ceiling: greeting.ceiling });
        for engine in greeting.warm {
            // What is not there is told to the run that asks for it.
            let _ = runtime.warm(engine);
        }
        Ok(Some(Self {
            control,
            owner,
            runtime,
            errand,
            max_runs: greeting.max_runs.max(1),
            pid: rustix::process::getpid(),
            descriptors,
            running: Vec::new(),
            waiting: VecDeque::new(),
            kept: Kept::default(),
            notes: packet::pair().map_err(|source| Error::io("cannot make a socket", source))?,
        }))
    }

    fn meet(head: &[u8], owner: Option<OwnedFd>) -> Result<(Greeting, OwnedFd)> {
        /// Of any version.
        #[derive(serde::Deserialize)]
        struct AnyGreeting {
            version: String,
        }
        let AnyGreeting { version } = wire::parse(head)?;
        if version != VERSION {
            return Err(Error::new(
                ErrorKind::Internal,
                format!("wasmrt-worker is version {VERSION}, and the library that started it is {version}"),
            )
            .with_hint("install both from the same release"));
        }
        let owner = owner.ok_or_else(|| Error::new(ErrorKind::Internal, "a greeting without its owner's process"))?;
        Ok((wire::parse(head)?, owner))
    }

    /// Does what it is told until its owner is gone.
    fn serve(mut self) -> Result<()> {
        loop {
            while self.running.len() < self.max_runs
                && let Some(job) = self.waiting.pop_front()
            {
                self.start(job);
            }
            let events = self.wait(None).map_err(|source| Error::io("cannot wait", source))?;
            if events.notes {
                self.learn();
            }
            self.conclude(&events);
            if events.owner_gone || (events.control && !self.accept()) {
                return self.finish();
            }
        }
    }

    /// What has happened, waiting for it.
    fn wait(&self, timeout: Option<Duration>) -> std::io::Result<Events> {
        let ended = self.running.iter().filter_map(|running| running.supervisor.pidfd());
        let given_up = self.waiting.iter().map(|job| job.socket.as_fd());
        let sources: Vec<BorrowedFd<'_>> = [self.control.as_fd(), self.owner.as_fd(), self.notes.0.as_fd()]
            .into_iter()
            .chain(ended)
            .chain(given_up)
            .collect();
        let mut polled: Vec<PollFd<'_>> =
            sources.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        });
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(Events::default()),
            Err(errno) => return Err(errno.into()),
        }
        let mut seen = polled.iter().map(|polled| !polled.revents().is_empty());
        let mut next = || seen.next().unwrap_or(false);
        let (control, owner_gone, notes) = (next(), next(), next());
        let ended = self.running.iter().map(|_| next()).collect();
        let given_up = self.waiting.iter().map(|_| next()).collect();
        Ok(Events { control, owner_gone, notes, ended, given_up })
    }

    /// Takes what has ended, or is not wanted any more, off the lists.
    fn conclude(&mut self, events: &Events) {
        let mut ended = events.ended.iter();
        for mut gone in self.running.extract_if(.., |_| ended.next() == Some(&true)) {
            let failure = match gone.supervisor.reap() {
                Ok(ended) => match ended.death {
                    Death::Exited(0) => continue,
                    Death::Exited(code) => format!("ended with code {code} and no answer"),
                    Death::Signaled(signal) => format!("was killed by signal {signal}"),
                },
                Err(error) => format!("was lost: {error}"),
            };
            let error = Error::new(ErrorKind::Internal, format!("the supervisor of the run {failure}"))
                .with_context("process", gone.supervisor.pid());
            // Who does not want to know has closed the socket.
            let _ = Answer::Failed(error).send(gone.socket.as_fd());
        }
        let mut given_up = events.given_up.iter();
        let mut kept = VecDeque::with_capacity(self.waiting.len());
        for job in self.waiting.drain(..) {
            if given_up.next() == Some(&true) {
                let error = Error::new(ErrorKind::Cancelled, "the run was cancelled before it started");
                let _ = Answer::Failed(error).send(job.socket.as_fd());
            } else {
                kept.push_back(job);
            }
        }
        self.waiting = kept;
    }

    /// Takes one message. False when there will be none any more.
    fn accept(&mut self) -> bool {
        match packet::receive(self.control.as_fd()) {
            Ok(Some(message)) => {
                if let Some(job) = Job::read(message) {
                    self.waiting.push_back(job);
                }
                true
            }
            Ok(None) => false,
            // One bad message; its sender sees the descriptors that came with it closed.
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => true,
            Err(_) => false,
        }
    }

    /// Keeps what supervisors found out: loads the engine that was needed, and holds on to the code, so that the next fork has both.
    fn learn(&mut self) {
        let Ok(Some(note)) = packet::receive(self.notes.0.as_fd()) else { return };
        let Ok(learned) = wire::parse::<Learned>(&note.head) else { return };
        // Whatever fails here only makes the next run slower, which then says what is wrong.
        let engine = self.runtime.warm(learned.engine);
        let Some(code) = learned.code.filter(|_| engine.is_ok()) else { return };
        let hit = self.runtime.cache().ok().and_then(|cache| cache.find(&code.key));
        if let Some(hit) = hit
            && let Ok(note) = serde_json::from_slice::<ArtifactNote>(&hit.note)
        {
            self.kept.keep(learned.engine, &code, note, hit.code);
        }
    }

    fn start(&mut self, job: Job) {
        if job.head.task == Task::Compile {
            self.kept.forget();
        }
        // Loading an engine must not leave a thread behind: a fork would not have it, but the locks that it holds.
        let threads = process::thread_count().unwrap_or(usize::MAX);
        if threads > 1 {
            let error = Error::new(ErrorKind::Internal, "wasmrt-worker has several threads, and cannot fork")
                .with_context("threads", threads);
            let _ = Answer::Failed(error).send(job.socket.as_fd());
            return;
        }
        match process::fork() {
            Ok(Forked::Child) => {
                let Self { runtime, errand, kept, notes, pid, descriptors, .. } = self;
                let (errand, notes) = (*errand, notes.1.as_fd());
                supervise::Supervisor { runtime, errand, kept, notes, zygote: *pid, descriptors: *descriptors }
                    .carry_out(job)
            }
            Ok(Forked::Parent(supervisor)) => self.running.push(Running { supervisor, socket: job.socket }),
            Err(source) => {
                let _ = Answer::Failed(Error::io("cannot fork a supervisor", source)).send(job.socket.as_fd());
            }
        }
    }

    /// The owner is gone, and with it the other ends of all jobs: their supervisors notice and clean up. What does not is killed.
    fn finish(mut self) -> Result<()> {
        let until = Instant::now() + GOOD_ORDER;
        for job in self.waiting.drain(..) {
            let error = Error::new(ErrorKind::Cancelled, "the run was cancelled before it started");
            let _ = Answer::Failed(error).send(job.socket.as_fd());
        }
        while !self.running.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let events = self.wait_for_supervisors(left).map_err(|source| Error::io("cannot wait", source))?;
            self.conclude(&events);
        }
        Ok(())
    }

    fn wait_for_supervisors(&self, timeout: Duration) -> std::io::Result<Events> {
        let mut polled: Vec<PollFd<'_>> = self
            .running
            .iter()
            .filter_map(|running| running.supervisor.pidfd())
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        match poll(&mut polled, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(Events { ended: polled.iter().map(|one| !one.revents().is_empty()).collect(), ..Events::default() })
    }
}

/// What happened in one wait: in the order of the lists.
#[derive(Debug, Default)]
struct Events {
    control: bool,
    owner_gone: bool,
    notes: bool,
    ended: Vec<bool>,
    given_up: Vec<bool>,
}

impl Job {
    /// None for what makes no sense; who sent it is told, if that can be done.
    fn read(message: packet::Received) -> Option<Self> {
        let packet::Received { head, body, descriptors } = message;
        let mut descriptors = descriptors.into_iter();
        let socket = descriptors.next()?;
        let nonsense = |error: Error| {
            let _ = Answer::Failed(error).send(socket.as_fd());
        };
        let head: JobHead = match wire::parse(&head) {
            Ok(head) => head,
            Err(error) => {
                nonsense(error);
                return None;
            }
        };
        let read = || {
            let directory = descriptors.next()?;
            let module = if head.module.is_some() { Some(descriptors.next()?) } else { None };
            let spec = if head.long_spec { Spec::InMemory(descriptors.next()?) } else { Spec::Here(body) };
            let mut streams = [None, None, None];
            for (stream, comes) in streams.iter_mut().zip(head.streams) {
                if comes {
                    *stream = Some(descriptors.next()?);
                }
            }
            let events = if head.events { Some(descriptors.next()?) } else { None };
            let extra: Vec<OwnedFd> = descriptors.by_ref().take(head.extra).collect();
            (extra.len() == head.extra).then_some((directory, module, spec, streams, events, extra))
        };
        let Some((directory, module, spec, streams, events, extra)) = ({ read }()) else {
            nonsense(Error::new(ErrorKind::Internal, "a job without its descriptors"));
            return None;
        };
        Some(Self { head, socket, directory, module, spec, streams, events, extra })
    }
}

#[cfg(test)]
mod tests;
