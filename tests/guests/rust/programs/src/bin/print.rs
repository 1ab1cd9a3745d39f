//! Prints what the sandbox shows: `print args env clock random cwd`, one or more of them, in the order given.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

fn main() {
    for what in std::env::args().skip(1) {
        match what.as_str() {
            "args" => std::env::args().enumerate().for_each(|(index, arg)| println!("arg {index}: {arg}")),
            "env" => {
                let mut variables: Vec<_> = std::env::vars().collect();
                variables.sort();
                println!("{} variables", variables.len());
                variables.iter().for_each(|(name, value)| println!("{name}={value}"));
            }
            "clock" => clock(),
            "random" => random(),
            "cwd" => println!("{:?}", std::env::current_dir()),
            other => println!("unasked: {other}"),
        }
    }
}

fn clock() {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_nanos()).unwrap_or(0);
    let started = Instant::now();
    let mut readings = 0u32;
    while started.elapsed().is_zero() && readings < 1_000_000 {
        readings += 1;
    }
    println!("wall {wall}");
    println!("monotonic {}", if started.elapsed().is_zero() { "stands still" } else { "moves" });
}

/// The standard library keeps its source of randomness to itself; hash maps show whether it is there, a seed shows the bytes.
fn random() {
    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    extern "C" {
        fn random_get(buffer: *mut u8, length: usize) -> u16;
    }
    let mut bytes = [0u8; 16];
    // SAFETY: the buffer is 16 bytes long and lives through the call.
    let errno = unsafe { random_get(bytes.as_mut_ptr(), bytes.len()) };
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("random {errno} {text}");
}
