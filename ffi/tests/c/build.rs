//! Compiling programs against the library, and running them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Where this package is.
pub(crate) fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Where the library was built: beside the programs of the workspace.
pub(crate) fn libraries() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let directory = program.ancestors().nth(2).unwrap().to_owned();
    for name in ["libwasmrt.so", "libwasmrt.a", "wasmrt-worker"] {
        assert!(directory.join(name).is_file(), "{name} is not in {}: `make test-ffi` builds it", directory.display());
    }
    directory
}

/// A language, and what compiles it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    C11,
    Cxx17,
}

/// How a program is linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Linked {
    Shared,
    Static,
}

/// A directory with a compiled program and what it is to run.
pub(crate) struct Workshop {
    pub(crate) directory: TempDir,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A module from its text.
    pub(crate) fn module(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
        path
    }

    /// Compiles a program of this package without a warning.
    pub(crate) fn compile(&self, source: &Path, language: Language, linked: Linked) -> PathBuf {
        let program = self.path(&format!("{language:?}-{linked:?}"));
        let libraries = libraries();
        let (compiler, standard) = match language {
            Language::C11 => ("cc", ["-std=c11", "-x", "c"]),
            Language::Cxx17 => ("c++", ["-std=c++17", "-x", "c++"]),
        };
        let mut command = Command::new(compiler);
        command.args(standard).args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-O1"]);
        command.arg("-I").arg(package().join("include")).arg(source).arg("-o").arg(&program);
        // What follows is no source any more.
        command.args(["-x", "none", "-pthread"]);
        match linked {
            Linked::Shared => {
                command.arg("-L").arg(self.links(&libraries)).arg("-lwasmrt");
                command.arg(format!("-Wl,-rpath,{}", self.links(&libraries).display()));
            }
            Linked::Static => {
                command.arg(libraries.join("libwasmrt.a")).args(private_libraries());
            }
        }
        let output = command.output().expect("a C and a C++ compiler are needed");
        assert!(output.status.success(), "{} does not compile:\n{}", source.display(), text(&output.stderr));
        program
    }

    /// The library under the names that a system has it by.
    fn links(&self, libraries: &Path) -> PathBuf {
        let directory = self.path("lib");
        if !directory.is_dir() {
            std::fs::create_dir(&directory).unwrap();
            for name in ["libwasmrt.so", "libwasmrt.so.0"] {
                std::os::unix::fs::symlink(libraries.join("libwasmrt.so"), directory.join(name)).unwrap();
            }
        }
        directory
    }
}

/// What the static library needs, as the pkg-config file says.
pub(crate) fn private_libraries() -> Vec<String> {
    let file = read(&package().join("wasmrt.pc.in"));
    let line = file.lines().find_map(|line| line.strip_prefix("Libs.private:")).expect("wasmrt.pc.in names them");
    line.split_whitespace().map(str::to_owned).collect()
}

/// Runs a program to its end. It finds wasmrt-worker beside the library.
pub(crate) fn run(command: &mut Command) -> Output {
    let cache = libraries().parent().unwrap().join("wasmrt-tests-cache");
    if !command.get_envs().any(|(name, _)| name == CACHE) {
        command.env(CACHE, cache);
    }
    command.env_remove("WASMRT_WORKER");
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

const CACHE: &str = "WASMRT_CACHE_DIR";

/// Runs a program under valgrind, which ends it with code 99 when it finds a leak or an error. Native code is made anew each time, so that what is looked at does
/// not depend on what ran before.
pub(crate) fn checked(program: &Path) -> Command {
    let mut command = Command::new("valgrind");
    let cache = program.with_extension("cache");
    if cache.is_dir() {
        std::fs::remove_dir_all(&cache).unwrap();
    }
    command.env(CACHE, cache);
    command.args([
        "--quiet",
        "--error-exitcode=99",
        "--leak-check=full",
        "--show-leak-kinds=definite,indirect,possible",
    ]);
    command.args(["--errors-for-leak-kinds=definite,indirect,possible", "--gen-suppressions=all", "--num-callers=30"]);
    command.arg(format!("--suppressions={}", package().join("tests/valgrind.supp").display()));
    command.arg(program);
    command
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What came out of a program that is to end with this code.
pub(crate) fn output(command: &mut Command, code: i32) -> String {
    let output = run(command);
    assert_eq!(
        output.status.code(),
        Some(code),
        "{command:?} ended with {}\n{}\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}
