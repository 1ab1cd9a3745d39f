//! A supervisor: forked from the zygote for one job, which it does the way a command line would, and gone after its answer.

use super::{Job, Spec};
use crate::process;
use crate::runtime::{RunOptions, Runtime};
use crate::streams::PipedStreams;
use crate::wire::{self, Answer, Task};
use rustix::process::{Pid, Resource, Rlimit, Signal};
use std::borrow::Cow;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::AssertUnwindSafe;
use wasmrt_model::{Error, ErrorKind, Result, RunSpec, panic_text};

/// Does a job in a process that was just forked for it.
pub(super) fn carry_out(runtime: &Runtime, mut job: Job, zygote: Pid, descriptors: Rlimit) -> ! {
    // Unwinding must not reach the zygote's frames: they belong to another process.
    let result = std::panic::catch_unwind(AssertUnwindSafe(|| {
        become_supervisor(&job, zygote, descriptors)?;
        // The guest's worker is to be the only one that holds its streams.
        let [stdin, stdout, stderr] = std::mem::take(&mut job.streams);
        answer(runtime, &job, PipedStreams { stdin, stdout, stderr })
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
    // Nobody to tell is no failure.
    let told = sent.is_ok() || sent.is_err_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe);
    process::exit_now(i32::from(!told));
}

fn become_supervisor(job: &Job, zygote: Pid, descriptors: Rlimit) -> Result<()> {
    let failed = |what: &'static str| move |errno: rustix::io::Errno| Error::io(what, errno.into());
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(failed("cannot ask to die with the zygote"))?;
    if rustix::process::getppid() != Some(zygote) {
        return Err(Error::new(ErrorKind::Internal, "wasmrt-worker is gone"));
    }
    let standard = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    let mut keep: Vec<BorrowedFd<'_>> = standard.to_vec();
    keep.push(job.socket.as_fd());
    keep.extend(job.module.iter().map(AsFd::as_fd));
    keep.extend(job.streams.iter().flatten().map(AsFd::as_fd));
    if let Spec::InMemory(memory) = &job.spec {
        keep.push(memory.as_fd());
    }
    rustix::process::fchdir(&job.directory).map_err(failed("cannot go to the caller's directory"))?;
    process::close_all_but(&keep);
    rustix::process::setrlimit(Resource::Nofile, descriptors).map_err(failed("cannot bound descriptors"))
}

fn answer(runtime: &Runtime, job: &Job, piped: PipedStreams) -> Result<Answer> {
    if job.head.task == Task::Engines {
        let statuses = runtime.engines().into_iter().map(|status| (status.name, status.capabilities));
        return Ok(Answer::Engines(statuses.collect()));
    }
    let memory = job.module.as_ref().ok_or_else(|| Error::new(ErrorKind::Internal, "a job without its module"))?;
    let module = wire::read_memory(memory.as_fd()).map_err(|source| Error::io("cannot read the module", source))?;
    let mut options = RunOptions { cancel: Some(job.socket.as_fd()), ..RunOptions::default() };
    match job.head.task {
        Task::Run => {
            options.piped = piped;
            runtime.run(&module, &spec(job)?, options).map(|outcome| Answer::Outcome(Box::new(outcome)))
        }
        Task::Compile => runtime.compile(&module, &spec(job)?, options).map(Answer::Compiled),
        Task::Preload => runtime.preload(&module, &spec(job)?, options).map(|()| Answer::Preloaded),
        Task::Inspect => runtime.inspect(&module).map(|inspection| Answer::Inspection(Box::new(inspection))),
        Task::Engines => Err(Error::new(ErrorKind::Internal, "an answer that was given before")),
    }
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
