//! The engine that the suite is run against: in what it differs, and in which ways it runs code.

use crate::hosts::no_host;
use crate::prepared::{Prepared, prepare};
use std::cell::OnceCell;
use std::fmt;
use std::fs::File;
use wasmrt_model::backend::{Code, CompileOptions, Ending, HostFunctions, WasmEngine, WasmInstance, WasmModule};
use wasmrt_model::{Capabilities, ErrorKind, Feature, FeatureSet, Result, Tier};

/// In what engines may differ beyond what their capabilities say. Each is asserted.
#[derive(Debug, Clone, Copy)]
pub struct Differences {
    /// The optimisation levels of each tier, and how the others are refused.
    pub levels: &'static [(Tier, Option<u8>, Option<ErrorKind>)],
    /// Groups of options that make the same code: fingerprints are equal within each and differ between them.
    pub same_code: &'static [&'static [(Tier, Option<u8>)]],
    /// Crates that must be in the lock file in the version that the capabilities name. None when nothing is linked.
    pub crates: &'static [&'static str],
    /// How compiling a broken module, or one that needs an unknown proposal, fails. (Loading one is always `InvalidModule`.)
    pub uncompilable: ErrorKind,
    /// How compiling fails where there is a file already, and where there is no directory.
    pub unwritable: [ErrorKind; 2],
    /// How instantiating fails with a function that is missing or of another type.
    pub mislinked: ErrorKind,
    /// Whether functions with several results can be imported; otherwise they are refused by name when the module is loaded.
    pub imports_several_results: bool,
    /// Whether two imports of one name may be functions of two types; otherwise linking fails.
    pub imports_by_position: bool,
    /// Instructions of features that are claimed for which the compiler has no code all the same: what uses them is refused as invalid.
    pub gaps: &'static [&'static str],
    /// Statements that have to trap, and return all the same.
    pub untrapped: &'static [&'static str],
    /// What becomes of a stack that overflows.
    pub stack_overflow: StackOverflow,
    /// Whether loading WebAssembly, instead of an artifact, may start threads.
    pub threads_in_place: bool,
}

/// What becomes of a stack that overflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StackOverflow {
    /// A trap with a backtrace.
    Traced,
    /// A trap without one.
    Untraced,
    /// Where there is native code, the end of the process: not tried.
    Fatal,
}

/// An engine, as the suite is run against it.
pub struct Subject {
    make: fn() -> Box<dyn WasmEngine>,
    engine: OnceCell<Box<dyn WasmEngine>>,
    test: String,
    /// In what it differs from others.
    pub(crate) differs: Differences,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("test", &self.test).field("differs", &self.differs).finish_non_exhaustive()
    }
}

/// A way in which an engine runs code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// WebAssembly: interpreted, or compiled in place.
    Wasm,
    /// Native code of this tier, compiled to a file.
    Artifact(Tier),
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wasm => f.write_str("wasm"),
            Self::Artifact(tier) => write!(f, "artifact, {tier}"),
        }
    }
}

impl Subject {
    /// The engine that `make` makes, for guests that fit the 2 MiB stacks of the test harness's threads.
    #[must_use]
    pub fn new(make: fn() -> Box<dyn WasmEngine>, differs: Differences) -> Self {
        Self { make, engine: OnceCell::new(), test: String::new(), differs }
    }

    pub(crate) fn in_test(self, test: String) -> Self {
        Self { test, ..self }
    }

    /// The test that it is in, as the test harness calls it.
    pub(crate) fn test(&self) -> &str {
        &self.test
    }

    /// Another engine of the same kind.
    pub(crate) fn new_engine(&self) -> Box<dyn WasmEngine> {
        (self.make)()
    }

    pub(crate) fn engine(&self) -> &dyn WasmEngine {
        &**self.engine.get_or_init(self.make)
    }

    pub(crate) fn capabilities(&self) -> &Capabilities {
        self.engine().capabilities()
    }

    /// Whether every tier has this feature.
    pub(crate) fn has(&self, feature: Feature) -> bool {
        self.capabilities().tiers.iter().all(|tier| tier.features.contains(feature))
    }

    /// The tiers of native code.
    pub(crate) fn native(&self) -> impl Iterator<Item = Tier> + Clone + '_ {
        self.capabilities().tiers.iter().map(|tier| tier.tier).filter(|tier| *tier != Tier::Interpreter)
    }

    pub(crate) fn ways(&self) -> Vec<Way> {
        [Way::Wasm].into_iter().chain(self.native().map(Way::Artifact)).collect()
    }

    /// The features that hold in this way. WebAssembly is for the interpreter, if there is one.
    pub(crate) fn features(&self, way: Way) -> FeatureSet {
        let capabilities = self.capabilities();
        match way {
            Way::Wasm => capabilities.features(Tier::Interpreter).unwrap_or_else(|| capabilities.all_features()),
            Way::Artifact(tier) => capabilities.features(tier).unwrap(),
        }
    }

    /// Compiles to a file, deletes the file, and gives what its descriptor still holds.
    pub(crate) fn compile(&self, wasm: &[u8], options: CompileOptions) -> Result<File> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("artifact");
        self.engine().compile(wasm, options, &path)?;
        Ok(File::open(&path).unwrap())
    }

    pub(crate) fn load(&self, wasm: &[u8], way: Way) -> Result<Box<dyn WasmModule>> {
        match way {
            Way::Wasm => self.engine().load(Code::Wasm(wasm)),
            Way::Artifact(tier) => {
                self.engine().load(Code::Artifact(self.compile(wasm, CompileOptions { tier, optimize: None })?))
            }
        }
    }

    /// Everything from text to instance.
    pub(crate) fn start(
        &self,
        text: &str,
        way: Way,
        host: Box<dyn HostFunctions>,
    ) -> Result<Box<dyn WasmInstance>, Ending> {
        let Prepared { bytes, info, imports } = prepare(text);
        self.load(&bytes, way).unwrap().instantiate(&info, &imports, host)
    }

    /// A guest without imports.
    pub(crate) fn guest(&self, text: &str, way: Way) -> Box<dyn WasmInstance> {
        self.start(text, way, no_host()).unwrap_or_else(|ending| panic!("{way}: {ending:?}: {text}"))
    }
}
