//! SHA-256, written out: 32-bit rotations and additions without branches.

use guest_workloads::{mix, report, rounds};

const ROUND_CONSTANTS: [u32; 64] = round_constants();

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
const fn round_constants() -> [u32; 64] {
    let mut constants = [0; 64];
    let (mut found, mut candidate) = (0, 2u64);
    while found < 64 {
        let mut divisor = 2;
        let mut prime = true;
        while divisor * divisor <= candidate {
            if candidate % divisor == 0 {
                prime = false;
            }
            divisor += 1;
        }
        if prime {
            constants[found] = cube_root_fraction(candidate);
            found += 1;
        }
        candidate += 1;
    }
    constants
}

/// Low 32 bits of the integer cube root of `prime << 96`.
const fn cube_root_fraction(prime: u64) -> u32 {
    let (mut low, mut high) = (0u64, 1u64 << 36);
    while low + 1 < high {
        let middle = (low + high) / 2;
        let square = middle as u128 * middle as u128;
        // middle^3 <= prime << 96, without leaving 128 bits.
        let fits = square <= ((prime as u128) << 96) / middle as u128;
        if fits {
            low = middle;
        } else {
            high = middle;
        }
    }
    low as u32
}

fn compress(state: &mut [u32; 8], block: &[u8; 64]) {
    let mut schedule = [0u32; 64];
    for (word, bytes) in schedule.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    for index in 16..64 {
        let (early, late) = (schedule[index - 15], schedule[index - 2]);
        let small = early.rotate_right(7) ^ early.rotate_right(18) ^ (early >> 3);
        let large = late.rotate_right(17) ^ late.rotate_right(19) ^ (late >> 10);
        schedule[index] =
            schedule[index - 16].wrapping_add(small).wrapping_add(schedule[index - 7]).wrapping_add(large);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for index in 0..64 {
        let choice = (e & f) ^ (!e & g);
        let first = h
            .wrapping_add(e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25))
            .wrapping_add(choice)
            .wrapping_add(ROUND_CONSTANTS[index])
            .wrapping_add(schedule[index]);
        let majority = (a & b) ^ (a & c) ^ (b & c);
        let second = (a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22)).wrapping_add(majority);
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(first), c, b, a, first.wrapping_add(second));
    }
    for (word, value) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.wrapping_add(value);
    }
}

fn main() {
    let rounds = rounds(60);
    let mut state: [u32; 8] =
        [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
    for round in 0..rounds {
        for block in 0..4096u32 {
            let mut bytes = [0u8; 64];
            bytes[..4].copy_from_slice(&block.to_le_bytes());
            bytes[4..8].copy_from_slice(&round.to_le_bytes());
            compress(&mut state, &bytes);
        }
    }
    report("hash", rounds, state.iter().fold(0, |sum, word| mix(sum, u64::from(*word))));
}
