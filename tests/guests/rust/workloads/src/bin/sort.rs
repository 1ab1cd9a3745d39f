//! Sorts records by calling a comparison through a function pointer, as C's qsort does: call_indirect over and over.

use guest_workloads::{Numbers, mix, report, rounds};
use std::cmp::Ordering;

type Compare = fn(&Record, &Record) -> Ordering;

#[derive(Clone, Copy)]
struct Record {
    key: u32,
    weight: i32,
    tag: [u8; 8],
}

const ORDERS: [Compare; 3] =
    [|a, b| a.key.cmp(&b.key), |a, b| b.weight.cmp(&a.weight).then(a.key.cmp(&b.key)), |a, b| a.tag.cmp(&b.tag)];

fn heap_sort(records: &mut [Record], compare: Compare) {
    fn sift(records: &mut [Record], mut root: usize, compare: Compare) {
        loop {
            let mut child = 2 * root + 1;
            if child >= records.len() {
                return;
            }
            if child + 1 < records.len() && compare(&records[child], &records[child + 1]) == Ordering::Less {
                child += 1;
            }
            if compare(&records[root], &records[child]) != Ordering::Less {
                return;
            }
            records.swap(root, child);
            root = child;
        }
    }
    for root in (0..records.len() / 2).rev() {
        sift(records, root, compare);
    }
    for end in (1..records.len()).rev() {
        records.swap(0, end);
        sift(&mut records[..end], 0, compare);
    }
}

fn main() {
    let rounds = rounds(30);
    let mut numbers = Numbers::new(42);
    let mut checksum = 0;
    for round in 0..rounds {
        let mut records: Vec<Record> = (0..20_000)
            .map(|_| {
                let bits = numbers.next();
                Record { key: bits as u32, weight: (bits >> 40) as i32 - 4_000_000, tag: numbers.next().to_le_bytes() }
            })
            .collect();
        heap_sort(&mut records, std::hint::black_box(ORDERS)[round as usize % ORDERS.len()]);
        checksum = records.iter().step_by(101).fold(checksum, |sum, record| mix(sum, u64::from(record.key)));
    }
    report("sort", rounds, checksum);
}
