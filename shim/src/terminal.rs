//! A process's terminal: our end of it, copied from and to the FIFOs that containerd names.

use crate::stdio::{Named, open_fifo, say_and_wait};
use rustix::fs::OFlags;
use rustix::termios::Winsize;
use std::fs::File;
use std::io::{ErrorKind as IoErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use wasmrt_model::{Error, Result};

/// How long what is left in a terminal may take to be read by somebody.
const DRAINED_WITHIN: Duration = Duration::from_secs(2);

/// Our end of a terminal, and the copying.
#[derive(Debug)]
pub(crate) struct Terminal {
    ours: OwnedFd,
    drained: Receiver<()>,
    output: Option<OwnedFd>,
    /// What keeps the output from ending.
    keeper: Option<OwnedFd>,
    /// What keeps the input from ending.
    pub(crate) stdin: Option<OwnedFd>,
}

impl Terminal {
    /// Begins to copy.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn attach(ours: OwnedFd, named: &Named) -> Result<Self> {
        let failed = |source| Error::io("cannot attach the container's terminal", source);
        let open = |path: &str, access: OFlags| {
            let path = Path::new(path);
            let keeper = open_fifo(path, OFlags::RDWR)?;
            Ok((keeper, open_fifo(path, access)?))
        };
        let copy = |fd: &OwnedFd| fd.try_clone().map(File::from).map_err(failed);
        let mut stdin = None;
        if !named.stdin.is_empty() {
            let (keeper, input) = open(&named.stdin, OFlags::RDONLY).map_err(failed)?;
            stdin = Some(keeper);
            let terminal = copy(&ours)?;
            spawn("stdin", move || pass_on(File::from(input), terminal))?;
        }
        let (finished, drained) = channel();
        let mut output = None;
        let mut keeper = None;
        if !named.stdout.is_empty() {
            let (keeps, out) = open(&named.stdout, OFlags::WRONLY).map_err(failed)?;
            keeper = Some(keeps);
            output = Some(out.try_clone().map_err(failed)?);
            let terminal = copy(&ours)?;
            spawn("stdout", move || {
                pass_on(terminal, File::from(out));
                // Nobody may be waiting for it.
                let _ = finished.send(());
            })?;
        }
        Ok(Self { ours, drained, output, keeper, stdin })
    }

    /// Changes how large programs see it.
    pub(crate) fn resize(&self, columns: u16, rows: u16) -> Result<()> {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(self.ours.as_fd(), size)
            .map_err(|errno| Error::io("cannot change the terminal's size", errno.into()))
    }

    /// Once the process has ended: waits until its last words have been copied, and adds ours.
    pub(crate) fn finish(mut self, text: Option<&str>) {
        self.keeper = None;
        // Whoever is there may not read.
        let _ = self.drained.recv_timeout(DRAINED_WITHIN);
        if let Some(output) = self.output {
            say_and_wait(&output, &text.unwrap_or_default().replace('\n', "\r\n"), std::slice::from_ref(&output));
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = std::thread::Builder::new().name(name.to_owned()).stack_size(64 << 10).spawn(work);
    thread.map(drop).map_err(|source| Error::io("cannot start a thread", source))
}

/// Until either side ends. A terminal that nobody has open any more ends with an error.
fn pass_on(mut from: File, mut to: File) {
    let mut buffer = [0; 4096];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                let Some(read) = buffer.get(..count) else { return };
                if to.write_all(read).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == IoErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
