//! Native code for the next container of the same program, made beside the one that is interpreted meanwhile.
//!
//! The compiler is this program once more, in a session of its own, and outlives the shim of a container that is over at once. It has what the
//! machine has to spare, is the first to go where memory is short, and shims that share a cache have one at a time.

use crate::serve;
use crate::words::sentence;
use rustix::fs::{FlockOperation, MemfdFlags, Mode, OFlags};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use wasmrt_model::{Ceiling, EngineChoice, EngineName, Error, ErrorKind, Result, RunSpec};
use wasmrt_runtime::{ArtifactCache, RunOptions, Runtime, RuntimeConfig};

/// What this program is called with for it.
pub(crate) const ARGUMENT: &str = "--compile";

/// What lists of processes show.
const NAME: &std::ffi::CStr = c"wasmrt-compile";

/// Compilers that were started here, and have not ended.
static UNDER_WAY: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// What is to be compiled, and who says so. The module goes beside it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Later {
    engine: EngineChoice,
    config: Option<PathBuf>,
    spec: RunSpec,
    ceiling: Ceiling,
}

impl Later {
    /// Code for this engine, for guests with the limits of this one.
    pub(crate) fn of(
        engine: EngineName,
        like: &RunSpec,
        ceiling: Ceiling,
        shim: (EngineChoice, Option<PathBuf>),
    ) -> Self {
        let mut spec = RunSpec::default();
        spec.engine = EngineChoice::Named(engine);
        spec.optimize = like.optimize;
        spec.limits = like.limits;
        Self { engine: shim.0, config: shim.1, spec, ceiling }
    }
}

/// The module as a file that keeps nothing of the container's in use.
///
/// # Errors
/// The system's.
pub(crate) fn in_memory(module: &[u8]) -> Result<OwnedFd> {
    let failed = |source| Error::io("cannot put the module aside", source);
    let file = rustix::fs::memfd_create(c"module", MemfdFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
    let mut file = File::from(file);
    file.write_all(module).and_then(|()| file.rewind()).map_err(failed)?;
    Ok(file.into())
}

/// Begins to compile, and keeps nobody waiting. What comes of it is only told to those who read the shim's log.
pub(crate) fn begin((later, module): (Later, OwnedFd)) {
    let watch = move || match start(&later, module) {
        Ok(child) => watch(child),
        Err(error) => log::warn!("cannot compile beside the container: {}", sentence(&error)),
    };
    let thread = std::thread::Builder::new().name("background".to_owned()).stack_size(128 << 10);
    if let Err(error) = thread.spawn(watch) {
        log::warn!("cannot compile beside the container: {error}");
    }
}

fn start(later: &Later, module: OwnedFd) -> Result<Child> {
    let failed = |source| Error::io("cannot start the compiler", source);
    let later = serde_json::to_string(later).map_err(|source| {
        Error::new(ErrorKind::Internal, "what is to be compiled cannot be written down").with_source(source)
    })?;
    let mut command = Command::new("/proc/self/exe");
    command.arg0(std::env::args_os().next().unwrap_or_default()).arg(ARGUMENT).arg(later);
    command.stdin(module).stdout(Stdio::null()).stderr(Stdio::piped()).current_dir("/");
    let mut under_way = under_way();
    let child = command.spawn().map_err(failed)?;
    under_way.insert(child.id().cast_signed());
    Ok(child)
}

fn watch(mut child: Child) {
    let pid = child.id().cast_signed();
    let mut said = String::new();
    if let Some(stderr) = &mut child.stderr {
        // What cannot be read is not told.
        let _ = stderr.read_to_string(&mut said);
    }
    let ended = child.wait();
    under_way().remove(&pid);
    if !ended.is_ok_and(|status| status.success()) {
        log::warn!("nothing was compiled beside the container: {}", said.trim());
    }
}

fn under_way() -> MutexGuard<'static, BTreeSet<i32>> {
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The compilers among the children of this process.
pub(crate) fn processes() -> Vec<i32> {
    under_way().iter().copied().collect()
}

/// The compiler: reads the module from standard input.
pub(crate) fn main(arguments: &[OsString]) -> ExitCode {
    match compile(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The shim may be gone.
            let _ = writeln!(std::io::stderr(), "{}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

fn compile(arguments: &[OsString]) -> Result<()> {
    let later = arguments.get(2).and_then(|later| later.to_str()).unwrap_or_default();
    let Later { engine, config, spec, ceiling } = serde_json::from_str(later).map_err(|source| {
        Error::new(ErrorKind::InvalidInput, "nobody but the shim can ask for this").with_source(source)
    })?;
    stand_back();
    let cache = serve::cache(engine, config.as_deref())?;
    let _turn = turn(ArtifactCache::open(&cache)?.path())?;
    let mut module = Vec::new();
    std::io::stdin().read_to_end(&mut module).map_err(|source| Error::io("cannot read the module", source))?;
    let mut config = RuntimeConfig::default();
    config.cache = cache;
    config.ceiling = ceiling;
    Runtime::new(config).compile(&module, &spec, RunOptions::default()).map(drop)
}

/// Leaves everything to others that they want. None of it is needed to compile.
fn stand_back() {
    const LAST: i32 = 19;
    let _ = rustix::thread::set_name(NAME);
    let _ = rustix::process::setsid();
    let _ = rustix::process::setpriority_process(None, LAST);
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
}

/// Waits until nobody else compiles for this cache: somebody may make the same, which is then there.
fn turn(cache: &Path) -> Result<OwnedFd> {
    let failed = |errno: rustix::io::Errno| Error::io("cannot wait for other compilers", errno.into());
    let directory = rustix::fs::open(cache, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let directory = directory.map_err(failed)?;
    loop {
        match rustix::fs::flock(&directory, FlockOperation::LockExclusive) {
            Err(rustix::io::Errno::INTR) => {}
            locked => return locked.map(|()| directory).map_err(failed),
        }
    }
}
