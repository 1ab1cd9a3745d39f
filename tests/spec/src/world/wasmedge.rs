//! WasmEdge's side, through our backend's own access to the library, interpreted or as native code made ahead of time.

use super::{Failure, World};
use crate::value::{Hierarchy, Reference, Value};
use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use tempfile::TempDir;
use wasmrt_model::backend::{Code, CompileOptions, Ending, WasmEngine};
use wasmrt_model::{ErrorKind, Tier, TrapKind};
use wasmrt_wasmedge::WasmEdgeEngine;
use wasmrt_wasmedge::linking::{self, Module};

/// Instances in one world of WasmEdge.
#[derive(Debug)]
pub struct WasmEdge {
    world: linking::World,
    /// The names that the instances have for good.
    names: Vec<Option<String>>,
    compiler: Option<Compiler>,
}

/// Native code that was made, by the module that it was made of.
#[derive(Debug)]
struct Compiler {
    engine: WasmEdgeEngine,
    directory: TempDir,
    made: HashMap<Vec<u8>, PathBuf>,
}

impl WasmEdge {
    /// A world that interprets.
    ///
    /// # Errors
    /// When there is no library.
    pub fn interpreted() -> crate::Result<Self> {
        let world = linking::World::interpreted().map_err(|error| error.to_string())?;
        Ok(Self { world, names: Vec::new(), compiler: None })
    }

    /// A world that runs native code, compiled without optimisation.
    ///
    /// # Errors
    /// When there is no library, or no directory for what is compiled.
    pub fn native() -> crate::Result<Self> {
        let world = linking::World::native().map_err(|error| error.to_string())?;
        let engine = WasmEdgeEngine::load().map_err(|error| error.to_string())?;
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let compiler = Some(Compiler { engine, directory, made: HashMap::new() });
        Ok(Self { world, names: Vec::new(), compiler })
    }

    fn load(&mut self, wasm: &[u8]) -> Result<Module, Failure> {
        let rejected = |error: wasmrt_model::Error| Failure::Rejected(error.to_string());
        // Cheaper than asking the compiler, and the same answer.
        let module = self.world.load(Code::Wasm(wasm)).map_err(rejected)?;
        let Some(compiler) = &mut self.compiler else { return Ok(module) };
        let artifact = compiler.artifact(wasm)?;
        self.world.load(Code::Artifact(artifact)).map_err(rejected)
    }
}

impl Compiler {
    fn artifact(&mut self, wasm: &[u8]) -> Result<File, Failure> {
        if !self.made.contains_key(wasm) {
            let output = self.directory.path().join(self.made.len().to_string());
            let options = CompileOptions { tier: Tier::Baseline, optimize: Some(0) };
            let compiled = self.engine.compile(wasm, options, &output);
            compiled.map_err(|error| Failure::Rejected(error.to_string()))?;
            self.made.insert(wasm.to_vec(), output);
        }
        File::open(&self.made[wasm]).map_err(|error| Failure::Other(error.to_string()))
    }
}

fn failure(ending: Ending) -> Failure {
    match ending {
        Ending::Trap(trap) => match trap.kind {
            TrapKind::UncaughtException => Failure::Exception,
            TrapKind::StackOverflow => Failure::Exhausted,
            kind => Failure::Trap(format!("{kind:?}")),
        },
        Ending::Failed(error) if error.kind() == ErrorKind::MissingImports => Failure::Unlinkable(error.to_string()),
        Ending::Failed(error) => Failure::Other(error.to_string()),
        other => Failure::Other(format!("{other:?}")),
    }
}

fn lower(value: Value) -> Result<linking::Value, Failure> {
    Ok(match value {
        Value::I32(bits) => linking::Value::I32(bits),
        Value::I64(bits) => linking::Value::I64(bits),
        Value::F32(bits) => linking::Value::F32(bits),
        Value::F64(bits) => linking::Value::F64(bits),
        Value::V128(bits) => linking::Value::V128(bits),
        Value::Ref(Reference::Null(Hierarchy::Function)) => linking::Value::Null,
        Value::Ref(Reference::Null(Hierarchy::Extern)) => linking::Value::NullExtern,
        Value::Ref(Reference::Extern(number)) => linking::Value::Extern(number),
        Value::Ref(reference) => return Err(Failure::Other(format!("{reference:?} cannot be passed"))),
    })
}

fn lift(value: linking::Value) -> Value {
    match value {
        linking::Value::I32(bits) => Value::I32(bits),
        linking::Value::I64(bits) => Value::I64(bits),
        linking::Value::F32(bits) => Value::F32(bits),
        linking::Value::F64(bits) => Value::F64(bits),
        linking::Value::V128(bits) => Value::V128(bits),
        linking::Value::NullExtern => Value::Ref(Reference::Null(Hierarchy::Extern)),
        linking::Value::Null => Value::Ref(Reference::Null(Hierarchy::Function)),
        linking::Value::Extern(number) => Value::Ref(Reference::Extern(number)),
        // Without garbage collection the only references that are not of the host are those to functions.
        linking::Value::Reference => Value::Ref(Reference::Function),
    }
}

impl World for WasmEdge {
    fn check(&mut self, wasm: &[u8]) -> Result<(), Failure> {
        self.load(wasm).map(drop)
    }

    fn instantiate(&mut self, wasm: &[u8], alias: Option<&str>, offers: &[(&str, usize)]) -> Result<usize, Failure> {
        let module = self.load(wasm)?;
        if let Some((name, _)) = offers.iter().find(|(name, offer)| self.names[*offer].as_deref() != Some(name)) {
            return Err(Failure::Other(format!("WasmEdge cannot offer an instance under a second name, {name}")));
        }
        let offers: Vec<_> = offers.iter().map(|(_, offer)| *offer).collect();
        let instance = self.world.instantiate(module, alias, &offers).map_err(failure)?;
        self.names.push(alias.map(str::to_owned));
        Ok(instance)
    }

    fn call(&mut self, instance: usize, export: &str, args: &[Value]) -> Result<Vec<Value>, Failure> {
        let args = args.iter().map(|arg| lower(*arg)).collect::<Result<Vec<_>, _>>()?;
        let results = self.world.call(instance, export, &args);
        let results = results.ok_or_else(|| Failure::Other(format!("there is no function {export}")))?;
        Ok(results.map_err(failure)?.into_iter().map(lift).collect())
    }

    fn global(&mut self, instance: usize, export: &str) -> Option<Value> {
        self.world.global(instance, export).map(lift)
    }

    fn set_global(&mut self, instance: usize, export: &str, value: i64) -> bool {
        self.world.set_global(instance, export, linking::Value::I64(value.cast_unsigned()))
    }

    fn renew(&mut self) -> crate::Result<()> {
        let world = match &self.compiler {
            Some(_) => linking::World::native(),
            None => linking::World::interpreted(),
        };
        self.world = world.map_err(|error| error.to_string())?;
        self.names.clear();
        Ok(())
    }

    fn bounds_recursion(&self) -> bool {
        // The interpreter fills the memory of the process, and native code runs into the end of its stack.
        false
    }
}
