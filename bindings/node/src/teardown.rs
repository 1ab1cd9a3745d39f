//! The end of a JavaScript environment: of the process, or of one worker thread. What it started and nobody can wait for any more ends with it.

use crate::ticket::Ticket;
use napi::Env;
use std::cell::RefCell;
use std::sync::{Arc, Weak};

/// Something that ends with its environment.
pub(crate) trait Ends: Send + Sync {
    /// Ends it. Does not wait for long.
    fn end(&self);
}

impl Ends for Ticket {
    fn end(&self) {
        self.cancel();
    }
}

/// So many are kept before any is looked for that is gone.
const LEAST_ROOM: usize = 64;

#[derive(Default)]
struct Started {
    hooked: bool,
    room: usize,
    ends: Vec<Weak<dyn Ends>>,
}

thread_local! {
    /// Each environment has a thread of its own.
    static STARTED: RefCell<Started> = RefCell::default();
}

/// Remembers what has to end with this environment.
pub(crate) fn remember<T: Ends + 'static>(env: &Env, what: &Arc<T>) -> napi::Result<()> {
    STARTED.with_borrow_mut(|started| {
        if !started.hooked {
            env.add_env_cleanup_hook((), |()| end_all())?;
            started.hooked = true;
        }
        if started.ends.len() >= started.room {
            started.ends.retain(|ends| ends.strong_count() > 0);
            started.room = started.ends.len().saturating_mul(2).max(LEAST_ROOM);
        }
        let what: Weak<T> = Arc::downgrade(what);
        started.ends.push(what);
        Ok(())
    })
}

fn end_all() {
    let ends = STARTED.with_borrow_mut(|started| {
        started.hooked = false;
        std::mem::take(&mut started.ends)
    });
    for ends in ends.iter().filter_map(Weak::upgrade) {
        ends.end();
    }
    crate::bridge::forget();
}
