//! The sieve of Eratosthenes over a million numbers: tight loops over memory.

use guest_workloads::{mix, report, rounds};

const BOUND: usize = 1_000_000;

fn main() {
    let rounds = rounds(60);
    let mut checksum = 0;
    for round in 0..rounds {
        let mut composite = vec![false; BOUND + 1];
        let mut factor = 2;
        while factor * factor <= BOUND {
            if !composite[factor] {
                let mut multiple = factor * factor;
                while multiple <= BOUND {
                    composite[multiple] = true;
                    multiple += factor;
                }
            }
            factor += 1;
        }
        let primes = composite[2..].iter().filter(|&&struck| !struck).count();
        checksum = mix(checksum, (primes as u64) << 32 | u64::from(round));
    }
    report("sieve", rounds, checksum);
}
