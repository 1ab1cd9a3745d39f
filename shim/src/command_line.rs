//! What lists of processes show of a guest: its own arguments, in place of the shim's.
//!
//! The kernel shows what is in the memory where a program's arguments were put. Nothing is executed here, so that memory is the shim's, and what
//! is written there is cut to its length. To move it elsewhere is a privilege (CAP_SYS_RESOURCE) that not every machine gives.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Where a process's arguments begin, among the fields of /proc/PID/stat that follow its name; where they end is next.
const START: usize = 45;

/// Lets this process, and those that are forked from it, be listed with these arguments.
///
/// # Errors
/// The system's.
pub(crate) fn show(args: &[String]) -> io::Result<()> {
    let process = Path::new("/proc/self");
    let stat = std::fs::read_to_string(process.join("stat"))?;
    let (start, end) = place(&stat).ok_or_else(|| io::Error::other("the place of the arguments is not known"))?;
    let room = usize::try_from(end.saturating_sub(start)).unwrap_or(0);
    let memory = File::options().write(true).open(process.join("mem"))?;
    memory.write_all_at(&shown(args, room), start)
}

fn place(stat: &str) -> Option<(u64, u64)> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(START).map(|field| field.parse().ok().filter(|place| *place > 0));
    Some((fields.next()??, fields.next()??))
}

/// Arguments that are ended by NUL each, in exactly this room; the last byte has to be one.
fn shown(args: &[String], room: usize) -> Vec<u8> {
    let mut shown: Vec<u8> = args.iter().flat_map(|arg| arg.bytes().chain([0])).take(room.saturating_sub(1)).collect();
    shown.resize(room, 0);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_listed_with_what_it_shows() {
        let before: Vec<String> = std::env::args().collect();
        let listed = || std::fs::read("/proc/self/cmdline").unwrap();
        let room = listed().len();
        show(&["/a.wasm".to_owned(), "b".to_owned()]).unwrap();
        let now = listed();
        show(&before).unwrap();
        assert!(now.starts_with(b"/a.wasm\0b\0"), "{now:?}");
        assert_eq!(now.len(), room);
        assert!(now[10..].iter().all(|byte| *byte == 0), "{now:?}");
    }

    #[test]
    fn what_does_not_fit_is_cut() {
        let args = ["abc".to_owned(), "def".to_owned()];
        assert_eq!(shown(&args, 10), b"abc\0def\0\0\0");
        assert_eq!(shown(&args, 6), b"abc\0d\0");
        assert_eq!(shown(&args, 1), b"\0");
        assert_eq!(shown(&args, 0), b"");
        assert_eq!(place("7 (a) b) S 1"), None);
    }
}
