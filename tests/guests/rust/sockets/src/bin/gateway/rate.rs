//! How many requests a second: a bucket of tokens that fills by itself.

use std::time::Instant;

/// A bucket that holds what one second brings.
pub struct Rate {
    per_second: f64,
    tokens: f64,
    filled: Instant,
}

impl Rate {
    /// A full bucket; infinitely many a second is no limit.
    pub fn new(per_second: f64, now: Instant) -> Self {
        let per_second = if per_second.is_nan() { 0.0 } else { per_second.max(0.0) };
        Self { per_second, tokens: per_second.max(1.0), filled: now }
    }

    /// Takes a token, if there is one.
    pub fn take(&mut self, now: Instant) -> bool {
        if self.per_second.is_infinite() {
            return true;
        }
        let most = self.per_second.max(1.0);
        self.tokens = (self.tokens + now.duration_since(self.filled).as_secs_f64() * self.per_second).min(most);
        self.filled = now;
        let taken = self.tokens >= 1.0;
        if taken {
            self.tokens -= 1.0;
        }
        taken
    }
}
