use super::*;
use crate::cache::CacheConfig;
use crate::wire::packet::Packet;
use rustix::process::PidfdFlags;
use wasmrt_model::Ceiling;

/// A zygote in a process of its own, and its owner's end of the socket.
struct Owned {
    process: ChildProcess,
    control: OwnedFd,
}

impl Owned {
    fn start() -> Self {
        let (control, theirs) = packet::pair().unwrap();
        match process::fork().unwrap() {
            Forked::Parent(process) => Self { process, control },
            Forked::Child => {
                drop(control);
                let served = Zygote::set_up(theirs, None).and_then(|zygote| zygote.map_or(Ok(()), Zygote::serve));
                process::exit_now(i32::from(served.is_err()));
            }
        }
    }

    fn greet(&self, version: &str) -> Welcome {
        let greeting = Greeting {
            version: version.to_owned(),
            cache: CacheConfig::disabled(),
            ceiling: Ceiling::default(),
            max_runs: 2,
            warm: Vec::new(),
        };
        let owner = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).unwrap();
        Packet::new(&serde_json::to_vec(&greeting).unwrap()).send(self.control.as_fd(), &[owner.as_fd()]).unwrap();
        wire::parse(&packet::receive(self.control.as_fd()).unwrap().unwrap().head).unwrap()
    }

    /// Sends a job with these descriptors behind the socket for its answer, which is returned.
    fn send(&self, head: &[u8], descriptors: &[BorrowedFd<'_>]) -> OwnedFd {
        let (ours, theirs) = packet::pair().unwrap();
        let mut all = vec![theirs.as_fd()];
        all.extend(descriptors);
        Packet::new(head).send(self.control.as_fd(), &all).unwrap();
        ours
    }

    /// The job that is done without an engine.
    fn inspects(&self) -> bool {
        let module = wire::memory("module", &[b"\0asm\x01\0\0\0"]).unwrap();
        let directory = rustix::fs::open(".", rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
        let head = JobHead {
            task: Task::Inspect,
            module: Some(wire::ModuleName::of(b"")),
            long_spec: false,
            streams: [false; 3],
            events: false,
            group: None,
            extra: 0,
        };
        let answer = self.send(&serde_json::to_vec(&head).unwrap(), &[directory.as_fd(), module.as_fd()]);
        matches!(Answer::receive(answer.as_fd()), Ok(Some(Answer::Inspection(_))))
    }
}

#[test]
fn what_makes_no_sense_is_refused_and_leaves_the_zygote_at_work() {
    let mut zygote = Owned::start();
    assert!(matches!(zygote.greet(VERSION), Welcome::Ready));
    assert!(zygote.inspects());
    let raw = |bytes: &[u8]| {
        rustix::net::send(&zygote.control, bytes, rustix::net::SendFlags::empty()).unwrap();
    };
    raw(b"x");
    raw(&[0xff; 100]);
    raw(&vec![7; packet::MOST_BYTES * 2]);
    Packet::new(b"{}").send(zygote.control.as_fd(), &[]).unwrap();
    // A descriptor that is no socket.
    Packet::new(b"{}").send(zygote.control.as_fd(), &[rustix::stdio::stderr()]).unwrap();
    // With somewhere to answer, it answers.
    for head in [
        &b"{}"[..],
        b"no json",
        br#"{"task":"run","module":null,"long_spec":true,"streams":[true,true,true],"events":true,"group":1}"#,
    ] {
        let answer = zygote.send(head, &[]);
        let Ok(Some(Answer::Failed(error))) = Answer::receive(answer.as_fd()) else { panic!("no refusal") };
        assert_eq!(error.kind(), ErrorKind::Internal);
    }
    assert!(zygote.inspects());
    drop(zygote.control);
    assert_eq!(zygote.process.reap().unwrap().death, Death::Exited(0));
}

#[test]
fn another_version_is_refused_by_name() {
    let mut zygote = Owned::start();
    let Welcome::Refused(error) = zygote.greet("0.0.0/0") else { panic!("it was let in") };
    assert!(error.to_string().contains("0.0.0/0") && error.to_string().contains(VERSION));
    assert_eq!(zygote.process.reap().unwrap().death, Death::Exited(1));
}

#[test]
fn an_owner_that_says_nothing_and_goes_is_no_failure() {
    let mut zygote = Owned::start();
    drop(zygote.control);
    assert_eq!(zygote.process.reap().unwrap().death, Death::Exited(0));
}

#[test]
fn people_are_told_what_it_is() {
    for arguments in [&["wasmrt-worker"][..], &["wasmrt-worker", "--help"], &["wasmrt-worker", "--control", "99999"]] {
        assert!(control_socket(arguments.iter().map(OsString::from)).is_none());
    }
}
