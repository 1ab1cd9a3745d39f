//! wasmtime's side, through its own crate and with the very settings of our backend.

use super::{Failure, World};
use crate::value::{Hierarchy, Reference, Value};
use std::collections::HashMap;
use wasmtime::{AnyRef, Engine, ExternRef, HeapType, Instance, Module, Store, ThrownException, Trap, V128, Val};

/// Instances in one store.
pub struct Wasmtime {
    store: Store<()>,
    instances: Vec<Instance>,
}

impl std::fmt::Debug for Wasmtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wasmtime").field("instances", &self.instances.len()).finish_non_exhaustive()
    }
}

impl Wasmtime {
    /// A world without instances.
    ///
    /// # Errors
    /// When wasmtime does not run on this machine.
    pub fn new() -> crate::Result<Self> {
        let engine: Engine = wasmrt_wasmtime::linking::engine().map_err(|error| error.to_string())?;
        Ok(Self { store: Store::new(&engine, ()), instances: Vec::new() })
    }

    fn compile(&self, wasm: &[u8]) -> Result<Module, Failure> {
        Module::new(self.store.engine(), wasm).map_err(|error| Failure::Rejected(format!("{error:#}")))
    }

    /// What an error of running guest code means. Anything else is a failure to link.
    fn failure(&mut self, error: &wasmtime::Error, otherwise: fn(String) -> Failure) -> Failure {
        if error.is::<ThrownException>() {
            self.store.take_pending_exception();
            return Failure::Exception;
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::StackOverflow) => Failure::Exhausted,
            Some(trap) => Failure::Trap(format!("{trap:?}")),
            None => otherwise(format!("{error:#}")),
        }
    }

    fn lower(&mut self, value: Value) -> Result<Val, Failure> {
        let other = |error: wasmtime::Error| Failure::Other(error.to_string());
        Ok(match value {
            Value::I32(bits) => Val::I32(bits.cast_signed()),
            Value::I64(bits) => Val::I64(bits.cast_signed()),
            Value::F32(bits) => Val::F32(bits),
            Value::F64(bits) => Val::F64(bits),
            Value::V128(bits) => Val::V128(V128::from(bits)),
            Value::Ref(Reference::Null(hierarchy)) => Val::null_ref(match hierarchy {
                Hierarchy::Function => &HeapType::NoFunc,
                Hierarchy::Extern => &HeapType::NoExtern,
                Hierarchy::Any => &HeapType::None,
                Hierarchy::Exception => &HeapType::NoExn,
            }),
            Value::Ref(Reference::Extern(number)) => {
                Val::ExternRef(Some(ExternRef::new(&mut self.store, number).map_err(other)?))
            }
            Value::Ref(Reference::Host(number)) => {
                let outside = ExternRef::new(&mut self.store, number).map_err(other)?;
                Val::AnyRef(Some(AnyRef::convert_extern(&mut self.store, outside).map_err(other)?))
            }
            Value::Ref(reference) => return Err(Failure::Other(format!("{reference:?} cannot be passed"))),
        })
    }

    fn lift(&mut self, value: &Val) -> wasmtime::Result<Value> {
        let reference = match value {
            Val::I32(value) => return Ok(Value::I32(value.cast_unsigned())),
            Val::I64(value) => return Ok(Value::I64(value.cast_unsigned())),
            Val::F32(bits) => return Ok(Value::F32(*bits)),
            Val::F64(bits) => return Ok(Value::F64(*bits)),
            Val::V128(value) => return Ok(Value::V128(value.as_u128())),
            Val::FuncRef(None) => Reference::Null(Hierarchy::Function),
            Val::FuncRef(Some(_)) => Reference::Function,
            Val::ExternRef(None) => Reference::Null(Hierarchy::Extern),
            Val::ExternRef(Some(outside)) => match host_number(outside.data(&self.store)?) {
                Some(number) => Reference::Extern(number),
                None => Reference::Other,
            },
            Val::AnyRef(None) => Reference::Null(Hierarchy::Any),
            Val::AnyRef(Some(any)) if any.is_i31(&self.store)? => Reference::I31,
            Val::AnyRef(Some(any)) if any.is_struct(&self.store)? => Reference::Struct,
            Val::AnyRef(Some(any)) if any.is_array(&self.store)? => Reference::Array,
            Val::AnyRef(Some(any)) => {
                let outside = ExternRef::convert_any(&mut self.store, *any)?;
                host_number(outside.data(&self.store)?).map_or(Reference::Other, Reference::Host)
            }
            Val::ExnRef(None) => Reference::Null(Hierarchy::Exception),
            _ => Reference::Other,
        };
        Ok(Value::Ref(reference))
    }
}

fn host_number(data: Option<&(dyn std::any::Any + Send + Sync)>) -> Option<u32> {
    data?.downcast_ref().copied()
}

impl World for Wasmtime {
    fn check(&mut self, wasm: &[u8]) -> Result<(), Failure> {
        self.compile(wasm).map(drop)
    }

    fn instantiate(&mut self, wasm: &[u8], _alias: Option<&str>, offers: &[(&str, usize)]) -> Result<usize, Failure> {
        let module = self.compile(wasm)?;
        let offers: HashMap<_, _> = offers.iter().copied().collect();
        let mut imports = Vec::new();
        for import in module.imports() {
            let instance = offers.get(import.module()).and_then(|offer| self.instances.get(*offer));
            let found = instance.and_then(|instance| instance.get_export(&mut self.store, import.name()));
            let missing = || Failure::Unlinkable(format!("nobody offers {}.{}", import.module(), import.name()));
            imports.push(found.ok_or_else(missing)?);
        }
        let instance = Instance::new(&mut self.store, &module, &imports);
        let instance = instance.map_err(|error| self.failure(&error, Failure::Unlinkable))?;
        self.instances.push(instance);
        Ok(self.instances.len() - 1)
    }

    fn call(&mut self, instance: usize, export: &str, args: &[Value]) -> Result<Vec<Value>, Failure> {
        let instance = self.instances.get(instance).copied();
        let function = instance.and_then(|instance| instance.get_func(&mut self.store, export));
        let function = function.ok_or_else(|| Failure::Other(format!("there is no function {export}")))?;
        let args = args.iter().map(|arg| self.lower(*arg)).collect::<Result<Vec<_>, _>>()?;
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        let called = function.call(&mut self.store, &args, &mut results);
        called.map_err(|error| self.failure(&error, Failure::Other))?;
        let results = results.iter().map(|result| self.lift(result)).collect::<wasmtime::Result<_>>();
        results.map_err(|error| Failure::Other(error.to_string()))
    }

    fn global(&mut self, instance: usize, export: &str) -> Option<Value> {
        let global = self.instances.get(instance).copied()?.get_global(&mut self.store, export)?;
        let value = global.get(&mut self.store);
        self.lift(&value).ok()
    }

    fn set_global(&mut self, instance: usize, export: &str, value: i64) -> bool {
        let instance = self.instances.get(instance).copied();
        let global = instance.and_then(|instance| instance.get_global(&mut self.store, export));
        global.is_some_and(|global| global.set(&mut self.store, Val::I64(value)).is_ok())
    }

    fn renew(&mut self) -> crate::Result<()> {
        *self = Self::new()?;
        Ok(())
    }

    fn bounds_recursion(&self) -> bool {
        true
    }
}
