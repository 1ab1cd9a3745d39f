//! Each quota: under, at, over, and the ways around it.

use crate::guest::{CREAT, DIRECTORY, Guest, READ, TRUNC, WRITE, pipe, preopened, streams};
use std::fs;
use std::io::Read as _;
use wasmrt_model::backend::Ending;
use wasmrt_model::{ErrorKind, LimitKind};

const NFILE: u64 = 41;
const AT: u64 = 1024;

fn is_limit(ending: &Ending, limit: LimitKind) -> bool {
    matches!(ending, Ending::Limit(reached) if *reached == limit)
}

#[test]
fn output_up_to_the_limit_arrives_and_then_the_guest_ends() {
    let (mut reader, writer) = pipe();
    let both = (writer.try_clone().unwrap(), writer);
    let mut guest =
        Guest::with(r#"{"limits": {"output_bytes": 10}}"#, streams(None, Some(both.0), Some(both.1))).unwrap();
    assert_eq!(guest.write(1, b"1234"), Ok(4));
    assert_eq!(guest.write(2, b"56"), Ok(2));
    let ending = guest.try_write(1, b"7890over").unwrap_err();
    assert!(is_limit(&ending, LimitKind::OutputBytes), "{ending:?}");
    assert_eq!(guest.output(), 10);
    drop(guest);
    let mut all = String::new();
    reader.read_to_string(&mut all).unwrap();
    assert_eq!(all, "1234567890");
}

#[test]
fn output_at_the_limit_is_allowed() {
    let mut guest = Guest::new(r#"{"limits": {"output_bytes": 4}}"#);
    assert_eq!(guest.write(1, b"1234"), Ok(4));
    assert_eq!(guest.write(1, b""), Ok(0));
    assert!(is_limit(&guest.try_write(2, b"5").unwrap_err(), LimitKind::OutputBytes));
}

#[test]
fn the_cap_of_one_captured_stream_is_its_own() {
    let mut guest = Guest::new(r#"{"stdio": {"stdout": {"capture": {"cap": 3}}}}"#);
    assert_eq!(guest.write(2, b"not captured"), Ok(12));
    assert_eq!(guest.write(1, b"123"), Ok(3));
    assert!(is_limit(&guest.try_write(1, b"4").unwrap_err(), LimitKind::OutputBytes));
    assert_eq!(guest.output(), 15);
}

#[test]
fn output_to_nowhere_counts_as_well() {
    let mut guest = Guest::new(r#"{"limits": {"output_bytes": 4}, "stdio": {"stdout": "null"}}"#);
    assert!(is_limit(&guest.try_write(1, b"12345").unwrap_err(), LimitKind::OutputBytes));
}

#[test]
fn what_fits_into_written_bytes_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let json = preopened(&[(directory.path(), "/", "rw")], r#""limits": {"written_bytes": 10}"#);
    let mut guest = Guest::new(&json);
    let first = guest.open(3, "a", CREAT, WRITE).unwrap();
    let second = guest.open(3, "b", CREAT, WRITE).unwrap();
    assert_eq!(guest.write(first, b"1234"), Ok(4));
    assert_eq!(guest.pwrite(second, b"56", 0).unwrap(), Ok(2));
    assert_eq!(guest.written(), 6);
    let ending = guest.try_write(first, b"789012").unwrap_err();
    assert!(is_limit(&ending, LimitKind::WrittenBytes), "{ending:?}");
    assert_eq!(fs::read(directory.path().join("a")).unwrap(), b"12347890");
    assert_eq!(guest.written(), 10);
    assert!(is_limit(&guest.try_write(second, b"x").unwrap_err(), LimitKind::WrittenBytes));
    assert_eq!(fs::read(directory.path().join("b")).unwrap(), b"56");
}

#[test]
fn overwriting_counts_and_standard_output_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let mut guest = Guest::new(&preopened(&[(directory.path(), "/", "rw")], r#""limits": {"written_bytes": 8}"#));
    let fd = guest.open(3, "a", CREAT, WRITE).unwrap();
    assert_eq!(guest.write(1, b"0123456789"), Ok(10));
    assert_eq!(guest.pwrite(fd, b"1234", 0).unwrap(), Ok(4));
    assert_eq!(guest.pwrite(fd, b"1234", 0).unwrap(), Ok(4));
    assert!(is_limit(&guest.pwrite(fd, b"1", 0).unwrap_err(), LimitKind::WrittenBytes));
}

#[test]
fn a_gap_behind_the_end_counts_as_written() {
    let directory = tempfile::tempdir().unwrap();
    let json = preopened(&[(directory.path(), "/", "rw")], r#""limits": {"written_bytes": 1000}"#);
    let sizes = |name: &str| fs::metadata(directory.path().join(name)).unwrap().len();
    // By position, by pwrite, by size.
    let mut guest = Guest::new(&json);
    let fd = guest.open(3, "a", CREAT, READ | WRITE).unwrap();
    assert_eq!(guest.call("fd_seek", &[fd, 1 << 40, 0, AT]), 0);
    assert!(is_limit(&guest.try_write(fd, b"x").unwrap_err(), LimitKind::WrittenBytes));
    assert!(is_limit(&guest.pwrite(fd, b"x", 1000).unwrap_err(), LimitKind::WrittenBytes));
    assert!(is_limit(&guest.end("fd_filestat_set_size", &[fd, 1001]), LimitKind::WrittenBytes));
    assert_eq!((sizes("a"), guest.written()), (0, 0));
    assert_eq!(guest.pwrite(fd, b"x", 499).unwrap(), Ok(1));
    assert_eq!(guest.written(), 500);
    assert_eq!(guest.call("fd_filestat_set_size", &[fd, 1000]), 0);
    assert_eq!((sizes("a"), guest.written()), (1000, 1000));
    // Shrinking is free, growing again is not, and neither is a gap that was there before.
    assert_eq!(guest.call("fd_filestat_set_size", &[fd, 0]), 0);
    assert!(is_limit(&guest.end("fd_filestat_set_size", &[fd, 1]), LimitKind::WrittenBytes));
    assert!(is_limit(&guest.pwrite(fd, b"x", 999).unwrap_err(), LimitKind::WrittenBytes));
    assert_eq!(sizes("a"), 0);
}

#[test]
fn truncating_behind_another_descriptors_back_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let mut guest = Guest::new(&preopened(&[(directory.path(), "/", "rw")], r#""limits": {"written_bytes": 250}"#));
    let first = guest.open(3, "a", CREAT, WRITE).unwrap();
    assert_eq!(guest.write(first, &[1; 100]), Ok(100));
    let second = guest.open(3, "a", TRUNC, WRITE).unwrap();
    assert_eq!(guest.write(first, b"x"), Ok(1));
    assert_eq!(guest.written(), 201);
    assert_eq!(guest.call("fd_filestat_set_size", &[second, 0]), 0);
    assert!(is_limit(&guest.try_write(first, b"x").unwrap_err(), LimitKind::WrittenBytes));
}

#[test]
fn appending_leaves_no_gap() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("log"), [0; 5000]).unwrap();
    let mut guest = Guest::new(&preopened(&[(directory.path(), "/", "rw")], r#""limits": {"written_bytes": 6}"#));
    let fd = guest.open_append(3, "log");
    assert_eq!(guest.write(fd, b"abc"), Ok(3));
    assert_eq!(guest.written(), 3);
    assert!(is_limit(&guest.try_write(fd, b"defg").unwrap_err(), LimitKind::WrittenBytes));
    assert_eq!(fs::metadata(directory.path().join("log")).unwrap().len(), 5006);
}

#[test]
fn a_write_that_is_not_allowed_anyway_is_no_matter_of_quota() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a"), b"12345").unwrap();
    let mut guest = Guest::new(&preopened(&[(directory.path(), "/", "ro")], r#""limits": {"written_bytes": 0}"#));
    let fd = guest.open(3, "a", 0, READ).unwrap();
    assert_ne!(guest.write(fd, b"x").unwrap_err(), 0);
    assert_ne!(guest.call("fd_filestat_set_size", &[fd, 9]), 0);
    assert_eq!(fs::read(directory.path().join("a")).unwrap(), b"12345");
}

#[test]
fn open_files_are_counted_and_given_back() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a"), b"").unwrap();
    let mut guest = Guest::new(&preopened(&[(directory.path(), "/", "rw")], r#""limits": {"open_files": 6}"#));
    let first = guest.open(3, "a", 0, READ).unwrap();
    let second = guest.open(3, ".", DIRECTORY, READ).unwrap();
    assert_eq!(guest.open(3, "a", 0, READ), Err(NFILE));
    // Nothing is made or truncated either.
    assert_eq!(guest.open(3, "b", CREAT, WRITE), Err(NFILE));
    assert!(!directory.path().join("b").exists());
    assert_eq!(guest.call("fd_close", &[second]), 0);
    let third = guest.open(3, "b", CREAT, WRITE).unwrap();
    assert_eq!(guest.open(3, "a", 0, READ), Err(NFILE));
    assert_eq!(guest.call("fd_renumber", &[third, first]), 0);
    guest.open(3, "a", 0, READ).unwrap();
    assert_eq!(guest.open(3, "a", 0, READ), Err(NFILE));
    // Standard streams count.
    assert_eq!(guest.call("fd_close", &[2]), 0);
    guest.open(3, "a", 0, READ).unwrap();
    assert_eq!(guest.open(3, "a", 0, READ), Err(NFILE));
    assert!(guest.refusals.lines().iter().any(|line| line.contains("open_files")));
}

#[test]
fn opening_until_something_gives_ends_at_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let mut guest = Guest::new(&preopened(&[(directory.path(), "/", "rw")], ""));
    let mut count = 4;
    let errno = loop {
        match guest.open(3, ".", DIRECTORY, READ) {
            Ok(_) => count += 1,
            Err(errno) => break errno,
        }
    };
    assert_eq!((errno, count), (NFILE, 256));
}

#[test]
fn more_preopens_than_open_files_are_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let preopens = [(directory.path(), "/a", "rw"), (directory.path(), "/b", "rw")];
    let under = |limit: u64| {
        let json = preopened(&preopens, &format!(r#""limits": {{"open_files": {limit}}}"#));
        Guest::with(&json, wasmrt_host::Resources::new()).map(|_| ()).map_err(|error| error.kind())
    };
    assert_eq!(under(5), Ok(()));
    assert_eq!(under(4), Err(ErrorKind::LimitExceeded));
}
