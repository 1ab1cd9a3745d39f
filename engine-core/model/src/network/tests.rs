use super::*;
use std::net::SocketAddr;

#[test]
fn rules_read_back_as_they_are_printed() {
    for text in [
        "connect=api.example.com:443",
        "connect=10.0.0.0/8:8000-9000",
        "connect=*",
        "connect=*:443",
        "connect=127.0.0.1:80",
        "connect=127.0.0.1:80/udp",
        "connect=api.example.com/tcp",
        "listen=0.0.0.0:53/udp",
        "connect=[::1]:80",
        "connect=[fe80::/10]",
        "listen=0.0.0.0:8080",
        "listen=[::]:0",
        "listen=127.0.0.1",
        "listen=*",
        "listen=*:8000-8100/tcp",
        "listen=[::1]:1-9",
        "resolve=*",
        "resolve=example.com",
    ] {
        assert_eq!(text.parse::<NetworkRule>().unwrap().to_string(), text);
    }
}

#[test]
fn wrong_rules_are_quoted() {
    for text in [
        "",
        "connect",
        "accept=1.2.3.4:1",
        "connect=",
        "connect=a b",
        "connect=1.2.3.4/33",
        "connect=host:99999",
        "connect=host:9-1",
        "connect=[::1",
        "connect=300.1.1.1",
        "connect=1.2.3.4:80/sctp",
        "listen=8080",
        "listen=host:80",
        "listen=127.0.0.1:9-8",
        "listen=127.0.0.0/8:80",
        "resolve=",
        "resolve=1.2.3.4",
        "connect=-host..x",
    ] {
        let error = text.parse::<NetworkRule>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(&format!("'{text}'")), "{error}");
    }
}

fn policy(rules: &[&str]) -> NetworkPolicy {
    NetworkPolicy { allow: rules.iter().map(|rule| rule.parse().unwrap()).collect(), publish: Vec::new() }
}

fn connects(rules: &[&str], peer: &str) -> bool {
    policy(rules).allows_connect(peer.parse().unwrap(), Protocol::Tcp)
}

#[test]
fn nothing_is_allowed_without_a_rule() {
    assert!(policy(&[]).is_denied());
    assert!(!connects(&[], "93.184.216.34:80"));
    assert!(!policy(&[]).allows_resolve("example.com"));
    assert!(!policy(&[]).allows_listen("0.0.0.0:80".parse().unwrap(), Protocol::Tcp));
}

#[test]
fn ports_and_protocols_count() {
    assert!(connects(&["connect=10.0.0.0/8:80-90"], "10.1.2.3:80"));
    assert!(connects(&["connect=10.0.0.0/8:80-90"], "10.1.2.3:90"));
    assert!(!connects(&["connect=10.0.0.0/8:80-90"], "10.1.2.3:91"));
    assert!(!connects(&["connect=10.0.0.0/8:80-90"], "11.1.2.3:80"));
    assert!(!connects(&["connect=10.0.0.0/8:80/udp"], "10.1.2.3:80"));
    assert!(connects(&["connect=10.0.0.0/8:80/tcp"], "10.1.2.3:80"));
    assert!(connects(&["connect=0.0.0.0/0"], "93.184.216.34:1"));
    assert!(!connects(&["connect=0.0.0.0/0"], "[2606:2800::1]:1"), "an IPv4 network holds no IPv6 address");
}

/// Everything that reaches this machine, the link or a metadata service, in every way to write it.
const SPECIAL_PEERS: &[&str] = &[
    "127.0.0.1:80",
    "127.9.9.9:80",
    "0.0.0.0:80",
    "0.1.2.3:80",
    "[::1]:80",
    "[::]:80",
    "[::ffff:127.0.0.1]:80",
    "[::127.0.0.1]:80",
    "[64:ff9b::7f00:1]:80",
    "[2002:7f00:1::]:80",
    "169.254.0.1:80",
    "[fe80::1]:80",
    "169.254.169.254:80",
    "[::ffff:169.254.169.254]:80",
    "[64:ff9b::a9fe:a9fe]:80",
    "[fd00:ec2::254]:80",
    "100.100.100.200:80",
    "168.63.129.16:80",
    "224.0.0.1:80",
    "255.255.255.255:80",
    "[ff02::1]:80",
];

#[test]
fn no_wildcard_covers_special_addresses() {
    for peer in SPECIAL_PEERS {
        for rule in [
            "connect=*",
            "connect=*:80",
            "connect=0.0.0.0/0",
            "connect=[::/0]",
            "connect=example.com",
            "connect=128.0.0.0/1",
        ] {
            assert!(!connects(&[rule], peer), "{rule} covers {peer}");
        }
        let address: SocketAddr = peer.parse().unwrap();
        assert!(!NameRule { name: "example.com" }.covers(address.ip()), "a name covers {peer}");
    }
    assert!(!connects(&["connect=169.254.0.0/16"], "169.254.169.254:80"), "a link is no metadata service");
    assert!(!connects(&["connect=126.0.0.0/7"], "127.0.0.1:80"));
}

#[test]
fn a_rule_that_names_a_special_address_covers_it() {
    for (rule, peer) in [
        ("connect=127.0.0.1:80", "127.0.0.1:80"),
        ("connect=127.0.0.1:80", "[::ffff:127.0.0.1]:80"),
        ("connect=127.0.0.0/8", "127.1.2.3:9"),
        ("connect=[::1]:80", "[::1]:80"),
        ("connect=169.254.169.254:80", "169.254.169.254:80"),
        ("connect=169.254.0.0/16", "169.254.7.7:80"),
        ("connect=[fe80::/10]", "[fe80::1]:80"),
        ("connect=[fd00:ec2::254]", "[fd00:ec2::254]:80"),
    ] {
        assert!(connects(&[rule], peer), "{rule} does not cover {peer}");
    }
    assert!(!connects(&["connect=127.0.0.1:80"], "127.0.0.2:80"));
    assert!(!connects(&["connect=127.0.0.1:80"], "0.0.0.0:80"));
}

#[test]
fn names_are_for_ordinary_addresses_and_localhost() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    assert!(NameRule { name: "example.com" }.covers(ip("93.184.216.34")));
    assert!(NameRule { name: "db.internal" }.covers(ip("10.0.0.7")));
    assert!(NameRule { name: "localhost" }.covers(ip("127.0.0.1")));
    assert!(NameRule { name: "localhost" }.covers(ip("::1")));
    assert!(!NameRule { name: "localhost" }.covers(ip("0.0.0.0")));
    assert!(!NameRule { name: "localhost" }.covers(ip("169.254.169.254")));
    let policy = policy(&["connect=API.example.com:443", "connect=other.org:80/udp"]);
    let names = |port, protocol| policy.name_rules(port, protocol).map(|rule| rule.name).collect::<Vec<_>>();
    assert_eq!(names(443, Protocol::Tcp), ["api.example.com"]);
    assert!(names(80, Protocol::Tcp).is_empty());
    assert_eq!(names(80, Protocol::Udp), ["other.org"]);
}

#[test]
fn who_may_connect_to_a_name_may_ask_for_it() {
    let policy = policy(&["connect=api.example.com:443", "resolve=other.org"]);
    assert!(policy.allows_resolve("API.example.com"));
    assert!(policy.allows_resolve("api.example.com."));
    assert!(policy.allows_resolve("other.org"));
    assert!(!policy.allows_resolve("example.com"));
    assert!(!policy.allows_resolve("xapi.example.com"));
}

#[test]
fn listening_can_be_for_any_address_and_for_several_ports() {
    let allows = |rule: &str, local: &str| policy(&[rule]).allows_listen(local.parse().unwrap(), Protocol::Tcp);
    for (rule, local, allowed) in [
        ("listen=*", "[::1]:0", true),
        ("listen=*", "10.0.0.1:80", true),
        ("listen=*:80-90", "0.0.0.0:90", true),
        ("listen=*:80-90", "0.0.0.0:91", false),
        ("listen=*:80-90", "0.0.0.0:0", false),
        ("listen=*/udp", "0.0.0.0:80", false),
        ("listen=127.0.0.1", "127.0.0.1:65535", true),
        ("listen=127.0.0.1", "127.0.0.1:0", true),
        ("listen=127.0.0.1", "127.0.0.2:80", false),
    ] {
        assert_eq!(allows(rule, local), allowed, "{rule} {local}");
    }
}

#[test]
fn listening_is_for_exactly_that_address() {
    let policy = policy(&["listen=127.0.0.1:8080", "listen=0.0.0.0:0/udp"]);
    let allows = |local: &str, protocol| policy.allows_listen(local.parse().unwrap(), protocol);
    assert!(allows("127.0.0.1:8080", Protocol::Tcp));
    assert!(!allows("0.0.0.0:8080", Protocol::Tcp));
    assert!(!allows("127.0.0.1:8081", Protocol::Tcp));
    assert!(allows("0.0.0.0:0", Protocol::Udp));
    assert!(!allows("0.0.0.0:0", Protocol::Tcp));
    assert!(!allows("0.0.0.0:53", Protocol::Udp));
}
