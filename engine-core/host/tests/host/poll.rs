//! poll_oneoff: clocks, streams and files, alone and together.

use crate::guest::{CREAT, Guest, P0, READ, WRITE, is_bad_pointer, offloaded, pipe, preopened, streams};
use std::io::Write as _;
use std::time::{Duration, Instant};
use wasmrt_model::backend::Ending;
use wasmrt_model::{ErrorKind, LimitKind};

const BADF: [u8; 2] = [8, 0];
const INVAL: u64 = 28;
const IN: u64 = 2048;
const OUT: u64 = 8192;
const COUNT: u64 = 1024;
const MILLISECOND: u64 = 1_000_000;

fn clock(id: u8, timeout: u64, absolute: bool) -> [u8; 48] {
    let mut subscription = [0; 48];
    subscription[16] = id;
    subscription[24..32].copy_from_slice(&timeout.to_le_bytes());
    subscription[40] = u8::from(absolute);
    subscription
}

fn descriptor(kind: u8, fd: u64) -> [u8; 48] {
    let mut subscription = [0; 48];
    subscription[8] = kind;
    subscription[16..20].copy_from_slice(&u32::try_from(fd).unwrap().to_le_bytes());
    subscription
}

/// (Index of the subscription, type, bytes, flags).
type Event = (u64, u8, u64, u8);

/// Polls and returns what has happened.
fn poll(guest: &mut Guest, subscriptions: &[[u8; 48]]) -> Result<Result<Vec<Event>, u64>, Ending> {
    for (index, subscription) in (0u64..).zip(subscriptions) {
        let mut subscription = *subscription;
        subscription[..8].copy_from_slice(&(index + 100).to_le_bytes());
        guest.put(IN + index * 48, &subscription);
    }
    let count = subscriptions.len() as u64;
    match guest.call_in("wasi_snapshot_preview1", "poll_oneoff", &[IN, OUT, count, COUNT])? {
        0 => {}
        errno => return Ok(Err(errno)),
    }
    let happened = guest.word(COUNT);
    Ok(Ok((0..happened)
        .map(|index| {
            let at = OUT + index * 32;
            assert_eq!(guest.get(at + 8, 2), [0, 0]);
            (guest.long(at) - 100, guest.get(at + 10, 1)[0], guest.long(at + 16), guest.get(at + 24, 1)[0])
        })
        .collect()))
}

#[test]
fn a_clock_is_waited_for() {
    let mut guest = Guest::new("{}");
    let start = Instant::now();
    assert_eq!(poll(&mut guest, &[clock(1, 20 * MILLISECOND, false)]).unwrap().unwrap(), [(0, 0, 0, 0)]);
    assert!(start.elapsed() >= Duration::from_millis(20));
    // The shorter of two; an absolute time that is over.
    let both = [clock(1, u64::MAX, false), clock(0, MILLISECOND, false)];
    assert_eq!(poll(&mut guest, &both).unwrap().unwrap(), [(1, 0, 0, 0)]);
    assert_eq!(poll(&mut guest, &[clock(0, 5, true)]).unwrap().unwrap().len(), 1);
    assert_eq!(guest.call("clock_time_get", &[1, 0, COUNT]), 0);
    let soon = guest.long(COUNT) + 5 * MILLISECOND;
    assert_eq!(poll(&mut guest, &[clock(1, soon, true)]).unwrap().unwrap().len(), 1);
    assert_eq!(guest.call("clock_time_get", &[1, 0, COUNT]), 0);
    assert!(guest.long(COUNT) >= soon);
}

#[test]
fn input_and_a_clock_are_waited_for_together() {
    let (reader, mut writer) = pipe();
    let mut guest = Guest::with("{}", streams(Some(reader), None, None)).unwrap();
    let both = [descriptor(1, 0), clock(1, 5 * MILLISECOND, false)];
    assert_eq!(poll(&mut guest, &both).unwrap().unwrap(), [(1, 0, 0, 0)]);
    writer.write_all(b"abc").unwrap();
    let patient = [clock(1, 3600 * 1000 * MILLISECOND, false), descriptor(1, 0)];
    assert_eq!(poll(&mut guest, &patient).unwrap().unwrap(), [(1, 1, 3, 0)]);
    assert_eq!(guest.read(0, 10).unwrap(), b"abc");
    let later = std::thread::spawn(move || {
        writer.write_all(b"x").unwrap();
        writer
    });
    assert_eq!(poll(&mut guest, &patient).unwrap().unwrap(), [(1, 1, 1, 0)]);
    assert_eq!(guest.read(0, 10).unwrap(), b"x");
    drop(later.join().unwrap());
    // The end is an event too: hang-up, and then a read that returns nothing.
    assert_eq!(poll(&mut guest, &patient).unwrap().unwrap(), [(1, 1, 0, 1)]);
    assert_eq!(guest.read(0, 10).unwrap(), b"");
}

#[test]
fn files_and_absent_streams_are_always_ready() {
    let directory = tempfile::tempdir().unwrap();
    let mut guest = Guest::new(&preopened(&[(directory.path(), "/", "rw")], ""));
    let fd = guest.open(3, "a", CREAT, READ | WRITE).unwrap();
    assert_eq!(guest.write(fd, b"12345"), Ok(5));
    assert_eq!(guest.call("fd_seek", &[fd, 1, 0, COUNT]), 0);
    let all = [descriptor(1, fd), descriptor(2, fd), descriptor(1, 0), descriptor(2, 1), clock(1, u64::MAX, false)];
    assert_eq!(poll(&mut guest, &all).unwrap().unwrap(), [(0, 1, 4, 0), (1, 2, 1, 0), (2, 1, 1, 0), (3, 2, 1, 0)]);
    assert_eq!(guest.call("fd_seek", &[fd, 5, 0, COUNT]), 0);
    assert_eq!(poll(&mut guest, &[descriptor(1, fd)]).unwrap().unwrap(), [(0, 1, 0, 1)]);
}

#[test]
fn output_is_ready_when_its_pipe_is() {
    let (reader, writer) = pipe();
    let mut guest = Guest::with("{}", streams(None, Some(writer), None)).unwrap();
    assert_eq!(poll(&mut guest, &[descriptor(2, 1)]).unwrap().unwrap(), [(0, 2, 1, 0)]);
    assert_eq!(guest.call("fd_fdstat_set_flags", &[1, 4]), 0);
    while guest.write(1, &[0; 4096]).is_ok() {}
    let both = [descriptor(2, 1), clock(1, MILLISECOND, false)];
    assert_eq!(poll(&mut guest, &both).unwrap().unwrap(), [(1, 0, 0, 0)]);
    drop(reader);
    assert_eq!(poll(&mut guest, &both).unwrap().unwrap()[0].0, 0);
}

#[test]
fn what_cannot_be_waited_for_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut guest = Guest::new(&preopened(&[(directory.path(), "/", "rw")], ""));
    assert_eq!(guest.call("poll_oneoff", &[IN, OUT, 0, COUNT]), INVAL);
    for (subscription, errno) in [(descriptor(7, 0), INVAL), (clock(9, 1, false), INVAL), (clock(2, 1, false), INVAL)] {
        assert_eq!(poll(&mut guest, &[subscription]).unwrap(), Err(errno));
    }
    // A descriptor that is none, or not for this, is an event of its own, and the others keep theirs.
    let wrong = [descriptor(1, 99), descriptor(1, 3), descriptor(1, 1), descriptor(2, 0), clock(1, u64::MAX, false)];
    guest.put(IN, &wrong.concat());
    assert_eq!(guest.call("poll_oneoff", &[IN, OUT, 5, COUNT]), 0);
    assert_eq!(guest.word(COUNT), 4);
    for event in 0..4 {
        assert_eq!(guest.get(OUT + 32 * event + 8, 2), BADF);
    }
    assert_ne!(guest.call("poll_oneoff", &[IN, OUT, 100_000, COUNT]), 0);
    assert!(is_bad_pointer(&guest.end("poll_oneoff", &[IN + 4, OUT, 1, COUNT])));
    assert!(is_bad_pointer(&guest.end("poll_oneoff", &[IN, OUT + 1, 1, COUNT])));
    assert!(is_bad_pointer(&guest.end("poll_oneoff", &[IN, OUT, 1, COUNT + 2])));
    assert!(is_bad_pointer(&guest.end("poll_oneoff", &[0xffff_ffe0, OUT, 1, COUNT])));
}

#[test]
fn the_deadline_and_a_cancellation_end_a_sleep() {
    let (reader, _writer) = pipe();
    let mut resources = streams(Some(reader), None, None);
    resources.deadline = Some(Instant::now() + Duration::from_millis(30));
    let mut guest = Guest::with("{}", resources).unwrap();
    let sleep = [clock(1, u64::MAX, false), descriptor(1, 0)];
    let ending = poll(&mut guest, &sleep).unwrap_err();
    assert!(matches!(ending, Ending::Limit(LimitKind::WallTime)), "{ending:?}");
    let (resources, cancel) = offloaded();
    let mut guest = Guest::with("{}", resources).unwrap();
    let cancelling = std::thread::spawn(move || cancel.cancel());
    let ending = poll(&mut guest, &sleep[..1]).unwrap_err();
    assert!(matches!(&ending, Ending::Failed(error) if error.kind() == ErrorKind::Cancelled), "{ending:?}");
    cancelling.join().unwrap();
}

#[test]
fn the_older_version_has_its_own_layout() {
    let (reader, mut writer) = pipe();
    let mut guest = Guest::with("{}", streams(Some(reader), None, None)).unwrap();
    writer.write_all(b"ab").unwrap();
    let mut subscriptions = [0; 112];
    subscriptions[0] = 11;
    subscriptions[16] = 11;
    subscriptions[24] = 1;
    subscriptions[32..40].copy_from_slice(&u64::MAX.to_le_bytes());
    subscriptions[56] = 22;
    subscriptions[64] = 1;
    guest.put(IN, &subscriptions);
    assert_eq!(guest.call_in(P0, "poll_oneoff", &[IN, OUT, 2, COUNT]).unwrap(), 0);
    assert_eq!((guest.word(COUNT), guest.long(OUT), guest.long(OUT + 16)), (1, 22, 2));
    subscriptions[32..40].copy_from_slice(&MILLISECOND.to_le_bytes());
    guest.put(IN, &subscriptions);
    assert_eq!(guest.call_in(P0, "poll_oneoff", &[IN, OUT, 1, COUNT]).unwrap(), 0);
    assert_eq!((guest.word(COUNT), guest.long(OUT)), (1, 11));
}
