//! The server's clocks: the one that hyper sleeps by, and the one that lets guests look up from their work.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use wasmtime::Engine;

/// How long a guest may compute before others on its thread get their turn, and before its time can be seen to be up.
const TICK: Duration = Duration::from_millis(5);

/// A thread that only sleeps needs no more.
const STACK_BYTES: usize = 128 << 10;

/// Moves the engine's epoch on while guests run, and sleeps while none does.
pub(super) struct Ticker {
    state: Arc<Ticking>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Ticking {
    guests: AtomicUsize,
    ended: AtomicBool,
}

impl Ticker {
    pub(super) fn start(engine: Engine) -> io::Result<Self> {
        let state = Arc::<Ticking>::default();
        let ticking = Arc::clone(&state);
        let thread = thread::Builder::new().name("epochs".to_owned()).stack_size(STACK_BYTES).spawn(move || {
            while !ticking.ended.load(Ordering::Acquire) {
                if ticking.guests.load(Ordering::Acquire) == 0 {
                    thread::park();
                } else {
                    thread::sleep(TICK);
                    engine.increment_epoch();
                }
            }
        })?;
        Ok(Self { state, thread: Some(thread) })
    }

    /// Ticks for as long as what is returned lives.
    pub(super) fn tick(&self) -> Ticks {
        if self.state.guests.fetch_add(1, Ordering::AcqRel) == 0
            && let Some(thread) = &self.thread
        {
            thread.thread().unpark();
        }
        Ticks(Arc::clone(&self.state))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It has nothing that could have panicked.
            let _ended = thread.join();
        }
    }
}

/// A guest that runs.
pub(super) struct Ticks(Arc<Ticking>);

impl Drop for Ticks {
    fn drop(&mut self) {
        self.0.guests.fetch_sub(1, Ordering::AcqRel);
    }
}

/// tokio's time, in hyper's words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock;

impl hyper::rt::Timer for Clock {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Sleep(Box::pin(tokio::time::sleep(duration))))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Sleep(Box::pin(tokio::time::sleep_until(deadline.into()))))
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn hyper::rt::Sleep>>, deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleep>() {
            Some(sleep) => sleep.get_mut().0.as_mut().reset(deadline.into()),
            None => *sleep = self.sleep_until(deadline),
        }
    }
}

struct Sleep(Pin<Box<tokio::time::Sleep>>);

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

impl hyper::rt::Sleep for Sleep {}
