//! A byte-code interpreter: unpredictable branches through a jump table, little memory.

use guest_workloads::{Numbers, mix, report, rounds};

fn run(program: &[u8], registers: &mut [u32; 8], fuel: u32) -> u32 {
    let (mut at, mut steps) = (0usize, 0);
    while steps < fuel {
        let byte = program[at];
        let (left, right) = (usize::from(byte & 7), usize::from(byte >> 5));
        match byte % 11 {
            0 => registers[left] = registers[left].wrapping_add(registers[right]),
            1 => registers[left] = registers[left].wrapping_mul(registers[right] | 1),
            2 => registers[left] ^= registers[right].rotate_left(7),
            3 => registers[left] = registers[left].wrapping_sub(u32::from(byte)),
            4 if registers[left] & 1 == 1 => at = at.wrapping_add(usize::from(byte)),
            5 if registers[left] > registers[right] => at = at.wrapping_mul(3),
            6 => registers.swap(left, right),
            7 => registers[left] = registers[right].count_ones(),
            8 => at = (registers[left] >> 3) as usize,
            9 => registers[left] = registers[left].swap_bytes(),
            _ => registers[right] = registers[left] >> 1,
        }
        at = (at + 1) % program.len();
        steps += 1;
    }
    at as u32
}

fn main() {
    let rounds = rounds(60);
    let mut numbers = Numbers::new(99);
    let program: Vec<u8> = (0..4093).map(|_| (numbers.next() >> 17) as u8).collect();
    let mut registers = [1, 2, 3, 5, 7, 11, 13, 17];
    let mut checksum = 0;
    for round in 0..rounds {
        registers[0] ^= round;
        checksum = mix(checksum, u64::from(run(&program, &mut registers, 400_000)));
    }
    report("states", rounds, registers.iter().fold(checksum, |sum, register| mix(sum, u64::from(*register))));
}
