//! A directory and a cache of one test's own, and `wasm-run` in it.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// The binary under test.
pub(crate) const WASM_RUN: &str = env!("CARGO_BIN_EXE_wasm-run");

/// Where one test works.
pub(crate) struct Room {
    directory: TempDir,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// A room with one file in it.
    pub(crate) fn with(name: &str, content: impl AsRef<[u8]>) -> Self {
        let room = Self::new();
        room.write(name, content);
        room
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// `wasm-run` with these words, not yet started. Its stdin is empty.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(WASM_RUN);
        command.args(words);
        self.settle(&mut command);
        command
    }

    /// Makes any command work in this room.
    pub(crate) fn settle(&self, command: &mut Command) {
        command.current_dir(self.directory.path());
        command.env("WASMRT_CACHE_DIR", self.directory.path().join("cache"));
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        command.stdin(Stdio::null());
    }

    /// `wasm-run` with these words, to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        Ended::from(self.command(words).output().unwrap())
    }

    /// The same on one engine.
    pub(crate) fn run_on(&self, engine: &str, words: &[&str]) -> Ended {
        let words: Vec<&str> = ["--engine", engine].into_iter().chain(words.iter().copied()).collect();
        self.run(&words)
    }

    /// `wasm-run` with these words and this on its stdin, to its end.
    pub(crate) fn run_with_input(&self, words: &[&str], input: &[u8]) -> Ended {
        let file = tempfile::NamedTempFile::new_in(self.directory.path()).unwrap();
        std::fs::write(file.path(), input).unwrap();
        let mut command = self.command(words);
        command.stdin(file.reopen().unwrap());
        Ended::from(command.output().unwrap())
    }

    /// `wasm-run` with these words, started, its streams in our hands.
    pub(crate) fn start(&self, words: &[&str]) -> Child {
        let mut command = self.command(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; a signal is a failure of the test.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("wasm-run was killed"),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ended {
    /// Checks the exit code and shows all of it when it is another.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// How many errors and endings wasm-run told of. Notes do not count: a slow machine has more of them.
    pub(crate) fn said(&self) -> usize {
        let ours = self.stderr.lines().filter_map(|line| line.strip_prefix("wasm-run: "));
        ours.filter(|line| !line.starts_with("note: ")).count()
    }

    /// stdout as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// The engines to try guests on.
pub(crate) fn engines() -> &'static [String] {
    static ENGINES: OnceLock<Vec<String>> = OnceLock::new();
    ENGINES.get_or_init(|| {
        let listed = Room::new().run(&["engines", "--json"]).expect(0).json();
        let engines: Vec<String> = listed
            .as_array()
            .unwrap()
            .iter()
            .filter(|engine| engine["available"] == true)
            .map(|engine| engine["name"].as_str().unwrap().to_owned())
            .collect();
        for name in ["wasmtime", "wasmedge"] {
            let required = name == "wasmtime" || is_required(name);
            assert!(
                !required || engines.iter().any(|engine| engine == name),
                "{name} is required and not here: {listed}"
            );
        }
        engines
    })
}

/// Whether `WASMRT_REQUIRE`, words with commas between them, has this one.
pub(crate) fn is_required(word: &str) -> bool {
    std::env::var("WASMRT_REQUIRE").unwrap_or_default().split([',', ' ']).any(|required| required == word)
}

/// Whether a program is on this machine.
pub(crate) fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory: PathBuf| Path::new(&directory).join(program).is_file())
}
