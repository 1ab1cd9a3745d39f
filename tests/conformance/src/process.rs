//! Child processes: started, fed, watched for a bounded time, and everything they printed.
//!
//! A process that outlives its parent and keeps a standard stream open is found out here: its stream does not end.

use crate::Result;
use crate::case::{Interrupt, Stdin};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// How long any run may take before the harness ends it and calls that a failure. Compiling in CI is slow.
const PATIENCE: Duration = Duration::from_secs(180);
/// How long a stream may stay open after the process has ended.
const AFTERMATH: Duration = Duration::from_secs(10);
/// The most that is kept of a stream.
const KEPT: usize = 256 << 20;

/// What a process did.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
    /// How long that took.
    pub took: Duration,
}

enum Event {
    Ended(std::io::Result<ExitStatus>),
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
    StdoutClosed,
    StderrClosed,
}

/// Runs a command to its end. `heard` is told of its standard output piece by piece.
///
/// # Errors
/// When it cannot be started, does not end in time, or leaves something behind that keeps its streams open.
pub fn run(
    mut command: Command,
    stdin: &Stdin,
    interrupt: Option<&Interrupt>,
    heard: &mut dyn FnMut(&[u8]),
) -> Result<Ended> {
    let stdin_from = if *stdin == Stdin::Empty { Stdio::null() } else { Stdio::piped() };
    let started = Instant::now();
    let mut child = command
        .stdin(stdin_from)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", command.get_program().display()))?;
    let pid = Pid::from_child(&child);
    let held = feed(child.stdin.take(), stdin);
    let events = watch(child);
    let ended = collect(&events, pid, interrupt, started, heard);
    drop(held);
    ended
}

/// Writes standard input from a thread, since the guest may stop reading. Returns the pipe when it is to stay open.
fn feed(pipe: Option<ChildStdin>, stdin: &Stdin) -> Option<ChildStdin> {
    let mut pipe = pipe?;
    let (text, times) = match stdin {
        Stdin::Empty | Stdin::Held => return Some(pipe),
        Stdin::Text(text) => (text.clone(), 1),
        Stdin::Repeated { text, times } => (text.clone(), *times),
    };
    std::thread::spawn(move || {
        // A guest that does not read to the end is none of our business: its expectation says whether that is right.
        (0..times).try_for_each(|_| pipe.write_all(text.as_bytes()))
    });
    None
}

fn watch(mut child: Child) -> Receiver<Event> {
    let (sender, events) = channel();
    if let Some(stdout) = child.stdout.take() {
        read(stdout, sender.clone(), Event::Stdout, || Event::StdoutClosed);
    }
    if let Some(stderr) = child.stderr.take() {
        read(stderr, sender.clone(), Event::Stderr, || Event::StderrClosed);
    }
    std::thread::spawn(move || sender.send(Event::Ended(child.wait())));
    events
}

fn read(
    mut stream: impl Read + Send + 'static,
    sender: Sender<Event>,
    piece: fn(Vec<u8>) -> Event,
    closed: fn() -> Event,
) {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count) = stream.read(&mut buffer) {
            if count == 0 || sender.send(piece(buffer[..count].to_vec())).is_err() {
                break;
            }
        }
        sender.send(closed())
    });
}

fn collect(
    events: &Receiver<Event>,
    pid: Pid,
    interrupt: Option<&Interrupt>,
    started: Instant,
    heard: &mut dyn FnMut(&[u8]),
) -> Result<Ended> {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let (mut status, mut open, mut took) = (None, 2, Duration::ZERO);
    let mut interrupt = interrupt;
    let mut deadline = started + PATIENCE;
    while open > 0 || status.is_none() {
        let event = match events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(event) => event,
            Err(RecvTimeoutError::Disconnected) => return Err("lost sight of the process".to_owned()),
            Err(RecvTimeoutError::Timeout) if status.is_some() => {
                return Err("it ended, but a process that it left behind keeps its output open".to_owned());
            }
            Err(RecvTimeoutError::Timeout) => {
                // Not waited for yet, so the number is still this process's.
                let killed = kill_process(pid, Signal::KILL);
                return Err(format!(
                    "it did not end within {} s (killed: {killed:?}); stdout so far: {}",
                    PATIENCE.as_secs(),
                    String::from_utf8_lossy(&stdout)
                ));
            }
        };
        match event {
            Event::Stdout(piece) => {
                heard(&piece);
                keep(&mut stdout, &piece);
            }
            Event::Stderr(piece) => keep(&mut stderr, &piece),
            Event::StdoutClosed | Event::StderrClosed => open -= 1,
            Event::Ended(ended) => {
                status = Some(ended.map_err(|error| format!("cannot wait for it: {error}"))?);
                took = started.elapsed();
                deadline = Instant::now() + AFTERMATH;
            }
        }
        if let Some(due) = interrupt
            && status.is_none()
            && contains(&stdout, due.when.as_bytes())
        {
            kill_process(pid, signal(&due.signal)?)
                .map_err(|error| format!("cannot send SIG{}: {error}", due.signal))?;
            interrupt = None;
        }
    }
    let status = status.ok_or("lost sight of the process")?;
    Ok(Ended { status, stdout, stderr, took })
}

fn keep(kept: &mut Vec<u8>, piece: &[u8]) {
    if kept.len() + piece.len() <= KEPT {
        kept.extend_from_slice(piece);
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}

fn signal(name: &str) -> Result<Signal> {
    match name {
        "INT" => Ok(Signal::INT),
        "TERM" => Ok(Signal::TERM),
        "KILL" => Ok(Signal::KILL),
        "HUP" => Ok(Signal::HUP),
        other => Err(format!("'{other}' is not INT, TERM, HUP or KILL")),
    }
}
