//! Sockets that another process opens.

use super::names::look_up;
use super::{ACCES, UDP, echo, policy, spec};
use crate::guest::Guest;
use std::net::UdpSocket;
use wasmrt_host::Resources;
use wasmrt_host::network::{Broker, Direct, serve};
use wasmrt_model::NetworkPolicy;

/// What stands between a guest and its sockets in a process of its own is the same, seen from the guest.
#[test]
fn a_broker_does_what_it_is_asked_within_the_rules() {
    let (peer, echoing) = echo();
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp_peer = server.local_addr().unwrap();
    let json =
        spec(&[format!("connect={peer}"), format!("connect={udp_peer}/udp"), "resolve=localhost".to_owned()], "");
    let (broker, end) = Broker::pair().unwrap();
    let rules = policy(&json);
    let serving = std::thread::spawn(move || serve(&end, &mut Direct::new(rules, Vec::new())));
    let mut resources = Resources::new();
    resources.network = Some(Box::new(broker));
    let mut guest = Guest::with(&json, resources).unwrap();
    let socket = guest.tcp();
    assert_eq!(guest.connect(socket, peer), 0);
    assert_eq!(guest.send(socket, b"hello"), Ok(5));
    assert_eq!(guest.try_receive(socket, 5, 2).unwrap(), Ok(b"hello".to_vec()));
    let other = guest.tcp();
    assert_eq!(guest.connect(other, udp_peer), ACCES);
    let datagrams = guest.socket(1, UDP).unwrap();
    assert_eq!(guest.send_to(datagrams, &[7; 60_000], udp_peer), 0);
    let mut buffer = vec![0; 65_536];
    let (length, from) = server.recv_from(&mut buffer).unwrap();
    assert_eq!(length, 60_000);
    server.send_to(&buffer[..length], from).unwrap();
    let (data, _, flags) = guest.receive_from(datagrams, 65_536).unwrap();
    assert_eq!((data.len(), flags), (60_000, 0));
    assert_eq!(guest.send_to(datagrams, &[7; 70_000], udp_peer), 35);
    assert_eq!(look_up(&mut guest, "localhost", "80", 1).unwrap().len(), 1);
    assert_eq!(look_up(&mut guest, "example.com", "80", 1), Err(ACCES));
    assert_eq!(guest.refusals.lines().len(), 2);
    drop(guest);
    serving.join().unwrap();
    echoing.join().unwrap();
}

#[test]
fn a_broker_hangs_up_on_who_sends_nonsense() {
    let (end, other) = rustix::net::socketpair(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::SEQPACKET,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    for message in [&b"x"[..], b"\xff\xff\xff\xff{}", b"\x02\0\0\0{}", b"\x04\0\0\0null"] {
        let (end, other) = (end.try_clone().unwrap(), other.try_clone().unwrap());
        rustix::net::send(&end, message, rustix::net::SendFlags::empty()).unwrap();
        // It comes back.
        serve(&other, &mut Direct::new(NetworkPolicy::default(), Vec::new()));
    }
}
