//! A terminal for a command: what a person types into it, and what comes out.

use crate::command::PATIENCE;
use crate::{Result, failed};
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A command on a terminal of its own.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    master: File,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// Starts a command whose three streams are a new terminal.
    ///
    /// # Errors
    /// What the machine refused.
    pub fn start(mut command: Command, columns: u16, rows: u16) -> Result<Self> {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).map_err(failed("a terminal"))?;
        grantpt(&master).map_err(failed("a terminal"))?;
        unlockpt(&master).map_err(failed("a terminal"))?;
        let name = ptsname(&master, Vec::new()).map_err(failed("a terminal"))?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = File::from(open(name, flags, Mode::empty()).map_err(failed("a terminal"))?);
        let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&slave, size).map_err(failed("a terminal's size"))?;
        let clone = || slave.try_clone().map_err(failed("a terminal"));
        let child = command.stdin(clone()?).stdout(clone()?).stderr(clone()?).spawn().map_err(failed("a command"))?;
        drop(slave);
        // The command keeps its copies of the streams, and without this the terminal would never hang up.
        drop(command);
        let master = File::from(master);
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (mut source, kept) = (master.try_clone().map_err(failed("a terminal"))?, Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // A terminal whose other side is gone answers with an error.
            while let Ok(count @ 1..) = source.read(&mut buffer) {
                let Ok(mut kept) = kept.lock() else { return };
                kept.extend_from_slice(&buffer[..count]);
            }
        });
        Ok(Self { child, master, shown })
    }

    /// Types.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn write(&mut self, text: &str) -> Result<()> {
        self.master.write_all(text.as_bytes()).map_err(failed("the terminal"))
    }

    /// Changes the window's size; the command itself is told with SIGWINCH by whoever calls this.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn resize(&self, columns: u16, rows: u16) -> Result<()> {
        let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.master, size).map_err(failed("a terminal's size"))
    }

    /// What was shown so far, without carriage returns: each terminal on the way adds one.
    #[must_use]
    pub fn shown(&self) -> String {
        let shown = self.shown.lock().map(|shown| String::from_utf8_lossy(&shown).into_owned());
        shown.unwrap_or_default().replace('\r', "")
    }

    /// Waits until this text was shown.
    ///
    /// # Errors
    /// What was shown instead.
    pub fn wait_for(&self, text: &str) -> Result<()> {
        crate::eventually(PATIENCE, || {
            let shown = self.shown();
            if shown.contains(text) { Ok(()) } else { Err(format!("waited for {text:?} on the terminal: {shown:?}")) }
        })
    }

    /// Waits for the command's end: its exit code, and what was shown.
    ///
    /// # Errors
    /// When it does not come.
    pub fn finish(mut self) -> Result<(i32, String)> {
        let ended = crate::eventually(PATIENCE, || match self.child.try_wait().map_err(failed("a command"))? {
            Some(status) => Ok(status.code().unwrap_or(-1)),
            None => Err(format!("it goes on; the terminal shows {:?}", self.shown())),
        });
        if ended.is_err() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        // What was written last is on its way to the thread that reads.
        std::thread::sleep(Duration::from_millis(50));
        Ok((ended?, self.shown()))
    }

    /// The number of the process that was started, as the machine numbers it.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}
