//! What the CPU-bound guests share: their size argument, reproducible numbers and the line that each prints.
//!
//! A workload is called with the number of rounds and prints `NAME ROUNDS CHECKSUM`. The checksum depends on every round, is the
//! same on every engine and natively, and nothing but integer arithmetic and IEEE operations without NaNs goes into it.

/// The first argument as a number of rounds.
pub fn rounds(default: u32) -> u32 {
    match std::env::args().nth(1).map(|text| text.parse()) {
        None => default,
        Some(Ok(rounds)) => rounds,
        Some(Err(_)) => {
            eprintln!("the argument is a number of rounds");
            std::process::exit(2);
        }
    }
}

/// Prints the result.
pub fn report(name: &str, rounds: u32, checksum: u64) {
    println!("{name} {rounds} {checksum:016x}");
}

/// Mixes a value into a checksum.
pub fn mix(checksum: u64, value: u64) -> u64 {
    (checksum ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

/// xorshift64*: the same numbers everywhere.
pub struct Numbers(u64);

impl Numbers {
    /// Starts from a seed other than 0.
    pub fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
