//! The engine: the loaded library with one set of settings for each way of running.
//!
//! Owns loading, capabilities, compiling and the choice of settings. Does not run anything.

use crate::known::Known;
use crate::module::WasmEdgeModule;
use crate::sys::{self, CompilerSettings, Library, Output, Settings};
use crate::{config, cpu, trap};
use std::ffi::CString;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use wasmrt_model::backend::{Code, CompileOptions, WasmEngine, WasmModule};
use wasmrt_model::{Capabilities, EngineName, Error, ErrorKind, Result, Tier, TierCapabilities};

/// WasmEdge: loaded, or known well enough to be loaded when something is to be run.
#[derive(Debug)]
pub struct WasmEdgeEngine {
    capabilities: Capabilities,
    path: PathBuf,
    version: String,
    /// For a later process, so that it knows as much.
    known: Option<Known>,
    loaded: OnceLock<Loaded>,
}

/// The library with its settings.
#[derive(Debug)]
struct Loaded {
    library: &'static Library,
    interpreter: Arc<Settings>,
    native: Arc<Settings>,
}

impl WasmEdgeEngine {
    /// Finds libwasmedge, checks its version and makes it ready. Starts no threads.
    ///
    /// `WASMEDGE_LIB_DIR`, when it is set, names the one directory to look into. Otherwise the dynamic loader is asked for
    /// `libwasmedge.so.0` and `libwasmedge.so`, then `~/.wasmedge/lib` is tried. The first success holds for the whole
    /// process, and the library is never unloaded.
    ///
    /// # Errors
    /// `EngineUnavailable` when there is no library, or none of a version that is known: it says what was tried.
    pub fn load() -> Result<Self> {
        let loaded = Loaded::new(Library::load()?)?;
        let engine = Self::of(loaded.library.path(), loaded.library.version(), Known::of(loaded.library));
        Ok(Self { loaded: OnceLock::from(loaded), ..engine })
    }

    /// The engine that an earlier process has told of ([`WasmEngine::told`]), not loaded yet. None when anything is no longer as it was.
    #[must_use]
    pub fn recall(told: &str) -> Option<Self> {
        let known = Known::recall(told)?;
        Some(Self::of(&known.path, &known.version, Some(known.clone())))
    }

    fn of(path: &Path, version: &str, known: Option<Known>) -> Self {
        let mut capabilities = Capabilities::new(EngineName::WasmEdge, version);
        capabilities.path = Some(path.to_owned());
        capabilities.tiers = vec![
            TierCapabilities { tier: Tier::Interpreter, features: config::INTERPRETED },
            TierCapabilities { tier: Tier::Baseline, features: config::COMPILED },
            TierCapabilities { tier: Tier::Optimized, features: config::COMPILED },
        ];
        // WasmEdge 0.14 tells nobody where a guest trapped, and a stack overflow in native code is a signal to the process.
        capabilities.backtrace = false;
        capabilities.in_process = vec![Tier::Interpreter];
        Self { capabilities, path: path.to_owned(), version: version.to_owned(), known, loaded: OnceLock::new() }
    }

    fn loaded(&self) -> Result<&Loaded> {
        if let Some(loaded) = self.loaded.get() {
            return Ok(loaded);
        }
        let loaded = Loaded::new(self.as_known(Library::load_file(&self.path)?)?)?;
        Ok(self.loaded.get_or_init(|| loaded))
    }

    /// What was loaded, if it is what was known before.
    fn as_known(&self, library: &'static Library) -> Result<&'static Library> {
        if (library.path(), library.version()) == (self.path.as_path(), self.version.as_str()) {
            return Ok(library);
        }
        Err(Error::new(ErrorKind::EngineUnavailable, "WasmEdge is not what it was known as")
            .with_operation("load engine")
            .with_context("known", format!("{} {}", self.path.display(), self.version))
            .with_context("found", format!("{} {}", library.path().display(), library.version())))
    }

    fn compile_settings(library: &'static Library, options: CompileOptions) -> Result<Settings> {
        let optimize = config::optimization(options)?;
        Settings::new(library, &config::proposals(config::COMPILED), true)
            .map(|settings| settings.with_compiler(CompilerSettings { optimize, output: Output::Native }))
            .ok_or_else(|| Error::new(ErrorKind::Internal, "WasmEdge does not take the settings for its compiler"))
    }
}

impl Loaded {
    fn new(library: &'static Library) -> Result<Self> {
        let settings = |features, native| {
            Settings::new(library, &config::proposals(features), native).map(Arc::new).ok_or_else(|| {
                Error::new(ErrorKind::EngineUnavailable, "WasmEdge does not take the settings that it needs")
                    .with_operation("load engine")
                    .with_context("engine", format!("wasmedge {}", library.version()))
                    .with_context("path", library.path().display())
            })
        };
        Ok(Self {
            library,
            interpreter: settings(config::INTERPRETED, false)?,
            native: settings(config::COMPILED, true)?,
        })
    }
}

impl WasmEngine for WasmEdgeEngine {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn told(&self) -> Option<String> {
        self.known.as_ref().and_then(Known::told)
    }

    fn warm(&self) -> Result<()> {
        self.loaded().map(drop)
    }

    fn fingerprint(&self, options: CompileOptions) -> String {
        let path = &self.path;
        let (size, modified) = std::fs::metadata(path)
            .map_or((0, String::new()), |found| (found.size(), format!("{}.{:09}", found.mtime(), found.mtime_nsec())));
        format!(
            "wasmedge {} path={} size={size} modified={modified} cpu={} {}",
            self.version,
            path.display(),
            cpu::description(),
            config::code_key(options),
        )
    }

    // What LLVM and the linker have to complain about goes to stderr, and cannot be turned off.
    fn compile(&self, module: &[u8], options: CompileOptions, output: &Path) -> Result<()> {
        let failed = |message: &str| {
            Error::new(ErrorKind::CompileFailed, message)
                .with_operation("compile")
                .with_context("engine", format!("wasmedge {}", self.version))
                .with_context("output", output.display())
        };
        let library = self.as_known(Library::load_compiler(&self.path)?)?;
        let settings = Self::compile_settings(library, options)?;
        let path = CString::new(output.as_os_str().as_bytes()).map_err(|_| failed("the path contains a NUL byte"))?;
        // The linker inside WasmEdge complains to stderr and gives no reason, so the likely ones are found out first.
        File::create_new(output)
            .and_then(|_| std::fs::remove_file(output))
            .map_err(|error| failed("the output cannot be created").with_source(error))?;
        sys::compile(&settings, module, &path).map_err(|code| {
            let kind = if trap::is_invalid_module(code) { ErrorKind::InvalidModule } else { ErrorKind::CompileFailed };
            trap::error(library, code, kind, "WasmEdge cannot compile the module").with_operation("compile")
        })?;
        match std::fs::metadata(output) {
            Ok(written) if written.is_file() && written.len() > 0 => Ok(()),
            Ok(_) => Err(failed("WasmEdge wrote an empty file")),
            Err(error) => Err(failed("WasmEdge wrote no file").with_source(error)),
        }
    }

    fn load(&self, code: Code<'_>) -> Result<Box<dyn WasmModule>> {
        let Loaded { library, interpreter, native } = self.loaded()?;
        let (settings, module) = match code {
            Code::Wasm(bytes) => (interpreter, sys::Module::from_bytes(interpreter, bytes)),
            Code::Artifact(file) => {
                check_artifact(&file)?;
                (native, sys::Module::from_artifact(native, file))
            }
        };
        let module = module.map_err(|code| {
            let (kind, message) = if trap::is_invalid_module(code) {
                (ErrorKind::InvalidModule, "WasmEdge rejects the module")
            } else {
                (ErrorKind::Internal, "WasmEdge cannot load the module")
            };
            trap::error(library, code, kind, message).with_operation("load module")
        })?;
        Ok(Box::new(WasmEdgeModule::new(library, Arc::clone(settings), module)))
    }
}

/// WasmEdge takes every kind of file, and would interpret one that holds WebAssembly, or run native code out of its custom
/// sections. Only a shared object is an artifact.
fn check_artifact(file: &File) -> Result<()> {
    let mut magic = [0; 4];
    match file.read_exact_at(&mut magic, 0) {
        Ok(()) if magic == *b"\x7fELF" => Ok(()),
        Ok(()) => Err(Error::new(ErrorKind::Internal, "the artifact is no native code")),
        Err(error) => Err(Error::new(ErrorKind::Internal, "the artifact cannot be read").with_source(error)),
    }
    .map_err(|error| error.with_operation("load module").with_context("engine", "wasmedge"))
}
