//! The unsafe side of wasmer: executing an artifact, the memories of an instance as slices, the sizes of guests' stacks, a global that
//! other threads may write.
//!
//! What is offered here can be used without care. Nothing of it knows guests, imports or traps.
#![expect(
    unsafe_code,
    reason = "wasmer hands out memories only as pointers, and loading native code is unsafe by nature"
)]

use std::fmt;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmer::sys::vm::{
    self, MemoryError, MemoryStyle, TableStyle, VMConfig, VMMemory, VMMemoryDefinition, VMTable, VMTableDefinition,
};
use wasmer::sys::{BaseTunables, NativeEngineExt, Tunables};
use wasmer::{
    AsStoreMut, DeserializeError, Engine, Extern, Global, MemoryType, Module, Mutability, Store, TableType, Type,
};

/// The one place where bytes from outside become code. wasmer checks their layout first.
pub(crate) fn load_artifact(engine: &Engine, bytes: Vec<u8>) -> Result<Module, DeserializeError> {
    // SAFETY: executing a forged artifact is undefined behaviour. `Code::Artifact` obliges the caller to have checked that its
    // content is what `compile` wrote, and these bytes are a copy that nobody can change any more.
    unsafe { Module::deserialize(engine, bytes) }
}

/// A store whose instance has a stack of its own size and memories that can be looked at.
///
/// For one instance: the memories of a second one would be added to those of the first.
#[derive(Debug)]
pub(crate) struct Room {
    store: Store,
    ground: Ground,
    flag: Option<Arc<Flag>>,
}

// SAFETY: what is not `Send` in a store is raw pointers into what the store itself owns (the instance, its functions and their
// environments), and the callback of `StoreMut::on_called`, which this crate never sets. Host functions and environments have to be
// `Send` to get into a store, and wasmer keeps nothing for a thread between two calls: its trap handlers are the process's, and it
// notes the stack of a call when the call begins.
unsafe impl Send for Room {}

impl Room {
    /// Room for an instance of a module of this engine, whose calls may use this much stack.
    pub(crate) fn new(engine: &Engine, stack_bytes: usize) -> Self {
        let ground = Ground(Arc::new(Plot {
            base: BaseTunables::new(),
            vm: VMConfig { wasm_stack_size: Some(stack_bytes) },
            memories: Mutex::new(Vec::new()),
        }));
        let mut engine = engine.clone();
        engine.set_tunables(ground.clone());
        Self { store: Store::new(engine), ground, flag: None }
    }

    pub(crate) fn store(&mut self) -> &mut Store {
        &mut self.store
    }

    /// The sizes of all memories that the instance made, in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let bytes = |linear: &Linear| u64::try_from(linear.get().current_length).unwrap_or(u64::MAX);
        self.ground.memories().iter().map(bytes).fold(0, u64::saturating_add)
    }

    /// The memory with this index among those that the instance made, while nothing runs.
    pub(crate) fn memory(&mut self, index: usize) -> Option<&mut [u8]> {
        let memory = self.ground.memories().get(index).map(Linear::get)?;
        let base = NonNull::new(memory.base)?;
        // SAFETY: the memory is the store's, which is borrowed for as long as the slice: neither the guest nor a host function runs.
        // wasmer keeps `current_length` bytes from `base` on readable and writable.
        Some(unsafe { slice::from_raw_parts_mut(base.as_ptr(), memory.current_length) })
    }

    /// A mutable global of type i64, as a flag that other threads may raise. One for a room; asked again, the first one.
    pub(crate) fn flag(&mut self, global: &Global) -> Option<Arc<Flag>> {
        if self.flag.is_none() {
            let kind = global.ty(&self.store);
            if kind.ty != Type::I64 || kind.mutability != Mutability::Var || !global.is_from_store(&self.store) {
                return None;
            }
            let vm::VMExtern::Global(handle) = Extern::Global(global.clone()).to_vm_extern().unwrap_sys() else {
                return None;
            };
            let place = handle.get(self.store.objects_mut().as_sys()).vmglobal();
            self.flag = Some(Arc::new(Flag(Mutex::new(Some(place.cast())))));
        }
        self.flag.clone()
    }

    /// The memories, for host functions that live in the same store.
    pub(crate) fn memories(&self) -> Memories {
        Memories(self.ground.clone())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(flag) = &self.flag {
            *flag.place() = None;
        }
    }
}

/// A global of the guest in a [`Room`], for other threads: it may be written while the guest reads it. Does nothing once the room is gone.
#[derive(Debug)]
pub(crate) struct Flag(Mutex<Option<NonNull<AtomicI64>>>);

impl Flag {
    fn place(&self) -> MutexGuard<'_, Option<NonNull<AtomicI64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes it other than 0.
    pub(crate) fn raise(&self) {
        if let Some(place) = *self.place() {
            // SAFETY: the room is there, since it empties the place under this lock before its store goes; the global is 16 bytes that
            // are aligned to as many. Generated code reads it with one load.
            unsafe { place.as_ref() }.store(1, Ordering::Release);
        }
    }

    pub(crate) fn is_raised(&self) -> bool {
        // SAFETY: as above.
        self.place().is_some_and(|place| unsafe { place.as_ref() }.load(Ordering::Acquire) != 0)
    }
}

// SAFETY: the pointer is followed under a lock, while what it points to is there, and by atomic accesses only.
unsafe impl Send for Flag {}
// SAFETY: as above.
unsafe impl Sync for Flag {}

/// The memories of the instance in a [`Room`].
///
/// Only to be kept in that room's store, and used by functions that its instance calls: then the instance exists.
#[derive(Debug)]
pub(crate) struct Memories(Ground);

impl Memories {
    /// Lets `work` have the memory with this index among those that the instance made, or an empty slice.
    pub(crate) fn with<R>(&mut self, index: Option<usize>, work: impl FnOnce(&mut [u8]) -> R) -> R {
        let found = index.and_then(|index| self.0.memories().get(index).map(Linear::get));
        match found.and_then(|memory| Some((NonNull::new(memory.base)?, memory.current_length))) {
            Some((base, length)) => {
                // SAFETY: the guest, the only other one who uses its memory, waits for the host function that this is called from;
                // until that returns nothing grows, moves or frees the memory, and no second slice is made (`self` is borrowed
                // mutably, and there is one `Memories` for each instance). wasmer keeps `length` bytes from `base` on readable
                // and writable.
                let memory = unsafe { slice::from_raw_parts_mut(base.as_ptr(), length) };
                work(memory)
            }
            None => work(&mut []),
        }
    }
}

/// Where an instance keeps the place and size of a memory.
struct Linear(NonNull<VMMemoryDefinition>);

impl Linear {
    fn get(&self) -> VMMemoryDefinition {
        // SAFETY: the definition lies in the instance, which the store keeps until it is dropped itself, and who holds a `Linear` is
        // in that store or owns it. It is changed by `memory.grow` alone, on the thread that runs the guest, which is this one.
        unsafe { self.0.read() }
    }
}

// SAFETY: it is used by the owner of the store alone, from one thread at a time; the store may be sent to another thread, and the
// instance with it.
unsafe impl Send for Linear {}

/// What wasmer asks when it makes an instance.
#[derive(Clone)]
struct Ground(Arc<Plot>);

struct Plot {
    base: BaseTunables,
    vm: VMConfig,
    memories: Mutex<Vec<Linear>>,
}

impl Ground {
    fn memories(&self) -> MutexGuard<'_, Vec<Linear>> {
        // Nobody can panic while holding it: there is nothing but a push and reads.
        self.0.memories.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ground").field("stack_bytes", &self.0.vm.wasm_stack_size).finish_non_exhaustive()
    }
}

impl Tunables for Ground {
    /// All of a 32-bit address space is reserved, and twice that with the guard: generated code needs no bounds checks.
    fn memory_style(&self, _: &MemoryType) -> MemoryStyle {
        MemoryStyle::Static
    }

    fn table_style(&self, table: &TableType) -> TableStyle {
        self.0.base.table_style(table)
    }

    fn create_host_memory(&self, memory: &MemoryType, style: &MemoryStyle) -> Result<VMMemory, MemoryError> {
        self.0.base.create_host_memory(memory, style)
    }

    unsafe fn create_vm_memory(
        &self,
        memory: &MemoryType,
        style: &MemoryStyle,
        definition: NonNull<VMMemoryDefinition>,
    ) -> Result<VMMemory, MemoryError> {
        // SAFETY: what is asked of our caller is what is asked of us.
        let made = unsafe { self.0.base.create_vm_memory(memory, style, definition) }?;
        self.memories().push(Linear(definition));
        Ok(made)
    }

    fn create_host_table(&self, table: &TableType, style: &TableStyle) -> Result<VMTable, String> {
        self.0.base.create_host_table(table, style)
    }

    unsafe fn create_vm_table(
        &self,
        table: &TableType,
        style: &TableStyle,
        definition: NonNull<VMTableDefinition>,
    ) -> Result<VMTable, String> {
        // SAFETY: what is asked of our caller is what is asked of us.
        unsafe { self.0.base.create_vm_table(table, style, definition) }
    }

    fn vmconfig(&self) -> &VMConfig {
        &self.0.vm
    }
}
