//! Feeds pseudo-random inputs to the target for a given time. Checks run in a child process, so that a crash is a finding and not the end.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use wasmrt_fuzz::{Engines, Finding, Guest, Report, bytes, check, check_guest, module};

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const USAGE: &str = "usage: soak [--seconds N] [--seed N] [--first N]   checks inputs, starting with the first
       soak --seed N --only N [--save FILE]      checks one input, and writes its module to a file
       soak --seed N --file FILE                 checks a module, binary or text";

/// A check that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// After so many inputs a child makes place for another, and says how often it did what.
const BATCH: u64 = 2_000;
const COUNTED: u64 = 50;

#[derive(Debug)]
struct Asked {
    seconds: u64,
    seed: u64,
    first: u64,
    only: Option<u64>,
    save: Option<String>,
    file: Option<String>,
    child: bool,
}

fn main() -> ExitCode {
    let asked = match asked() {
        Ok(asked) => asked,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let result = match (asked.only, &asked.file) {
        (Some(index), _) => one(&asked, index),
        (None, Some(file)) => file_of(&asked, file),
        _ if asked.child => batch(&asked).map(|()| true),
        _ => soak(&asked),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "soak: {error}");
            ExitCode::from(2)
        }
    }
}

fn asked() -> Result<Asked> {
    let mut asked = Asked { seconds: 60, seed: 1, first: 0, only: None, save: None, file: None, child: false };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} takes a value"));
        match arg.as_str() {
            "--seconds" => asked.seconds = value()?.parse()?,
            "--seed" => asked.seed = value()?.parse()?,
            "--first" => asked.first = value()?.parse()?,
            "--only" => asked.only = Some(value()?.parse()?),
            "--save" => asked.save = Some(value()?),
            "--file" => asked.file = Some(value()?),
            "--child" => asked.child = true,
            _ => return Err(format!("{arg} is not known").into()),
        }
    }
    Ok(asked)
}

/// Checks one input. False when it does not agree.
fn one(asked: &Asked, index: u64) -> Result<bool> {
    let data = bytes(asked.seed, index);
    if let Some(path) = &asked.save {
        std::fs::write(path, module(&data).ok_or("these bytes make no module")?)?;
    }
    tell(check(&Engines::load()?, &data))
}

/// Checks a module in a file.
fn file_of(asked: &Asked, file: &str) -> Result<bool> {
    let guest = Guest::new(&std::fs::read(file)?, asked.seed)?;
    tell(check_guest(&Engines::load()?, &guest))
}

fn tell(result: Result<Report, Finding>) -> Result<bool> {
    let mut out = std::io::stdout().lock();
    match result {
        Ok(report) => {
            write!(out, "{report}")?;
            Ok(true)
        }
        Err(finding) => {
            writeln!(out, "{finding}")?;
            Ok(false)
        }
    }
}

/// The child: says which input comes next, what was found, and counts.
fn batch(asked: &Asked) -> Result<()> {
    // A finding is told once, by the parent.
    std::panic::set_hook(Box::new(|_| ()));
    let engines = Engines::load()?;
    let mut out = std::io::stdout().lock();
    let mut report = Report::default();
    for index in asked.first..asked.first.saturating_add(BATCH) {
        writeln!(out, "at {index}")?;
        out.flush()?;
        match check(&engines, &bytes(asked.seed, index)) {
            Ok(counts) => report.merge(&counts),
            Err(finding) => {
                let text = finding.to_string().replace('\n', " | ");
                writeln!(out, "found {text}")?;
            }
        }
        if (index + 1) % COUNTED == 0 {
            for line in std::mem::take(&mut report).to_string().lines() {
                writeln!(out, "count {line}")?;
            }
        }
    }
    for line in report.to_string().lines() {
        writeln!(out, "count {line}")?;
    }
    Ok(())
}

/// The parent: starts children until the time is over. False when anything was found.
fn soak(asked: &Asked) -> Result<bool> {
    let begin = Instant::now();
    let end = begin + Duration::from_secs(asked.seconds);
    let mut out = std::io::stdout().lock();
    let (mut next, mut findings) = (asked.first, 0u64);
    let mut report = Report::default();
    while Instant::now() < end {
        let mut child = start(asked.seed, next)?;
        let lines = lines(&mut child)?;
        let mut at = None;
        let mut over = false;
        let stopped = loop {
            match lines.recv_timeout(PATIENCE) {
                Ok(line) => match line.split_once(' ') {
                    Some(("at", index)) => {
                        at = index.parse().ok();
                        over = Instant::now() >= end;
                        if over {
                            break None;
                        }
                    }
                    Some(("found", text)) => {
                        findings += 1;
                        writeln!(out, "finding: --seed {} --only {}: {text}", asked.seed, at.unwrap_or(next))?;
                    }
                    Some(("count", counts)) => report.merge(&Report::parse(counts)),
                    _ => {}
                },
                Err(RecvTimeoutError::Timeout) => break Some("it hangs".to_owned()),
                Err(RecvTimeoutError::Disconnected) => break None,
            }
        };
        if over || stopped.is_some() {
            child.kill()?;
        }
        let status = child.wait()?;
        let stopped = stopped.or_else(|| (!over && !status.success()).then(|| format!("the process ended: {status}")));
        if let Some(why) = stopped {
            findings += 1;
            writeln!(out, "finding: --seed {} --only {}: {why}", asked.seed, at.unwrap_or(next))?;
            next = at.unwrap_or(next) + 1;
        } else if !over {
            next += BATCH;
            let seconds = begin.elapsed().as_secs();
            writeln!(out, "after {seconds} s: next is --first {next}, {findings} findings")?;
        }
        out.flush()?;
    }
    writeln!(out, "seed {}, {} s, {findings} findings\n{report}", asked.seed, begin.elapsed().as_secs())?;
    Ok(findings == 0)
}

fn start(seed: u64, first: u64) -> Result<Child> {
    let (seed, first) = (seed.to_string(), first.to_string());
    let args = ["--child", "--seed", &seed, "--first", &first];
    Ok(Command::new(std::env::current_exe()?).args(args).stdout(Stdio::piped()).spawn()?)
}

fn lines(child: &mut Child) -> Result<Receiver<String>> {
    let stdout = child.stdout.take().ok_or("a child without output")?;
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(|line| line.ok()) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}
