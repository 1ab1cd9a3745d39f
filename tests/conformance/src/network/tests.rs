use super::*;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

fn scene(ports: &[&str], peers: &str, clients: &str) -> Scene {
    #[derive(serde::Deserialize)]
    struct Both {
        #[serde(default)]
        peers: Vec<Peer>,
        #[serde(default)]
        clients: Vec<Client>,
    }
    let both: Both = toml::from_str(&format!("{peers}\n{clients}")).unwrap();
    let ports: Vec<String> = ports.iter().map(|name| (*name).to_owned()).collect();
    Scene::set(Wanted { ports: &ports, peers: &both.peers, clients: &both.clients }, Path::new("/nonexistent")).unwrap()
}

fn address(scene: &Scene, name: &str) -> SocketAddr {
    format!("127.0.0.1:{}", scene.place(&format!("{{port:{name}}}"))).parse().unwrap()
}

#[test]
fn what_a_peer_saw_is_held_against_what_it_should_have() {
    for (reached, received, complaints) in [(1, "hello", 0), (0, "hello", 1), (1, "hell", 1), (2, "", 2)] {
        let peer = format!("[[peers]]\nname = 'a'\ndoes = 'echo'\nreached = {reached}\nreceived = '{received}'");
        let mut scene = scene(&[], &peer, "");
        let mut stream = TcpStream::connect(address(&scene, "a")).unwrap();
        stream.write_all(b"hello").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        let seen = scene.finish(Vec::new());
        assert_eq!((seen.reached, seen.wrong.len()), (1, complaints), "{:?}", seen.wrong);
    }
}

#[test]
fn who_came_at_the_last_moment_counts() {
    let mut scene = scene(&[], "[[peers]]\nname = 'a'\ndoes = 'silent'\nreached = 0", "");
    let streams: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(address(&scene, "a")).unwrap()).collect();
    let seen = scene.finish(Vec::new());
    assert_eq!((seen.reached, seen.wrong.len()), (20, 1));
    drop(streams);
    let mut scene = self::scene(&[], "[[peers]]\nname = 'a'\nprotocol = 'udp'\ndoes = 'silent'\nreached = 0", "");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(b"x", address(&scene, "a")).unwrap();
    assert_eq!(scene.finish(Vec::new()).wrong.len(), 1);
}

#[test]
fn nobody_is_where_nobody_should_be() {
    let peers = "[[peers]]\nname = 'closed'\ndoes = 'closed'\n[[peers]]\nname = 'full'\ndoes = 'full'";
    let scene = scene(&[], peers, "");
    let refused = TcpStream::connect(address(&scene, "closed")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let unanswered = TcpStream::connect_timeout(&address(&scene, "full"), Duration::from_millis(100)).unwrap_err();
    assert_eq!(unanswered.kind(), ErrorKind::TimedOut);
}

#[test]
fn clients_complain_of_what_they_did_not_hear() {
    let client = "[[clients]]\nto = 'web'\nwhen = 'ready'\nsends = 'ping'\nreceives = 'pong'";
    for (answer, complaints) in [("pong", 0), ("pang", 1), ("pongpong", 1), ("", 1)] {
        let mut scene = scene(&["web"], "", client);
        let listener = TcpListener::bind(address(&scene, "web")).unwrap();
        let clients = scene.start().unwrap();
        scene.heard(b"rea");
        scene.heard(b"dy\n");
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = [0; 4];
        stream.read_exact(&mut asked).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        drop(stream);
        assert_eq!(scene.finish(clients).wrong.len(), complaints, "{answer}");
    }
    // The guest says nothing, nobody is there, and somebody is who should not be.
    for (client, listens, complaints) in [
        (client, true, 1),
        ("[[clients]]\nto = 'web'", false, 1),
        ("[[clients]]\nto = 'web'\nrefused = true", false, 0),
        ("[[clients]]\nto = 'web'\nrefused = true", true, 1),
    ] {
        let mut scene = scene(&["web"], "", client);
        let _listener = listens.then(|| TcpListener::bind(address(&scene, "web")).unwrap());
        let clients = scene.start().unwrap();
        assert_eq!(scene.finish(clients).wrong.len(), complaints, "{client}");
    }
}

#[test]
fn names_that_nobody_has_and_two_of_one_name_are_errors() {
    let set = |ports: &[&str]| {
        let ports: Vec<String> = ports.iter().map(|name| (*name).to_owned()).collect();
        Scene::set(Wanted { ports: &ports, peers: &[], clients: &[] }, Path::new("/nonexistent"))
    };
    assert!(set(&["web", "web"]).is_err() && set(&["web", "dns/udp"]).is_ok());
    assert!(scene(&[], "", "[[clients]]\nto = 'web'").start().is_err());
}
