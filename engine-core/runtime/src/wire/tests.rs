use super::packet::{self, MOST_BYTES, MOST_DESCRIPTORS, Packet};
use super::*;
use wasmrt_model::{ExitStatus, Tier, Usage};

fn outcome(stdout: Vec<u8>) -> Outcome {
    let mut outcome =
        Outcome::new(ExitStatus::Exited { code: 3 }, Usage::default(), EngineName::Wasmtime, Tier::Optimized);
    outcome.stdout = Some(Captured { bytes: stdout });
    outcome
}

#[test]
fn captured_bytes_arrive_as_they_were_whatever_they_are_and_however_many() {
    for length in [0, 5, MOST_BYTES, 5 << 20] {
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
        let (ours, theirs) = packet::pair().unwrap();
        // Nobody reads yet: sending may not wait for that.
        Answer::Outcome(Box::new(outcome(bytes.clone()))).send(theirs.as_fd()).unwrap();
        drop(theirs);
        let Some(Answer::Outcome(received)) = Answer::receive(ours.as_fd()).unwrap() else { panic!("no outcome") };
        assert_eq!(*received, outcome(bytes));
        assert!(Answer::receive(ours.as_fd()).unwrap().is_none());
    }
}

#[test]
fn what_is_no_message_is_an_error_about_that_message_alone() {
    let (ours, theirs) = packet::pair().unwrap();
    rustix::net::send(&theirs, b"xyz", rustix::net::SendFlags::empty()).unwrap();
    rustix::net::send(&theirs, &[0xff; 64], rustix::net::SendFlags::empty()).unwrap();
    rustix::net::send(&theirs, &vec![0; MOST_BYTES * 2], rustix::net::SendFlags::empty()).unwrap();
    Packet::new(b"head").body(&[b"bo", b"dy"]).send(theirs.as_fd(), &[theirs.as_fd()]).unwrap();
    for _ in 0..3 {
        assert_eq!(packet::receive(ours.as_fd()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
    let received = packet::receive(ours.as_fd()).unwrap().unwrap();
    assert_eq!((received.head.as_slice(), received.body.as_slice()), (&b"head"[..], &b"body"[..]));
    assert_eq!(received.descriptors.len(), 1);
}

#[test]
fn a_message_that_does_not_fit_is_not_sent() {
    let (ours, theirs) = packet::pair().unwrap();
    assert!(Packet::new(&vec![0; MOST_BYTES + 1]).send(theirs.as_fd(), &[]).is_err());
    assert!(Packet::new(b"").send(theirs.as_fd(), &[theirs.as_fd(); MOST_DESCRIPTORS + 1]).is_err());
    drop(theirs);
    assert!(packet::receive(ours.as_fd()).unwrap().is_none());
}

#[test]
fn memory_that_was_passed_on_cannot_be_changed() {
    let memory = memory("test", &[b"ab", b"c"]).unwrap();
    assert_eq!(read_memory(memory.as_fd()).unwrap(), b"abc");
    assert!(rustix::io::pwrite(&memory, b"x", 0).is_err());
    assert!(rustix::fs::ftruncate(&memory, 0).is_err());
    assert_eq!(read_memory(memory.as_fd()).unwrap(), b"abc");
}
