//! A supervisor: forked from the zygote for one job, which it does the way a command line would, and gone after its answer.

use super::{Job, Spec};
use crate::compile::Attention;
use crate::contained::{Contained, ContainedServer, Custody};
use crate::embed::PublishedAt;
use crate::errand::{Errand, Parcel, Site};
use crate::kept::{Kept, Learned, LearnedCode, Wanted};
use crate::observer::{Note, Observer, Silent};
use crate::process;
use crate::ready::{Ready, ready_again};
use crate::run;
use crate::runtime::{Compiled, RunOptions, Runtime, is_only_a_proxy};
use crate::streams::PipedStreams;
use crate::wire::{self, Answer, Event, ModuleName, Task, packet::Packet};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Resource, Rlimit, Signal};
use std::borrow::Cow;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::AssertUnwindSafe;
use wasmrt_model::{Ceiling, Error, ErrorKind, Outcome, Result, RunSpec, panic_text};

/// How long somebody may take to take an answer.
const TAKEN_WITHIN: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// What it has of its zygote.
pub(super) struct Supervisor<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) errand: Option<Errand>,
    pub(super) kept: &'a Kept,
    /// Where the zygote hears what can be kept.
    pub(super) notes: BorrowedFd<'a>,
    pub(super) zygote: Pid,
    /// The limit on descriptors that workers start from.
    pub(super) descriptors: Rlimit,
}

impl Supervisor<'_> {
    /// Does a job in a process that was just forked for it.
    pub(super) fn carry_out(&self, mut job: Job) -> ! {
        // Unwinding must not reach the zygote's frames: they belong to another process.
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| {
            self.set_up(&job)?;
            // The guest's worker is to be the only one that holds its streams.
            let [stdin, stdout, stderr] = std::mem::take(&mut job.streams);
            let mut events = Events(job.events.take());
            let extra = std::mem::take(&mut job.extra);
            if job.head.task == Task::Errand {
                return self.run_errand(&job, extra);
            }
            self.answer(&job, PipedStreams { stdin, stdout, stderr }, &mut events)
        }));
        let answer = match result {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Answer::Failed(error),
            Err(panic) => Answer::Failed(Error::new(
                ErrorKind::Internal,
                format!("the supervisor of the run panicked: {}", panic_text(&*panic)),
            )),
        };
        let sent = answer.send(job.socket.as_fd());
        if job.head.task == Task::Errand {
            // Processes that it made are left to its ancestors, who first have to know of them.
            let mut polled = [PollFd::new(&job.socket, PollFlags::IN)];
            let _ = poll(&mut polled, Some(&TAKEN_WITHIN));
        }
        // Nobody to tell is no failure.
        let told = sent.is_ok() || sent.is_err_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe);
        process::exit_now(i32::from(!told));
    }

    fn set_up(&self, job: &Job) -> Result<()> {
        let failed = |what: &'static str| move |errno: rustix::io::Errno| Error::io(what, errno.into());
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
            .map_err(failed("cannot ask to die with the zygote"))?;
        if rustix::process::getppid() != Some(self.zygote) {
            return Err(Error::new(ErrorKind::Internal, "wasmrt-worker is gone"));
        }
        rustix::process::fchdir(&job.directory).map_err(failed("cannot go to the caller's directory"))?;
        // Sockets of other runs, most of all: their ends are to be seen as ends.
        let mut keep = vec![rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
        keep.extend([job.socket.as_fd(), self.notes]);
        keep.extend(job.module.iter().chain(&job.events).chain(&job.extra).map(AsFd::as_fd));
        keep.extend(job.streams.iter().flatten().map(AsFd::as_fd));
        if let Spec::InMemory(memory) = &job.spec {
            keep.push(memory.as_fd());
        }
        keep.extend(self.kept.descriptors());
        process::close_all_but(&keep);
        rustix::process::setrlimit(Resource::Nofile, self.descriptors).map_err(failed("cannot bound descriptors"))
    }

    fn answer(&self, job: &Job, piped: PipedStreams, events: &mut Events) -> Result<Answer> {
        let runtime = self.runtime;
        let cancel = Some(job.socket.as_fd());
        match job.head.task {
            Task::Engines => {
                let statuses = runtime.engines().into_iter().map(|status| (status.name, status.capabilities));
                Ok(Answer::Engines(statuses.collect()))
            }
            Task::Inspect => runtime.inspect(&module(job)?).map(|inspection| Answer::Inspection(Box::new(inspection))),
            Task::Compile => {
                let options = RunOptions { cancel, ..RunOptions::default() };
                runtime.compile(&module(job)?, &spec(job)?, options).map(Answer::Compiled)
            }
            Task::Preload => {
                let spec = spec(job)?;
                let mut attention = Attention { observer: &mut Silent, forward_signals: false, cancel, group: None };
                let (ready, _) = runtime.prepare(&module(job)?, &spec, &mut attention)?;
                self.tell(self.wanted(job, &spec), &ready);
                Ok(Answer::Preloaded)
            }
            Task::Errand => Err(Error::new(ErrorKind::Internal, "errands have a way of their own")),
            Task::Run => self.run(job, &spec(job)?, piped, events).map(|outcome| Answer::Outcome(Box::new(outcome))),
        }
    }

    fn run_errand(&self, job: &Job, extra: Vec<OwnedFd>) -> Result<Answer> {
        let errand = self.errand.ok_or_else(|| Error::new(ErrorKind::Internal, "wasmrt-worker knows no errands"))?;
        let bytes = match &job.spec {
            Spec::Here(bytes) => bytes.clone(),
            Spec::InMemory(memory) => {
                wire::read_memory(memory.as_fd()).map_err(|source| Error::io("cannot read the errand", source))?
            }
        };
        errand(&ErrandSite { supervisor: self, job }, Parcel { bytes, descriptors: extra }).map(Answer::Errand)
    }

    fn run(&self, job: &Job, spec: &RunSpec, piped: PipedStreams, events: &mut Events) -> Result<Outcome> {
        let group = job.head.group.and_then(Pid::from_raw);
        let cancel = Some(job.socket.as_fd());
        let again = self.wanted(job, spec).and_then(|wanted| self.kept.get(wanted));
        let again =
            again.map(|entry| ready_again(entry, self.runtime.registry(), &self.runtime.config().ceiling, spec));
        if let Some(Ok(ready)) = again {
            let mut attention = Attention { observer: events, forward_signals: false, cancel, group };
            return run::run(ready, piped, &mut attention);
        }
        let options = RunOptions { observer: Some(events), forward_signals: false, cancel, piped, group };
        self.runtime.run_and_tell(&module(job)?, spec, options, &mut |ready| self.tell(self.wanted(job, spec), ready))
    }

    fn wanted(&self, job: &Job, spec: &RunSpec) -> Option<Wanted> {
        Wanted::of(job.head.module?, spec, &self.runtime.config().ceiling)
    }

    /// Tells the zygote what the job comes to.
    fn tell(&self, wanted: Option<Wanted>, ready: &Ready) {
        let code = ready.artifact.zip(wanted).map(|(key, wanted)| LearnedCode {
            wanted,
            key,
            tier: ready.tier,
            component: ready.component,
        });
        let learned = Learned { engine: ready.plan.engine(), code };
        // A zygote that does not hear of it is slower next time, nothing else.
        if let Ok(head) = serde_json::to_vec(&learned) {
            let _ = Packet::new(&head).send(self.notes, &[]);
        }
    }
}

/// What an errand finds in its process.
struct ErrandSite<'a> {
    supervisor: &'a Supervisor<'a>,
    job: &'a Job,
}

impl Site for ErrandSite<'_> {
    fn contain(&self, module: &[u8], spec: &RunSpec, ceiling: &Ceiling) -> Result<(Contained, Custody)> {
        let Supervisor { runtime, kept, .. } = self.supervisor;
        let wanted = Wanted::of(ModuleName::of(module), spec, ceiling);
        let again = wanted.and_then(|wanted| kept.get(wanted));
        if let Some(Ok(ready)) = again.map(|entry| ready_again(entry, runtime.registry(), ceiling, spec)) {
            ready.engine.warm()?;
            return Contained::new(ready);
        }
        let cancel = Some(self.job.socket.as_fd());
        let mut attention = Attention { observer: &mut Silent, forward_signals: false, cancel, group: None };
        let ready = runtime.prepare_for_container(ceiling, module, spec, &mut attention)?;
        self.supervisor.tell(wanted, &ready);
        // Where the guest will be, the machine's libraries are not.
        ready.engine.warm()?;
        Contained::new(ready)
    }

    fn answers_requests(&self, module: &[u8]) -> bool {
        is_only_a_proxy(module)
    }

    fn contain_server(
        &self,
        component: &[u8],
        spec: &RunSpec,
        ceiling: &Ceiling,
        server: ContainedServer,
    ) -> Result<(Contained, Custody)> {
        let cancel = Some(self.job.socket.as_fd());
        let mut attention = Attention { observer: &mut Silent, forward_signals: false, cancel, group: None };
        let ready = self.supervisor.runtime.prepare_server_for_container(ceiling, component, spec, &mut attention)?;
        self.supervisor.tell(None, &ready);
        ready.engine.warm()?;
        Contained::server(ready, server)
    }

    fn compile(&self, module: &[u8], spec: &RunSpec, ceiling: &Ceiling) -> Result<Compiled> {
        let options = RunOptions { cancel: Some(self.job.socket.as_fd()), ..RunOptions::default() };
        self.supervisor.runtime.compile_below(ceiling, module, spec, options)
    }
}

/// Passes on what the caller cannot know otherwise.
struct Events(Option<OwnedFd>);

impl Observer for Events {
    fn note(&mut self, note: &Note<'_>) {
        if let (Note::Published { local, guest_port, protocol }, Some(pipe)) = (note, &self.0) {
            let event = Event::Published(PublishedAt { local: *local, guest_port: *guest_port, protocol: *protocol });
            if let (Ok(mut line), Ok(pipe)) = (serde_json::to_vec(&event), pipe.try_clone()) {
                line.push(b'\n');
                // Who does not listen does not want to know.
                let _ = File::from(pipe).write_all(&line);
            }
        }
    }
}

fn module(job: &Job) -> Result<Vec<u8>> {
    let memory = job.module.as_ref().ok_or_else(|| Error::new(ErrorKind::Internal, "a job without its module"))?;
    wire::read_memory(memory.as_fd()).map_err(|source| Error::io("cannot read the module", source))
}

fn spec(job: &Job) -> Result<RunSpec> {
    let json = match &job.spec {
        Spec::Here(json) => Cow::Borrowed(json.as_slice()),
        Spec::InMemory(memory) => {
            Cow::Owned(wire::read_memory(memory.as_fd()).map_err(|source| Error::io("cannot read the spec", source))?)
        }
    };
    wire::parse(&json)
}
