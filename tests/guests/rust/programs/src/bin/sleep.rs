//! Sleeps for the milliseconds given, saying so before and after.

use std::io::Write;
use std::time::Duration;

fn main() {
    let milliseconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1000);
    println!("sleeping {milliseconds} ms");
    let _ = std::io::stdout().flush();
    std::thread::sleep(Duration::from_millis(milliseconds));
    println!("awake");
}
