//! From a guest on another thread to JavaScript's and back: the call of a host function, and the memory that it looks at meanwhile.
//!
//! The guest's thread waits for the function and does what JavaScript's thread asks of its memory.

use super::{HostFunction, Later, number, with_caller_memory};
use crate::answer::thrown;
use crate::instance::whole;
use crate::teardown::{self, Ends};
use crate::values::{self, HostReturned};
use napi::bindgen_prelude::{Buffer, Uint8Array};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi::{Env, Status};
use napi_derive::napi;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmrt_runtime::Caller;
use wasmrt_runtime::model::{Error, ErrorKind, Result, Value, ValueType};

/// What JavaScript's thread says to a guest's thread that waits for a host function.
enum Word {
    /// Reads memory.
    Read(u64, u64, Sender<Result<Vec<u8>>>),
    /// Writes memory.
    Write(u64, Vec<u8>, Sender<Result<()>>),
    /// Tells the size of memory.
    Size(Sender<u64>),
    /// The function has returned, or failed.
    Done(Result<Vec<Value>>),
}

/// An instance's way to JavaScript's thread. There is at most one call at a time.
pub(crate) struct Hop {
    pub(crate) instance: u64,
    later: Arc<Later>,
    under_way: Mutex<Calls>,
}

#[derive(Default)]
struct Calls {
    last: u64,
    waiting: Option<(Sender<Word>, Vec<ValueType>, String)>,
    /// Whether nobody is there any more who could answer.
    closed: bool,
}

impl Hop {
    fn new(instance: u64, later: Arc<Later>) -> Self {
        Self { instance, later, under_way: Mutex::default() }
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn call(&self, host: &HostFunction, caller: &mut Caller<'_>, args: &[Value]) -> Result<Vec<Value>> {
        let (sender, words) = channel();
        let call = {
            let mut calls = self.calls();
            if calls.closed {
                return Err(cancelled());
            }
            calls.last += 1;
            calls.waiting = Some((sender, host.results.clone(), host.name.clone()));
            calls.last
        };
        let request = (number(self.instance), number(call), host.index, args.to_vec());
        let status = self.later.call(request, ThreadsafeFunctionCallMode::NonBlocking);
        if status != Status::Ok {
            self.calls().waiting = None;
            return Err(cancelled());
        }
        let result = answer(&words, caller);
        self.calls().waiting = None;
        result
    }

    /// A host function has come to its end on JavaScript's thread. What is late is not heard.
    fn done(&self, call: u64, returned: Result<HostReturned>) {
        let calls = self.calls();
        if let Some((sender, results, name)) = calls.waiting.as_ref().filter(|_| calls.last == call) {
            let _ = sender.send(Word::Done(returned.and_then(|returned| values::of_host(results, returned, name))));
        }
    }

    /// Ends the wait for a host function.
    pub(crate) fn give_up(&self) {
        if let Some((sender, ..)) = self.calls().waiting.take() {
            let _ = sender.send(Word::Done(Err(cancelled())));
        }
    }

    pub(crate) fn close(&self) {
        self.calls().closed = true;
        self.give_up();
    }

    /// Asks the guest's thread, which waits for a host function. None when it does not.
    fn ask<R>(&self, word: impl FnOnce(Sender<R>) -> Word) -> Option<R> {
        let (sender, receiver) = channel();
        self.calls().waiting.as_ref()?.0.send(word(sender)).ok()?;
        receiver.recv().ok()
    }
}

/// Serves the guest's memory until the function has come to its end.
fn answer(words: &Receiver<Word>, caller: &mut Caller<'_>) -> Result<Vec<Value>> {
    loop {
        match words.recv() {
            Ok(Word::Read(offset, length, reply)) => {
                let _ = reply.send(caller.memory().read(offset, length).map(<[u8]>::to_vec));
            }
            Ok(Word::Write(offset, bytes, reply)) => {
                let _ = reply.send(caller.memory().write(offset, &bytes));
            }
            Ok(Word::Size(reply)) => {
                let _ = reply.send(caller.memory().size());
            }
            Ok(Word::Done(result)) => return result,
            Err(_) => return Err(cancelled()),
        }
    }
}

fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "nobody waits for the host function any more")
}

impl Ends for Hop {
    fn end(&self) {
        self.close();
    }
}

/// What the JavaScript half has of an instance from before it is there: how host functions answer, and how they reach the memory of the guest that
/// has called them.
#[napi]
pub struct NativeHop {
    hop: Arc<Hop>,
}

impl NativeHop {
    pub(crate) fn hop(&self) -> Arc<Hop> {
        Arc::clone(&self.hop)
    }
}

#[napi]
impl NativeHop {
    /// For the instance that the JavaScript half knows by this number.
    #[napi(constructor)]
    pub fn new(env: Env, instance: u32) -> napi::Result<Self> {
        let hop = Arc::new(Hop::new(u64::from(instance), super::later()?));
        teardown::remember(&env, &hop)?;
        Ok(Self { hop })
    }

    /// A host function that was called for a guest on another thread has returned this.
    #[napi]
    pub fn returned(&self, call: f64, returned: HostReturned) {
        self.hop.done(call_number(call), Ok(returned));
    }

    /// Such a function has failed.
    #[napi]
    pub fn failed(&self, call: f64) {
        let error = Error::new(ErrorKind::Internal, "the host function failed");
        self.hop.done(call_number(call), Err(error));
    }

    /// The size of the memory of the guest that calls a host function. None when none does.
    #[napi]
    pub fn memory_size(&self) -> Option<f64> {
        let here = with_caller_memory(self.hop.instance, |memory| u64::try_from(memory.len()).unwrap_or(u64::MAX));
        here.or_else(|| self.hop.ask(Word::Size)).map(number)
    }

    /// Bytes of that memory. None when no guest calls a host function.
    #[napi]
    pub fn memory_read(&self, offset: f64, length: f64) -> napi::Result<Option<Buffer>> {
        let (offset, length) = (whole(offset)?, whole(length)?);
        let here =
            with_caller_memory(self.hop.instance, |memory| part(memory, offset, length).map(|part| part.to_vec()));
        let bytes = here.or_else(|| self.hop.ask(|reply| Word::Read(offset, length, reply))).transpose();
        Ok(bytes.map_err(|error| thrown(&error))?.map(Buffer::from))
    }

    /// Writes to that memory. False when no guest calls a host function.
    #[napi]
    pub fn memory_write(&self, offset: f64, bytes: Uint8Array) -> napi::Result<bool> {
        let offset = whole(offset)?;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let here = with_caller_memory(self.hop.instance, |memory| {
            part(memory, offset, length).map(|part| part.copy_from_slice(&bytes))
        });
        let written = here.or_else(|| self.hop.ask(|reply| Word::Write(offset, bytes.to_vec(), reply))).transpose();
        Ok(written.map_err(|error| thrown(&error))?.is_some())
    }
}

fn part(memory: &mut [u8], offset: u64, length: u64) -> Result<&mut [u8]> {
    let size = memory.len();
    let range = || {
        let (start, length) = (usize::try_from(offset).ok()?, usize::try_from(length).ok()?);
        Some(start..start.checked_add(length)?)
    };
    range().and_then(|range| memory.get_mut(range)).ok_or_else(|| {
        let message = format!("{length} bytes at {offset} do not all lie in a memory of {size} bytes");
        Error::new(ErrorKind::InvalidInput, message)
    })
}

/// Calls are counted here and come back as numbers.
fn call_number(call: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count that was made a number here")]
    let number = call as u64;
    number
}
