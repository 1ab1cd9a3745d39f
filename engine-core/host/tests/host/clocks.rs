//! Fixed clocks and fixed randomness: the same world in each run.

use crate::guest::{Guest, offloaded, plan};
use wasmrt_host::{Host, Resources};
use wasmrt_model::ErrorKind;

const AT: u64 = 1024;
const BADF: u64 = 8;

fn now(guest: &mut Guest, id: u64) -> u64 {
    assert_eq!(guest.call("clock_time_get", &[id, 0, AT]), 0);
    guest.long(AT)
}

#[test]
fn each_reading_moves_every_fixed_clock_on() {
    let mut guest = Guest::new(r#"{"clock": {"fixed": {"unix_seconds": 100}}}"#);
    assert_eq!(now(&mut guest, 0), 100_000_000_000);
    assert_eq!(now(&mut guest, 1), 1_000);
    assert_eq!(now(&mut guest, 0), 100_000_002_000);
    assert_eq!(now(&mut guest, 2), 3_000);
    assert_eq!(guest.call("clock_res_get", &[0, AT]), 0);
    assert_eq!(guest.long(AT), 1_000);
}

#[test]
fn waiting_for_a_fixed_clock_takes_its_time_and_not_ours() {
    let mut guest = Guest::new(r#"{"clock": {"fixed": {"unix_seconds": 100}}}"#);
    let hour: u64 = 3600 * 1_000_000_000;
    let mut subscription = [0; 48];
    subscription[16] = 1;
    subscription[24..32].copy_from_slice(&hour.to_le_bytes());
    guest.put(2048, &subscription);
    assert_eq!(guest.call("poll_oneoff", &[2048, 4096, 1, AT]), 0);
    assert_eq!(guest.word(AT), 1);
    assert_eq!(now(&mut guest, 1), hour);
}

#[test]
fn a_clock_that_cannot_be_is_refused() {
    let json = format!(r#"{{"clock": {{"fixed": {{"unix_seconds": {}}}}}}}"#, u64::MAX);
    let error = Host::new(&plan(&json), Resources::new(), &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn processor_time_is_only_the_guests_own() {
    let (resources, _cancel) = offloaded();
    let mut guest = Guest::with("{}", resources).unwrap();
    assert_eq!(guest.call("clock_time_get", &[2, 0, AT]), BADF);
    assert_eq!(guest.call("clock_res_get", &[3, AT]), BADF);
    assert_eq!(guest.call("clock_time_get", &[1, 0, AT]), 0);
}

#[test]
fn fixed_randomness_is_the_documented_stream_however_it_is_asked_for() {
    let json = r#"{"random": {"fixed": {"seed": 0}}}"#;
    let mut guest = Guest::new(json);
    assert_eq!(guest.call("random_get", &[2048, 64]), 0);
    let whole = guest.get(2048, 64);
    // ChaCha20 with a key, a nonce and a counter of zeros, as published in RFC 8439, A.1, test vector 1.
    assert_eq!(
        whole[..16],
        [0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28]
    );
    let mut guest = Guest::new(json);
    let mut pieces = Vec::new();
    for length in [1, 2, 3, 7, 51] {
        assert_eq!(guest.call("random_get", &[2048, length]), 0);
        pieces.extend(guest.get(2048, length));
    }
    assert_eq!(pieces, whole);
    let mut other = Guest::new(r#"{"random": {"fixed": {"seed": 1}}}"#);
    assert_eq!(other.call("random_get", &[2048, 64]), 0);
    assert_ne!(other.get(2048, 64), whole);
}

#[test]
fn much_randomness_fills_everything() {
    for json in ["{}", r#"{"random": {"fixed": {"seed": 5}}}"#] {
        let mut guest = Guest::new(json);
        assert_eq!(guest.call("random_get", &[4096, 1 << 20]), 0);
        let bytes = guest.get(4096, 1 << 20);
        assert!(bytes.chunks(64).all(|chunk| chunk.iter().any(|byte| *byte != 0)));
    }
}
