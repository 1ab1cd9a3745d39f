//! Reads a JSON request from stdin, matches lines against a regular expression, hashes what matched and prints a JSON answer.
//!
//! Real crates, real allocation, a few hundred KiB of code: what people actually run.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Read;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    pattern: String,
    lines: Vec<String>,
    #[serde(default = "once")]
    repeat: u32,
}

fn once() -> u32 {
    1
}

#[derive(Serialize)]
struct Answer {
    matched: usize,
    captures: BTreeMap<String, u64>,
    sha256: String,
}

fn main() {
    if let Err(complaint) = run() {
        eprintln!("text: {complaint}");
        std::process::exit(2);
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input)?;
    let request: Request = serde_json::from_str(&input)?;
    let pattern = regex::Regex::new(&request.pattern)?;
    let mut hasher = Sha256::new();
    let mut captures = BTreeMap::new();
    let mut matched = 0;
    for _ in 0..request.repeat {
        for line in &request.lines {
            for found in pattern.captures_iter(line) {
                matched += 1;
                hasher.update(found[0].as_bytes());
                hasher.update(b"\n");
                if let Some(group) = found.get(1) {
                    *captures.entry(group.as_str().to_owned()).or_insert(0) += 1;
                }
            }
        }
    }
    let sha256 = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    println!("{}", serde_json::to_string_pretty(&Answer { matched, captures, sha256 })?);
    Ok(())
}
