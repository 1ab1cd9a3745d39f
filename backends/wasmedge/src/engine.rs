//! The engine: the loaded library with one set of settings for each way of running.
//!
//! Owns loading, capabilities, compiling and the choice of settings. Does not run anything.

use crate::module::WasmEdgeModule;
use crate::sys::{self, CompilerSettings, Library, Output, Settings};
use crate::{config, cpu, trap};
use std::ffi::CString;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;
use wasmrt_model::backend::{Code, CompileOptions, WasmEngine, WasmModule};
use wasmrt_model::{Capabilities, EngineName, Error, ErrorKind, Result, Tier, TierCapabilities};

/// WasmEdge, loaded.
#[derive(Debug)]
pub struct WasmEdgeEngine {
    library: &'static Library,
    capabilities: Capabilities,
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
        Self::with_library(Library::load()?)
    }

    fn with_library(library: &'static Library) -> Result<Self> {
        let settings = |features, native| {
            Settings::new(library, &config::proposals(features), native).map(Arc::new).ok_or_else(|| {
                Error::new(ErrorKind::EngineUnavailable, "WasmEdge does not take the settings that it needs")
                    .with_operation("load engine")
                    .with_context("engine", format!("wasmedge {}", library.version()))
                    .with_context("path", library.path().display())
            })
        };
        let mut capabilities = Capabilities::new(EngineName::WasmEdge, library.version());
        capabilities.path = Some(library.path().to_owned());
        capabilities.tiers = vec![
            TierCapabilities { tier: Tier::Interpreter, features: config::INTERPRETED },
            TierCapabilities { tier: Tier::Baseline, features: config::COMPILED },
            TierCapabilities { tier: Tier::Optimized, features: config::COMPILED },
        ];
        // WasmEdge 0.14 tells nobody where a guest trapped, and a stack overflow in native code is a signal to the process.
        capabilities.backtrace = false;
        capabilities.in_process = vec![Tier::Interpreter];
        Ok(Self {
            library,
            capabilities,
            interpreter: settings(config::INTERPRETED, false)?,
            native: settings(config::COMPILED, true)?,
        })
    }

    fn compile_settings(&self, options: CompileOptions) -> Result<Settings> {
        let optimize = config::optimization(options)?;
        Settings::new(self.library, &config::proposals(config::COMPILED), true)
            .map(|settings| settings.with_compiler(CompilerSettings { optimize, output: Output::Native }))
            .ok_or_else(|| Error::new(ErrorKind::Internal, "WasmEdge does not take the settings for its compiler"))
    }
}

impl WasmEngine for WasmEdgeEngine {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn fingerprint(&self, options: CompileOptions) -> String {
        let path = self.library.path();
        let (size, modified) = std::fs::metadata(path)
            .map_or((0, String::new()), |found| (found.size(), format!("{}.{:09}", found.mtime(), found.mtime_nsec())));
        format!(
            "wasmedge {} path={} size={size} modified={modified} cpu={} {}",
            self.library.version(),
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
                .with_context("engine", format!("wasmedge {}", self.library.version()))
                .with_context("output", output.display())
        };
        let settings = self.compile_settings(options)?;
        let path = CString::new(output.as_os_str().as_bytes()).map_err(|_| failed("the path contains a NUL byte"))?;
        // The linker inside WasmEdge complains to stderr and gives no reason, so the likely ones are found out first.
        File::create_new(output)
            .and_then(|_| std::fs::remove_file(output))
            .map_err(|error| failed("the output cannot be created").with_source(error))?;
        sys::compile(&settings, module, &path).map_err(|code| {
            let kind = if trap::is_invalid_module(code) { ErrorKind::InvalidModule } else { ErrorKind::CompileFailed };
            trap::error(self.library, code, kind, "WasmEdge cannot compile the module").with_operation("compile")
        })?;
        match std::fs::metadata(output) {
            Ok(written) if written.is_file() && written.len() > 0 => Ok(()),
            Ok(_) => Err(failed("WasmEdge wrote an empty file")),
            Err(error) => Err(failed("WasmEdge wrote no file").with_source(error)),
        }
    }

    fn load(&self, code: Code<'_>) -> Result<Box<dyn WasmModule>> {
        let (settings, module) = match code {
            Code::Wasm(bytes) => (&self.interpreter, sys::Module::from_bytes(&self.interpreter, bytes)),
            Code::Artifact(file) => {
                check_artifact(&file)?;
                (&self.native, sys::Module::from_artifact(&self.native, file))
            }
        };
        let module = module.map_err(|code| {
            let (kind, message) = if trap::is_invalid_module(code) {
                (ErrorKind::InvalidModule, "WasmEdge rejects the module")
            } else {
                (ErrorKind::Internal, "WasmEdge cannot load the module")
            };
            trap::error(self.library, code, kind, message).with_operation("load module")
        })?;
        Ok(Box::new(WasmEdgeModule::new(self.library, Arc::clone(settings), module)))
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
