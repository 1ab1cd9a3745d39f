//! Multiplies square matrices of 64-bit floats.

use guest_workloads::{Numbers, mix, report, rounds};

const SIZE: usize = 120;

fn main() {
    let rounds = rounds(60);
    let mut numbers = Numbers::new(7);
    let mut fill = || -> Vec<f64> { (0..SIZE * SIZE).map(|_| (numbers.next() % 1000) as f64 / 1000.0).collect() };
    let (mut left, right) = (fill(), fill());
    let mut checksum = 0;
    for _ in 0..rounds {
        let mut product = vec![0.0; SIZE * SIZE];
        for row in 0..SIZE {
            for inner in 0..SIZE {
                let factor = left[row * SIZE + inner];
                for column in 0..SIZE {
                    product[row * SIZE + column] += factor * right[inner * SIZE + column];
                }
            }
        }
        let scale = product.iter().copied().fold(f64::MIN, f64::max).max(1.0);
        product.iter_mut().for_each(|value| *value /= scale);
        checksum = product.iter().step_by(97).fold(checksum, |sum, value| mix(sum, value.to_bits()));
        left = product;
    }
    report("matrix", rounds, checksum);
}
