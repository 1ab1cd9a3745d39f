//! Parses nested JSON-like text into a tree and folds it: recursion, allocation, branching on bytes.

use guest_workloads::{Numbers, mix, report, rounds};

enum Tree {
    Number(u64),
    Text(Vec<u8>),
    List(Vec<Tree>),
    Map(Vec<(Vec<u8>, Tree)>),
}

fn write(numbers: &mut Numbers, depth: u32, out: &mut Vec<u8>) {
    match (numbers.next() >> 33) % if depth == 0 { 2 } else { 4 } {
        0 => out.extend_from_slice((numbers.next() >> 20).to_string().as_bytes()),
        1 => {
            out.push(b'"');
            (0..(numbers.next() >> 60)).for_each(|_| out.push(b'a' + ((numbers.next() >> 50) % 26) as u8));
            out.push(b'"');
        }
        kind => {
            out.push(if kind == 2 { b'[' } else { b'{' });
            for index in 0..8 {
                if index > 0 {
                    out.push(b',');
                }
                if kind == 3 {
                    out.extend_from_slice(format!("\"k{index}\":").as_bytes());
                }
                write(numbers, depth - 1, out);
            }
            out.push(if kind == 2 { b']' } else { b'}' });
        }
    }
}

fn parse(text: &[u8], at: &mut usize) -> Tree {
    let string = |at: &mut usize| {
        let start = *at + 1;
        let length = text[start..].iter().position(|&byte| byte == b'"').expect("strings end");
        *at = start + length + 1;
        text[start..start + length].to_vec()
    };
    match text[*at] {
        b'"' => Tree::Text(string(at)),
        b'[' => {
            let mut items = Vec::new();
            while text[*at] != b']' {
                *at += 1;
                items.push(parse(text, at));
            }
            *at += 1;
            Tree::List(items)
        }
        b'{' => {
            let mut items = Vec::new();
            while text[*at] != b'}' {
                *at += 1;
                let key = string(at);
                *at += 1;
                items.push((key, parse(text, at)));
            }
            *at += 1;
            Tree::Map(items)
        }
        _ => {
            let mut value = 0u64;
            while let Some(digit @ b'0'..=b'9') = text.get(*at) {
                value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
                *at += 1;
            }
            Tree::Number(value)
        }
    }
}

fn fold(tree: &Tree, sum: u64) -> u64 {
    match tree {
        Tree::Number(value) => mix(sum, *value),
        Tree::Text(text) => text.iter().fold(mix(sum, 1), |sum, byte| mix(sum, u64::from(*byte))),
        Tree::List(items) => items.iter().fold(mix(sum, 2), |sum, item| fold(item, sum)),
        Tree::Map(items) => items.iter().fold(mix(sum, 3), |sum, (key, item)| fold(item, mix(sum, key.len() as u64))),
    }
}

fn main() {
    let rounds = rounds(60);
    let mut text = Vec::new();
    let mut numbers = Numbers::new(11);
    text.push(b'[');
    for index in 0..60 {
        if index > 0 {
            text.push(b',');
        }
        write(&mut numbers, 4, &mut text);
    }
    text.push(b']');
    let mut checksum = mix(0, text.len() as u64);
    for _ in 0..rounds {
        checksum = fold(&parse(&text, &mut 0), checksum);
    }
    report("json", rounds, checksum);
}
