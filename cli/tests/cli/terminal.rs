//! On a terminal: what the guest sees of it, Ctrl-C, and pipelines in the foreground.

use crate::guests;
use crate::room::{Room, WASM_RUN, engines, has};
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

/// A terminal with a program in its foreground: `script` (util-linux) holds the other end, types what it is given and shows what appears.
struct Terminal {
    script: Child,
    keyboard: ChildStdin,
    screen: ChildStdout,
    shown: Vec<u8>,
}

impl Terminal {
    /// Starts a shell line as the leader of a session whose terminal this is.
    fn start(room: &Room, line: &str) -> Self {
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--flush", "--command", line, "/dev/null"]);
        room.settle(&mut command);
        command.env("TERM", "xterm").env("SHELL", "/bin/sh");
        let mut script = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (keyboard, screen) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
        Self { script, keyboard, screen, shown: Vec::new() }
    }

    /// Reads what is shown; false when nobody has the terminal open any more.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        let count = self.screen.read(&mut bytes).unwrap();
        self.shown.extend_from_slice(&bytes[..count]);
        count > 0
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }

    fn read_until(&mut self, text: &str) {
        while !self.text().contains(text) {
            assert!(self.read(), "it ended and showed {}", self.text());
        }
    }

    fn type_in(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).unwrap();
        self.keyboard.flush().unwrap();
    }

    fn end(mut self) -> (ExitStatus, String) {
        while self.read() {}
        let status = self.script.wait().unwrap();
        (status, self.text())
    }
}

/// `wasm-run` with these words, as a shell line that becomes it.
fn exec(words: &str) -> String {
    format!("exec '{WASM_RUN}' {words}")
}

#[test]
fn the_guest_sees_a_terminal_where_there_is_one() {
    const CHARACTER_DEVICES: &str = "222";
    let room = Room::with("types.wat", guests::STREAM_TYPES);
    for engine in engines() {
        let (status, text) = Terminal::start(&room, &exec(&format!("--engine {engine} types.wat"))).end();
        assert!(status.success(), "{text}");
        assert!(text.contains(CHARACTER_DEVICES), "{engine}: {text}");
        assert!(!room.run_on(engine, &["types.wat"]).expect(0).stdout.contains(CHARACTER_DEVICES));
    }
}

#[test]
fn ctrl_c_ends_the_guest() {
    let room = Room::with("spin.wat", guests::SPIN);
    for engine in engines() {
        let mut terminal = Terminal::start(&room, &exec(&format!("--engine {engine} spin.wat")));
        terminal.read_until("ready");
        terminal.type_in(b"\x03");
        let (status, text) = terminal.end();
        assert_eq!(status.code(), Some(130), "{engine}: {text}");
        assert!(!text.contains("wasm-run:"), "{text}");
    }
}

#[test]
fn ctrl_c_ends_a_guest_that_reads() {
    let room = Room::with("cat.wat", guests::CAT);
    for engine in engines() {
        let mut terminal = Terminal::start(&room, &exec(&format!("--engine {engine} cat.wat")));
        terminal.type_in(b"line\n");
        // Once from the terminal's echo, once from the guest.
        while terminal.text().matches("line").count() < 2 {
            assert!(terminal.read(), "{}", terminal.text());
        }
        terminal.type_in(b"\x03");
        assert_eq!(terminal.end().0.code(), Some(130), "{engine}");
    }
}

#[test]
fn a_pipeline_in_the_foreground_reads_the_terminal() {
    let room = Room::with("cat.wat", guests::CAT);
    for engine in engines() {
        let line = format!("'{WASM_RUN}' --engine {engine} cat.wat | tr a-z A-Z");
        let mut terminal = Terminal::start(&room, &line);
        terminal.type_in(b"word\n\x04");
        terminal.read_until("WORD");
        let (status, text) = terminal.end();
        assert!(status.success(), "{text}");
    }
}

#[test]
fn errors_have_colours_on_a_terminal() {
    let room = Room::new();
    let (status, text) = Terminal::start(&room, &exec("absent.wasm")).end();
    assert_eq!(status.code(), Some(127));
    assert!(text.contains('\u{1b}'), "{text}");
}

#[test]
fn a_long_compile_is_shown_and_can_be_stopped() {
    let room = Room::with("slow.wat", guests::slow_to_compile());
    if !engines().iter().any(|engine| engine == "wasmedge") {
        return;
    }
    let mut terminal = Terminal::start(&room, &exec("--engine wasmedge --aot always slow.wat"));
    terminal.read_until("slow.wat");
    terminal.type_in(b"\x03");
    let (status, text) = terminal.end();
    assert_eq!(status.code(), Some(130), "{text}");
}

#[test]
fn a_module_is_not_typed_in() {
    let room = Room::new();
    assert_eq!(Terminal::start(&room, &exec("-")).end().0.code(), Some(125));
}

#[test]
fn the_tools_of_these_tests_are_here() {
    assert!(has("script"), "script (util-linux) gives a program a terminal");
}
