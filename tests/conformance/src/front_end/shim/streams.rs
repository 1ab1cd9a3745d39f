//! A container's standard streams: FIFOs, as containerd makes them, fed and read.

use crate::Result;
use crate::case::Stdin;
use rustix::fs::{Mode, OFlags};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// How long a stream may stay open once the container is gone.
const AFTERMATH: Duration = Duration::from_secs(10);

/// How long output is waited for before somebody looks whether the container has ended.
const TURN: Duration = Duration::from_millis(20);

/// What containerd names to a shim.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) stdin: String,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

#[derive(Debug)]
enum Piece {
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
    Closed,
}

/// The harness's ends.
#[derive(Debug)]
pub(super) struct Streams {
    pub(super) names: Names,
    pieces: Receiver<Piece>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// While these are open, no reader sees an end because nobody has begun to write.
    keepers: Vec<OwnedFd>,
    /// Input that is to stay open.
    _held: Option<OwnedFd>,
}

impl Streams {
    pub(super) fn open(directory: &Path, stdin: &Stdin) -> Result<Self> {
        std::fs::create_dir(directory).map_err(|error| error.to_string())?;
        let fifo = |name: &str| {
            let path = directory.join(name);
            rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
                .map_err(|error| format!("cannot make {}: {error}", path.display()))?;
            Ok::<PathBuf, String>(path)
        };
        let (sender, pieces) = channel();
        let mut keepers = Vec::new();
        let mut output = |name: &str, piece: fn(Vec<u8>) -> Piece| {
            let path = fifo(name)?;
            keepers.push(opened(&path, OFlags::RDWR)?);
            read(File::from(opened(&path, OFlags::RDONLY)?), sender.clone(), piece);
            Ok::<String, String>(path.display().to_string())
        };
        let (stdout, stderr) = (output("stdout", Piece::Stdout)?, output("stderr", Piece::Stderr)?);
        let mut names = Names { stdin: String::new(), stdout, stderr };
        let mut held = None;
        if *stdin != Stdin::Empty {
            let path = fifo("stdin")?;
            names.stdin = path.display().to_string();
            held = feed(path, stdin)?;
        }
        Ok(Self { names, pieces, stdout: Vec::new(), stderr: Vec::new(), keepers, _held: held })
    }

    /// Takes what has come, waiting a moment for it.
    pub(super) fn pass_on(&mut self, heard: &mut dyn FnMut(&[u8])) {
        if let Ok(piece) = self.pieces.recv_timeout(TURN) {
            self.keep(piece, heard);
        }
    }

    /// Once the container is gone: everything that it has written.
    pub(super) fn finish(mut self, heard: &mut dyn FnMut(&[u8])) -> Result<(Vec<u8>, Vec<u8>)> {
        self.keepers.clear();
        let mut open = 2;
        while open > 0 {
            match self.pieces.recv_timeout(AFTERMATH) {
                Ok(Piece::Closed) => open -= 1,
                Ok(piece) => self.keep(piece, heard),
                Err(_) => return Err("the container is gone, and something keeps its output open".to_owned()),
            }
        }
        Ok((self.stdout, self.stderr))
    }

    fn keep(&mut self, piece: Piece, heard: &mut dyn FnMut(&[u8])) {
        match piece {
            Piece::Stdout(bytes) => {
                heard(&bytes);
                self.stdout.extend(bytes);
            }
            Piece::Stderr(bytes) => self.stderr.extend(bytes),
            Piece::Closed => {}
        }
    }
}

/// Opens one end without waiting for the other; reading and writing wait.
fn opened(path: &Path, access: OFlags) -> Result<OwnedFd> {
    let failed = |error: rustix::io::Errno| format!("cannot open {}: {error}", path.display());
    let end = rustix::fs::open(path, access | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
    let flags = rustix::fs::fcntl_getfl(&end).map_err(failed)?;
    rustix::fs::fcntl_setfl(&end, flags - OFlags::NONBLOCK).map_err(failed)?;
    Ok(end)
}

fn read(mut stream: File, sender: Sender<Piece>, piece: fn(Vec<u8>) -> Piece) {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count) = stream.read(&mut buffer) {
            if count == 0 || sender.send(piece(buffer[..count].to_vec())).is_err() {
                break;
            }
        }
        sender.send(Piece::Closed)
    });
}

/// Writes the input from a thread, since the guest may stop reading; it waits there until somebody reads. Gives an end back that is to stay open.
fn feed(path: PathBuf, stdin: &Stdin) -> Result<Option<OwnedFd>> {
    let (text, times) = match stdin {
        Stdin::Empty | Stdin::Held => return opened(&path, OFlags::RDWR).map(Some),
        Stdin::Text(text) => (text.clone(), 1),
        Stdin::Repeated { text, times } => (text.clone(), *times),
    };
    std::thread::spawn(move || {
        let mut end = OpenOptions::new().write(true).open(path)?;
        (0..times).try_for_each(|_| end.write_all(text.as_bytes()))
    });
    Ok(None)
}
