//! A case: where it stands, what it asks for and what it expects. Reading one is strict: an unknown key is an error, so that an
//! expectation with a misspelt name cannot pass by not being looked at.

use crate::guest::GuestSource;
use crate::network::{Client, Peer, Wanted};
use crate::swap::Swap;
use crate::tree::{After, Before};
use crate::{Result, script};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// What stands for the machine's own name, anywhere in a case.
const HOSTNAME: &str = "{hostname}";

/// A case as it was read.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its path below `tests/cases` without the extension: `wasi/fd_read`.
    pub name: String,
    /// What it asks for and expects.
    pub header: Header,
    /// Its guest.
    pub guest: GuestSource,
}

/// The header of a case, as TOML.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// What it shows, in one sentence.
    pub about: String,
    /// The rows of the list of hostile guests that it belongs to.
    #[serde(default)]
    pub rows: Vec<u32>,
    /// The guest, in a `.case` file.
    pub guest: Option<GuestSource>,
    /// A fragment of a RunSpec, in its own terms; `{tmp}` stands for a fresh directory.
    #[serde(default)]
    pub spec: serde_json::Map<String, serde_json::Value>,
    /// A script for the guest `rust/calls`: lines `CALL => RESULT`.
    pub calls: Option<String>,
    /// What the guest reads.
    #[serde(default)]
    pub stdin: Stdin,
    /// Files that are there before.
    #[serde(default)]
    pub before: Vec<Before>,
    /// Names that are exchanged all the while.
    #[serde(default)]
    pub swaps: Vec<Swap>,
    /// Files that have to be there afterwards, or not.
    #[serde(default)]
    pub after: Vec<After>,
    /// Ports of this machine for the guest, `NAME` or `NAME/udp`; `{port:NAME}` stands for the number.
    #[serde(default)]
    pub ports: Vec<String>,
    /// Whom the guest may try to reach.
    #[serde(default)]
    pub peers: Vec<Peer>,
    /// Who tries to reach the guest.
    #[serde(default)]
    pub clients: Vec<Client>,
    /// Proposals, abilities of wasmrt and abilities of the machine without which it cannot be run.
    #[serde(default)]
    pub requires: Vec<String>,
    /// Variables in the environment of the front-end's own process.
    #[serde(default)]
    pub host_env: std::collections::BTreeMap<String, String>,
    /// Command-line flags instead of `spec`: a case of the CLI alone.
    pub flags: Option<Vec<String>>,
    /// The file name under which the module is handed to the front-end; `guest.wasm` when left out.
    pub file_name: Option<String>,
    /// Run once, with the engine that wasmrt chooses, instead of on each.
    #[serde(default)]
    pub any_engine: bool,
    /// A signal for the CLI while the guest runs.
    pub interrupt: Option<Interrupt>,
    /// How often the case is run in a row, with the same expectation each time.
    #[serde(default = "once")]
    pub times: u32,
    /// Why engines may differ in what they print or leave behind, although each meets the expectation: the time decides, say.
    pub varies: Option<String>,
    /// What has to come of it.
    #[serde(default)]
    pub expect: Expect,
}

fn once() -> u32 {
    1
}

/// Where standard input comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Stdin {
    /// End of file at once.
    #[default]
    Empty,
    /// A pipe to which nothing is written and which is not closed before the run is over.
    Held,
    /// This text, then end of file.
    #[serde(untagged)]
    Text(String),
    /// This text so many times, then end of file.
    #[serde(untagged)]
    Repeated {
        /// The text.
        text: String,
        /// How many times.
        times: usize,
    },
}

/// A signal that is sent to the front-end's process.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interrupt {
    /// `INT`, `TERM` or `KILL`.
    pub signal: String,
    /// It is sent when standard output contains this.
    pub when: String,
}

/// What has to come of a run. One ending (`exit`, `trap`, ...) is meant; without one it is `exit = 0`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// The guest ends by itself with this code, all 32 bits of it.
    pub exit: Option<u32>,
    /// The guest traps with this kind.
    pub trap: Option<String>,
    /// The guest runs into this limit.
    pub limit: Option<String>,
    /// A signal ends the guest.
    pub signal: Option<i32>,
    /// The guest does not run: an error of this kind.
    pub error: Option<String>,
    /// The front-end itself is killed by the interrupt: there is no report, and nothing of it is left.
    #[serde(default)]
    pub killed: bool,
    /// The exit code of the front-end's process. It follows from the ending; given, it is checked against the rule as well.
    pub code: Option<u8>,
    /// Standard output, exactly.
    pub stdout: Option<String>,
    /// Parts of standard output.
    pub stdout_contains: Vec<String>,
    /// The number of bytes on standard output.
    pub stdout_bytes: Option<usize>,
    /// The guest's standard error, exactly.
    pub stderr: Option<String>,
    /// Parts of the guest's standard error.
    pub stderr_contains: Vec<String>,
    /// What the error has to name.
    pub mentions: Vec<String>,
    /// The results of an invoked export, as in the report.
    pub results: Option<Vec<serde_json::Value>>,
    /// Function names of the backtrace, innermost first: these must occur in this order. Nothing may be there when the engine tells none.
    pub backtrace: Vec<String>,
    /// Figures of the report, by name: exact.
    pub usage: std::collections::BTreeMap<String, u64>,
    /// The run must have taken less than this many seconds of wall-clock time.
    pub within_seconds: Option<u64>,
    /// At least one line must have been noted as refused by the host, naming each of these.
    pub refusals: Vec<String>,
}

impl Case {
    /// Reads the case at `path`, below `root`.
    ///
    /// # Errors
    /// What is wrong with the file, naming it.
    pub fn read(root: &Path, path: &Path) -> Result<Self> {
        Self::parse(root, path).map_err(|complaint| format!("{}: {complaint}", path.display()))
    }

    fn parse(root: &Path, path: &Path) -> Result<Self> {
        let name = path.strip_prefix(root).map_err(|error| error.to_string())?.with_extension("");
        let name = name.to_str().ok_or("its name is not UTF-8")?.to_owned();
        let mut text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        if text.contains(HOSTNAME) {
            let name = std::fs::read_to_string("/proc/sys/kernel/hostname").map_err(|error| error.to_string())?;
            text = text.replace(HOSTNAME, name.trim());
        }
        let is_wat = path.extension().is_some_and(|extension| extension == "wat");
        let header = if is_wat { leading_comment(&text) } else { text.clone() };
        let mut header: Header = toml::from_str(&header).map_err(|error| error.to_string())?;
        if let Some(lines) = &header.calls {
            script::apply(&lines.clone(), &mut header)?;
        }
        let guest = match (header.guest.take(), is_wat) {
            (None, true) => GuestSource::Wat { path: path.to_owned() },
            (Some(guest), false) => guest,
            (Some(_), true) => return Err("a .wat file is its own guest: it names no other".to_owned()),
            (None, false) => return Err("a .case file names its guest".to_owned()),
        };
        header.check()?;
        Ok(Self { name, header, guest })
    }

    /// All cases below a directory, by name.
    ///
    /// # Errors
    /// The first file that cannot be read as a case.
    pub fn all(root: &Path) -> Result<Vec<Self>> {
        let mut paths = Vec::new();
        collect(root, &mut paths).map_err(|error| format!("{}: {error}", root.display()))?;
        paths.sort();
        paths.iter().map(|path| Self::read(root, path)).collect()
    }
}

impl Header {
    fn check(&self) -> Result<()> {
        let expect = &self.expect;
        let endings = [
            expect.exit.is_some(),
            expect.trap.is_some(),
            expect.limit.is_some(),
            expect.signal.is_some(),
            expect.error.is_some(),
            expect.killed,
        ];
        if endings.iter().filter(|given| **given).count() > 1 {
            return Err("a run ends in one way: expect names several".to_owned());
        }
        if !expect.mentions.is_empty() && expect.error.is_none() {
            return Err("'mentions' is about an error, and none is expected".to_owned());
        }
        if self.flags.is_some() && !self.spec.is_empty() {
            return Err("a case has flags or a spec".to_owned());
        }
        for key in ["engine", "aot", "optimize"] {
            if self.spec.contains_key(key) && !self.any_engine {
                return Err(format!("spec.{key} is the harness's to set, but for a case with any_engine"));
            }
        }
        if self.about.trim().is_empty() {
            return Err("'about' says nothing".to_owned());
        }
        Ok(())
    }

    /// What it asks for of the network around it.
    #[must_use]
    pub fn network(&self) -> Wanted<'_> {
        Wanted { ports: &self.ports, peers: &self.peers, clients: &self.clients }
    }

    /// Whether only the CLI can run it.
    #[must_use]
    pub fn is_for_cli(&self) -> bool {
        self.flags.is_some() || self.interrupt.is_some()
    }
}

/// The TOML in a .wat file: its leading lines that begin with `;;!`.
fn leading_comment(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix(";;!"));
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

fn collect(directory: &Path, paths: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "wat" || extension == "case") {
            paths.push(path);
        }
    }
    Ok(())
}
