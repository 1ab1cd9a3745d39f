//! What is said on the side, and that --quiet stops it.

use crate::guests;
use crate::room::{Ended, Room, engines};

fn notes(ended: &Ended) -> Vec<&str> {
    ended.stderr.lines().filter(|line| line.starts_with("wasm-run: note:")).collect()
}

#[test]
fn a_guest_that_was_interpreted_for_long_could_be_compiled() {
    let room = Room::with("spin.wat", guests::SPIN);
    if !engines().iter().any(|engine| engine == "wasmedge") {
        return;
    }
    let words = ["--engine", "wasmedge", "--aot", "never", "--cpu-time", "2200ms", "spin.wat"];
    let ended = room.run(&words).expect(152);
    assert_eq!(notes(&ended).len(), 1, "{ended:?}");
    assert!(ended.stderr.contains("wasm-run compile") && ended.stderr.contains("spin.wat"), "{ended:?}");
    let quiet = room.run(&[&["--quiet"], &words[..]].concat()).expect(152);
    assert_eq!((notes(&quiet).len(), quiet.said()), (0, 1), "{quiet:?}");
}

#[test]
fn a_cache_that_cannot_be_used_is_told_and_the_run_goes_on() {
    let room = Room::with("hello.wat", guests::HELLO);
    let file = room.write("no-directory", "");
    let file = file.to_str().unwrap();
    for engine in engines() {
        let ended = room.run_on(engine, &["--cache-dir", file, "hello.wat"]).expect(0);
        assert_eq!(ended.stdout, "hello\n");
        assert!(notes(&ended).iter().any(|note| note.contains("not kept")), "{ended:?}");
        let quiet = room.run_on(engine, &["-q", "--cache-dir", file, "hello.wat"]).expect(0);
        assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("hello\n", ""));
    }
    // Where the cache is what it is all about, it is an error.
    assert_ne!(room.run(&["compile", "--cache-dir", file, "hello.wat"]).code, 0);
    assert_ne!(room.run(&["cache", "list", "--cache-dir", file]).code, 0);
}
