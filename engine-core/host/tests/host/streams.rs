//! Standard streams: nothing lost, nothing buffered, nothing waited for in vain.

use crate::guest::{Guest, is_bad_pointer, offloaded, pipe, streams};
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::time::{Duration, Instant};
use wasmrt_model::backend::Ending;
use wasmrt_model::{ErrorKind, LimitKind};

const AGAIN: u64 = 6;
const BADF: u64 = 8;
const PIPE: u64 = 64;
const SPIPE: u64 = 70;
const AT: u64 = 1024;

#[test]
fn what_is_written_is_there_when_the_call_returns() {
    let (mut reader, writer) = pipe();
    let mut guest = Guest::with("{}", streams(None, Some(writer.try_clone().unwrap()), Some(writer))).unwrap();
    guest.put(5000, b"one, two, three");
    let [list, count] = guest.list(&[(5000, 5), (6000, 0), (5005, 5), (5010, 5)]);
    assert_eq!(guest.call("fd_write", &[1, list, count, AT]), 0);
    assert_eq!(guest.word(AT), 15);
    let mut bytes = [0; 15];
    reader.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"one, two, three");
    assert_eq!(guest.write(2, b"error"), Ok(5));
    let mut bytes = [0; 5];
    reader.read_exact(&mut bytes).unwrap();
    assert_eq!((&bytes, guest.output()), (b"error", 20));
    assert_eq!(guest.write(0, b"x"), Err(BADF));
    assert_eq!(guest.read(1, 1), Err(BADF));
    assert_eq!(guest.call("fd_seek", &[1, 0, 0, AT]), SPIPE);
    assert_eq!(guest.call("fd_tell", &[0, AT]), SPIPE);
}

#[test]
fn reading_takes_what_is_there_and_finds_the_end() {
    let (reader, mut writer) = pipe();
    let mut guest = Guest::with("{}", streams(Some(reader), None, None)).unwrap();
    writer.write_all(b"line\n").unwrap();
    assert_eq!(guest.read(0, 1000).unwrap(), b"line\n");
    writer.write_all(b"more").unwrap();
    assert_eq!(guest.read(0, 0).unwrap(), b"");
    assert_eq!(guest.read(0, 2).unwrap(), b"mo");
    drop(writer);
    assert_eq!(guest.read(0, 1000).unwrap(), b"re");
    assert_eq!(guest.read(0, 1000).unwrap(), b"");
    assert_eq!(guest.read(0, 1000).unwrap(), b"");
}

#[test]
fn streams_that_are_not_given_are_empty_and_swallow() {
    let mut guest = Guest::new("{}");
    assert_eq!(guest.read(0, 10).unwrap(), b"");
    assert_eq!(guest.write(1, b"12345"), Ok(5));
    assert_eq!(guest.write(2, b"123"), Ok(3));
    assert_eq!(guest.output(), 8);
}

#[test]
fn a_regular_file_is_read_and_written_where_it_stands() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"headerbody").unwrap();
    file.seek(std::io::SeekFrom::Start(6)).unwrap();
    let mut resources = streams(Some(file.try_clone().unwrap()), Some(file.try_clone().unwrap()), None);
    resources.deadline = Some(Instant::now() + Duration::from_secs(600));
    let mut guest = Guest::with("{}", resources).unwrap();
    assert_eq!(guest.read(0, 100).unwrap(), b"body");
    assert_eq!(guest.write(1, b"!"), Ok(1));
    let mut all = String::new();
    file.seek(std::io::SeekFrom::Start(0)).unwrap();
    file.read_to_string(&mut all).unwrap();
    assert_eq!(all, "headerbody!");
}

#[test]
fn a_reader_that_is_gone_is_an_error_of_the_guest() {
    let (reader, writer) = pipe();
    drop(reader);
    let mut guest = Guest::with("{}", streams(None, Some(writer), None)).unwrap();
    assert_eq!(guest.write(1, b"anybody?"), Err(PIPE));
    assert_eq!(guest.output(), 0);
}

#[test]
fn a_full_pipe_is_waited_for_even_when_its_owner_made_it_nonblocking() {
    for bounded in [false, true] {
        let (mut reader, writer) = pipe();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let mut resources = streams(None, Some(writer), None);
        if bounded {
            resources.deadline = Some(Instant::now() + Duration::from_secs(600));
        }
        let mut guest = Guest::with("{}", resources).unwrap();
        let data: Vec<u8> = (0..1_000_000u32).map(|index| index.to_le_bytes()[1]).collect();
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            all
        });
        assert_eq!(guest.write(1, &data), Ok(1_000_000));
        drop(guest);
        assert_eq!(reading.join().unwrap(), data);
    }
}

#[test]
fn an_empty_pipe_is_waited_for_even_when_its_owner_made_it_nonblocking() {
    let (reader, mut writer) = pipe();
    rustix::io::ioctl_fionbio(&reader, true).unwrap();
    let mut guest = Guest::with("{}", streams(Some(reader), None, None)).unwrap();
    let writing = std::thread::spawn(move || writer.write_all(b"late").unwrap());
    assert_eq!(guest.read(0, 10).unwrap(), b"late");
    writing.join().unwrap();
}

#[test]
fn a_guest_can_ask_not_to_wait() {
    let (reader, mut writer) = pipe();
    let mut guest = Guest::with("{}", streams(Some(reader), None, None)).unwrap();
    assert_eq!(guest.call("fd_fdstat_set_flags", &[0, 4]), 0);
    assert_eq!(guest.read(0, 10), Err(AGAIN));
    writer.write_all(b"now").unwrap();
    assert_eq!(guest.read(0, 10).unwrap(), b"now");
    assert_eq!(guest.call("fd_fdstat_get", &[0, AT]), 0);
    assert_eq!(guest.get(AT + 2, 1), [4]);
    assert_eq!(guest.call("fd_fdstat_set_flags", &[0, 2]), 28);
    drop(writer);
    assert_eq!(guest.read(0, 10).unwrap(), b"");
}

#[test]
fn the_deadline_ends_reading_and_writing() {
    for read in [true, false] {
        let (reader, writer) = pipe();
        let mut resources = streams(Some(reader), Some(writer), None);
        let deadline = Instant::now() + Duration::from_millis(50);
        resources.deadline = Some(deadline);
        let mut guest = Guest::with("{}", resources).unwrap();
        let ending = if read {
            guest.try_read(0, 10).unwrap_err()
        } else {
            // More than any pipe holds.
            guest.try_write(1, &vec![0; 3 << 20]).unwrap_err()
        };
        assert!(matches!(ending, Ending::Limit(LimitKind::WallTime)), "{ending:?}");
        assert!(Instant::now() >= deadline);
        assert_eq!(guest.output() > 0, !read);
    }
}

#[test]
fn a_cancellation_ends_reading_from_another_thread() {
    let (reader, _writer) = pipe();
    let (mut resources, cancel) = offloaded();
    resources.stdin = Some(reader.into());
    let mut guest = Guest::with("{}", resources).unwrap();
    assert!(!cancel.is_cancelled());
    let cancelling = std::thread::spawn(move || cancel.cancel());
    let ending = guest.try_read(0, 10).unwrap_err();
    assert!(matches!(&ending, Ending::Failed(error) if error.kind() == ErrorKind::Cancelled), "{ending:?}");
    cancelling.join().unwrap();
    // And whatever comes next.
    assert!(matches!(guest.end("sched_yield", &[]), Ending::Failed(_)));
}

#[test]
fn bad_buffers_write_nothing() {
    let (mut reader, writer) = pipe();
    let mut guest = Guest::with("{}", streams(None, Some(writer), None)).unwrap();
    guest.put(5000, b"never seen");
    let far = u64::from(u32::MAX) - 8;
    for buffers in [&[(5000, 10), (far, 4)][..], &[(5000, 10), (4096, u64::from(u32::MAX))]] {
        let [list, count] = guest.list(buffers);
        assert!(is_bad_pointer(&guest.end("fd_write", &[1, list, count, AT])));
    }
    let [list, count] = guest.list(&[(5000, 10)]);
    assert!(is_bad_pointer(&guest.end("fd_write", &[1, list, count, AT + 1])));
    assert!(is_bad_pointer(&guest.end("fd_write", &[1, list + 1, count, AT])));
    assert!(is_bad_pointer(&guest.end("fd_read", &[0, far, 1, AT])));
    drop(guest);
    let mut all = Vec::new();
    reader.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"");
}

#[test]
fn a_terminal_stays_a_terminal() {
    // `script` gives its command a terminal of its own.
    let this = std::env::current_exe().unwrap();
    let command = format!("'{}' --exact streams::inside_a_terminal --ignored --nocapture", this.display());
    let output = std::process::Command::new("script").args(["-qec", &command, "/dev/null"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

#[test]
#[ignore = "started by another test, inside a terminal"]
fn inside_a_terminal() {
    let open = || File::options().read(true).write(true).open("/dev/tty").unwrap();
    let mut guest = Guest::with("{}", streams(Some(open()), Some(open()), None)).unwrap();
    for (fd, file_type) in [(0, 2), (1, 2), (2, 0)] {
        assert_eq!(guest.call("fd_fdstat_get", &[fd, AT]), 0);
        assert_eq!(guest.get(AT, 1), [file_type]);
        assert_eq!(guest.call("fd_filestat_get", &[fd, AT]), 0);
        assert_eq!(guest.get(AT + 16, 1), [file_type]);
    }
    assert_eq!(guest.write(1, b"written\n"), Ok(8));
}
