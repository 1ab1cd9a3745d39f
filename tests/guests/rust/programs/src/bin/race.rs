//! Goes through names that somebody else exchanges for symbolic links all the while: reads, writes, makes and removes what is behind them.
//!
//! The arguments are a directory's name and a file's. Goes on until both have been seen often in either shape, and says whether what lies
//! elsewhere was ever reached.

use std::fs;
use std::path::Path;

/// How often each shape has to be met.
const ENOUGH: u32 = 300;
/// Where patience ends.
const ATTEMPTS: u32 = 2_000_000;

#[derive(Default)]
struct Seen {
    here: u32,
    refused: u32,
    elsewhere: u32,
}

impl Seen {
    fn note(&mut self, read: std::io::Result<String>) {
        match read {
            Ok(text) if text == "here" => self.here += 1,
            Ok(_) => self.elsewhere += 1,
            Err(_) => self.refused += 1,
        }
    }

    fn is_enough(&self) -> bool {
        self.here >= ENOUGH && self.refused >= ENOUGH
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, directory, file] = &arguments[..] else { std::process::exit(2) };
    let (directory, file) = (Path::new(directory), Path::new(file));
    let (mut behind, mut direct) = (Seen::default(), Seen::default());
    for _ in 0..ATTEMPTS {
        behind.note(fs::read_to_string(directory.join("secret")));
        direct.note(fs::read_to_string(file));
        // What gets through leaves its traces elsewhere, where the case looks for them.
        let _ = fs::write(directory.join("made"), "by the guest");
        let _ = fs::remove_file(directory.join("made"));
        let _ = fs::remove_file(directory.join("victim"));
        let _ = fs::create_dir(directory.join("new"));
        let _ = fs::remove_dir(directory.join("new"));
        let _ = fs::rename(directory.join("victim"), directory.join("moved"));
        if behind.is_enough() && direct.is_enough() {
            break;
        }
    }
    let raced = behind.is_enough() && direct.is_enough();
    println!("both shapes met: {raced}, elsewhere: {}", behind.elsewhere + direct.elsewhere);
}
