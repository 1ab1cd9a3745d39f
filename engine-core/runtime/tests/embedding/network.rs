//! Published ports that the system chooses.

use crate::guests::waits;
use crate::room::{PIPED, Room, ended, spec_of};
use std::time::Duration;

#[test]
fn a_chosen_port_is_told_while_the_guest_runs() {
    let room = Room::new();
    let spec =
        spec_of("wasmtime", &format!(r#"{PIPED}, "network": {{"publish": ["127.0.0.1:0:8080", "127.0.0.1:0:9090"]}}"#));
    let run = room.start(&waits(), &spec);
    assert!(run.published_descriptor().is_some());
    let ports = run.published().unwrap();
    assert_eq!(run.published_timeout(Duration::ZERO).unwrap(), Some(ports.clone()));
    let guests: Vec<u16> = ports.iter().map(|port| port.guest_port).collect();
    assert_eq!(guests, [8080, 9090]);
    assert!(ports.iter().all(|port| std::net::TcpStream::connect(port.local).is_ok()));
    drop(run.take_stdin());
    assert!(ended(&run).status.success());
    // A run that ends before that has none.
    let run = room.start(b"no module", &spec);
    assert!(run.published().unwrap().is_empty());
    // Nothing is to be told of ports that the spec names.
    let run = room.start(&waits(), &spec_of("wasmtime", PIPED));
    assert!(run.published_descriptor().is_none() && run.published().unwrap().is_empty());
}
