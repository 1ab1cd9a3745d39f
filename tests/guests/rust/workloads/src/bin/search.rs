//! Searches a text for many words, naively and by skipping: byte loads and short loops.

use guest_workloads::{Numbers, mix, report, rounds};

fn naive(text: &[u8], word: &[u8]) -> usize {
    (0..=text.len() - word.len()).filter(|&at| &text[at..at + word.len()] == word).count()
}

/// Horspool's variant of Boyer-Moore.
fn skipping(text: &[u8], word: &[u8]) -> usize {
    let mut skips = [word.len(); 256];
    for (index, &byte) in word[..word.len() - 1].iter().enumerate() {
        skips[usize::from(byte)] = word.len() - 1 - index;
    }
    let (mut at, mut found) = (0, 0);
    while at + word.len() <= text.len() {
        if &text[at..at + word.len()] == word {
            found += 1;
            at += 1;
        } else {
            at += skips[usize::from(text[at + word.len() - 1])];
        }
    }
    found
}

fn main() {
    let rounds = rounds(60);
    let mut numbers = Numbers::new(3);
    let text: Vec<u8> = (0..100_000).map(|_| b"etaoin shrdlu"[(numbers.next() >> 20) as usize % 13]).collect();
    let mut checksum = 0;
    for _ in 0..rounds {
        for _ in 0..4 {
            let start = (numbers.next() >> 8) as usize % (text.len() - 16);
            let word = &text[start..start + 3 + (numbers.next() >> 9) as usize % 8];
            let (slow, fast) = (naive(&text, word), skipping(&text, word));
            assert_eq!(slow, fast, "both ways find the same");
            checksum = mix(checksum, slow as u64);
        }
    }
    report("search", rounds, checksum);
}
