//! Commands that are bounded in time, and everything they print.

use crate::{Result, failed};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How long a command may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A command that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The command, for messages.
    pub line: String,
    /// Its exit code; a command that died of a signal has 128 and the signal's number, as shells say it.
    pub code: i32,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Output {
    /// Itself, when its exit code is this one.
    ///
    /// # Errors
    /// The command with everything it printed.
    pub fn expect(self, code: i32) -> Result<Self> {
        if self.code == code { Ok(self) } else { Err(format!("expected exit code {code}\n{self}")) }
    }

    /// Itself, when it was successful.
    ///
    /// # Errors
    /// The command with everything it printed.
    pub fn success(self) -> Result<Self> {
        self.expect(0)
    }

    /// Itself, when it was not successful and its standard error has each of the texts.
    ///
    /// # Errors
    /// The command with everything it printed.
    pub fn refused(self, texts: &[&str]) -> Result<Self> {
        if self.code == 0 {
            return Err(format!("expected a refusal\n{self}"));
        }
        texts.iter().try_fold(self, |output, text| output.complains(text))
    }

    /// Itself, when its standard output has this text.
    ///
    /// # Errors
    /// The command with everything it printed.
    pub fn says(self, text: &str) -> Result<Self> {
        if self.stdout.contains(text) { Ok(self) } else { Err(format!("expected {text:?} on stdout\n{self}")) }
    }

    /// Itself, when its standard error has this text.
    ///
    /// # Errors
    /// The command with everything it printed.
    pub fn complains(self, text: &str) -> Result<Self> {
        if self.stderr.contains(text) { Ok(self) } else { Err(format!("expected {text:?} on stderr\n{self}")) }
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "  $ {}\n  exit code {}", self.line, self.code)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            for line in text.lines() {
                write!(f, "\n  {name}: {line}")?;
            }
        }
        Ok(())
    }
}

/// Runs a command to its end, without standard input.
///
/// # Errors
/// When it cannot be started or does not end in time.
pub fn run(command: Command) -> Result<Output> {
    Running::start(command, Stdio::null())?.finish()
}

/// Runs a command to its end; it reads this text.
///
/// # Errors
/// As [`run`].
pub fn feed(command: Command, input: &str) -> Result<Output> {
    let mut running = Running::start(command, Stdio::piped())?;
    running.write(input)?;
    running.close_input();
    running.finish()
}

/// A command that runs.
#[derive(Debug)]
pub struct Running {
    line: String,
    child: Child,
    input: Option<ChildStdin>,
    stdout: Arc<Stream>,
    stderr: Arc<Stream>,
}

#[derive(Debug, Default)]
struct Stream {
    kept: Mutex<Kept>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    closed: bool,
}

impl Running {
    /// Starts a command whose output is collected.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(mut command: Command, stdin: Stdio) -> Result<Self> {
        let line = line(&command);
        let child = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(failed(&line))?;
        let (stdout, stderr) = (Stream::of(child.stdout.take()), Stream::of(child.stderr.take()));
        Ok(Self { line, input: child.stdin.take(), child, stdout, stderr })
    }

    /// Writes to its standard input.
    ///
    /// # Errors
    /// When it does not read, or has no pipe there.
    pub fn write(&mut self, text: &str) -> Result<()> {
        let input = self.input.as_mut().ok_or("its standard input is no pipe, or closed")?;
        input.write_all(text.as_bytes()).map_err(failed(&self.line))
    }

    /// Closes its standard input.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// Waits until it has printed this text to standard output.
    ///
    /// # Errors
    /// What it printed instead.
    pub fn wait_for(&self, text: &str) -> Result<()> {
        self.wait_for_within(text, PATIENCE)
    }

    /// As [`wait_for`](Self::wait_for), with another patience.
    ///
    /// # Errors
    /// What it printed instead.
    pub fn wait_for_within(&self, text: &str, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        let mut kept = self.stdout.lock()?;
        while !String::from_utf8_lossy(&kept.bytes).contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            if kept.closed || left.is_zero() {
                drop(kept);
                return Err(format!("waited for {text:?}\n{}", self.so_far(-1)));
            }
            kept = self.stdout.changed.wait_timeout(kept, left).map_err(failed("a stream"))?.0;
        }
        Ok(())
    }

    /// What it has printed to standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When that does not come in time.
    pub fn finish(self) -> Result<Output> {
        self.finish_within(PATIENCE)
    }

    /// As [`finish`](Self::finish), with another patience.
    ///
    /// # Errors
    /// When its end does not come in time.
    pub fn finish_within(mut self, patience: Duration) -> Result<Output> {
        self.input = None;
        let deadline = Instant::now() + patience;
        let status = loop {
            if let Some(status) = self.child.try_wait().map_err(failed(&self.line))? {
                break status;
            }
            if Instant::now() >= deadline {
                // Not waited for yet, so the number is still its own. What it started inside a world ends with the world.
                let _ = self.child.kill();
                let _ = self.child.wait();
                return Err(format!("it did not end within {} s\n{}", patience.as_secs(), self.so_far(-1)));
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        for stream in [&self.stdout, &self.stderr] {
            stream.wait_closed(Duration::from_secs(10)).map_err(|complaint| {
                format!("it has ended, but its output stays open ({complaint})\n{}", self.so_far(code(status)))
            })?;
        }
        Ok(self.so_far(code(status)))
    }

    /// Kills the command itself, not what it may have started.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().map_err(failed(&self.line))
    }

    fn so_far(&self, code: i32) -> Output {
        Output { line: self.line.clone(), code, stdout: self.stdout.text(), stderr: self.stderr.text() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Stream {
    fn of(source: Option<impl Read + Send + 'static>) -> Arc<Self> {
        let stream = Arc::new(Self::default());
        let Some(mut source) = source else { return stream };
        let shared = Arc::clone(&stream);
        std::thread::spawn(move || {
            let mut buffer = [0; 16 << 10];
            loop {
                let read = source.read(&mut buffer).unwrap_or(0);
                let Ok(mut kept) = shared.kept.lock() else { return };
                kept.bytes.extend_from_slice(&buffer[..read]);
                kept.closed = read == 0;
                shared.changed.notify_all();
                if kept.closed {
                    return;
                }
            }
        });
        stream
    }

    fn lock(&self) -> Result<std::sync::MutexGuard<'_, Kept>> {
        self.kept.lock().map_err(|_| "a thread died while it read".to_owned())
    }

    fn text(&self) -> String {
        self.lock().map(|kept| String::from_utf8_lossy(&kept.bytes).into_owned()).unwrap_or_default()
    }

    fn wait_closed(&self, patience: Duration) -> Result<()> {
        let kept = self.lock()?;
        let waited = self.changed.wait_timeout_while(kept, patience, |kept| !kept.closed);
        match waited {
            Ok((_, timeout)) if timeout.timed_out() => Err("a process that it left behind holds it".to_owned()),
            Ok(_) => Ok(()),
            Err(_) => Err("a thread died while it read".to_owned()),
        }
    }
}

/// As a user would have typed it, without the way into the world.
fn line(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let mut marks = words.iter().enumerate().filter(|(_, word)| *word == "--").map(|(at, _)| at + 1);
    let start = if words[0] == "nsenter" { marks.nth(1).unwrap_or(0) } else { 0 };
    words[start..].join(" ")
}

fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}
