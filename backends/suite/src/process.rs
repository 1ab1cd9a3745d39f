//! Tests that need a process of their own, and what a process takes.

use crate::Subject;
use std::fs;
use std::process::Command;

/// Says in the child which test it is there for.
const CHILD: &str = "WASMRT_TEST_ALONE";

/// Runs one test of this program in a process of its own, ignored or not, after what `before` does to that process, in the shell's words. Returns
/// what the test wrote.
///
/// # Panics
/// When the test fails, or there is none of this name.
pub fn run_alone(test: &str, before: &str) -> String {
    let script = format!("{before}\nexec \"$0\" --include-ignored --exact --nocapture --test-threads=1 \"$1\"");
    let output = Command::new("/bin/sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env(CHILD, test)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}", output.status);
    assert!(said.contains("1 passed"), "the child ran no test: {said}");
    said
}

impl Subject {
    /// Does the work of a test in a process of its own, where no other test allocates, opens files or starts threads.
    pub(crate) fn alone(&self, work: impl FnOnce()) {
        if std::env::var_os(CHILD).is_some_and(|child| *child == *self.test()) {
            work();
        } else {
            run_alone(self.test(), "");
        }
    }
}

/// What this process holds.
#[derive(Debug, Clone, Copy)]
pub struct Footprint {
    /// Resident memory that no file stands for.
    pub anonymous_bytes: i64,
    /// Mappings of any kind.
    pub mappings: usize,
    /// Open descriptors.
    pub files: usize,
}

impl Footprint {
    /// What it holds now.
    ///
    /// # Panics
    /// When the kernel does not say.
    #[must_use]
    pub fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
        let kib: i64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        Self {
            anonymous_bytes: kib * 1024,
            mappings: fs::read_to_string("/proc/self/maps").unwrap().lines().count(),
            files: fs::read_dir("/proc/self/fd").unwrap().count(),
        }
    }

    /// With what threads that came and went may leave: their stacks and heaps, which the C library keeps for the next ones.
    #[must_use]
    pub fn with_room_for_threads(self) -> Self {
        Self { anonymous_bytes: self.anonymous_bytes + (1 << 20), mappings: self.mappings + 64, ..self }
    }

    /// Nothing has been left behind since `before`.
    ///
    /// # Panics
    /// When something has.
    pub fn is_no_more_than(self, before: Self, what: &str) {
        assert!(self.anonymous_bytes < before.anonymous_bytes + (1 << 20), "{what}: {before:?}, then {self:?}");
        assert!(self.mappings < before.mappings + 10, "{what}: {before:?}, then {self:?}");
        assert_eq!(self.files, before.files, "{what}");
    }
}

/// Threads of this process.
pub(crate) fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}
