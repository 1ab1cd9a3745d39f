//! Native code behind the wall, in the place of an engine that the guest has taken over. The wall holds for a thread, so each
//! attempt has one of its own.

use super::*;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind as Io, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;

/// Does something behind the complete wall around these preopens.
fn behind<T: Send>(preopens: &[Preopen], work: impl FnOnce() -> T + Send) -> T {
    behind_wall(preopens, Guest::Module { sockets: false }, work)
}

/// The same of a guest that has sockets.
fn behind_with_sockets<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    behind_wall(&[], Guest::Module { sockets: true }, work)
}

fn behind_wall<T: Send>(preopens: &[Preopen], guest: Guest, work: impl FnOnce() -> T + Send) -> T {
    let has = available();
    assert!(has.is_complete(), "this kernel has not what these tests are about: {has}");
    std::thread::scope(|scope| {
        let walled = scope.spawn(|| {
            Wall { preopens, artifact: None, guest }.before_code(has).unwrap();
            Wall::before_guest(has).unwrap();
            work()
        });
        walled.join().unwrap()
    })
}

fn refused<T>(result: std::io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == Io::PermissionDenied)
}

/// Refused by Landlock; the filter has another word.
fn denied<T>(result: std::io::Result<T>) -> bool {
    result.is_err_and(|error| error.raw_os_error() == Some(libc::EACCES))
}

// As the host does it: relative to a directory. The standard library takes older calls, which the filter does not let through.

fn mkdir(path: &Path) -> std::io::Result<()> {
    Ok(rustix::fs::mkdirat(CWD, path, Mode::RWXU)?)
}

fn rename(from: &Path, to: &Path) -> std::io::Result<()> {
    Ok(rustix::fs::renameat(CWD, from, CWD, to)?)
}

fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    Ok(rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty())?)
}

fn symlink(target: &Path, place: &Path) -> std::io::Result<()> {
    Ok(rustix::fs::symlinkat(target, CWD, place)?)
}

fn unlink(path: &Path) -> std::io::Result<()> {
    Ok(rustix::fs::unlinkat(CWD, path, AtFlags::empty())?)
}

fn preopen(host: &Path, access: Access) -> Preopen {
    Preopen { host: host.to_owned(), guest: "/".to_owned(), access }
}

/// A directory with a file in it.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "text").unwrap();
    directory
}

#[test]
fn files_outside_of_the_grants_are_out_of_reach() {
    let (granted, other) = (directory(), directory());
    let secret = other.path().join("file");
    let open = File::open(granted.path()).unwrap();
    behind(&[preopen(granted.path(), Access::ReadWrite)], || {
        let inside = |name: &str| granted.path().join(name);
        assert!(denied(fs::read(&secret)) && denied(fs::read("/etc/passwd")) && denied(File::open("/proc/self/mem")));
        assert!(denied(fs::write(other.path().join("new"), "")) && denied(fs::write(&secret, "")));
        assert!(denied(unlink(&secret)) && denied(fs::read_dir(other.path())));
        assert!(denied(mkdir(&other.path().join("new"))) && denied(OpenOptions::new().write(true).open("/dev/null")));
        // Through a link, and up from what it has.
        symlink(&secret, &inside("link")).unwrap();
        assert!(denied(fs::read(inside("link"))));
        assert!(denied(fs::read(inside("..").join(other.path().file_name().unwrap()).join("file"))));
        let up = rustix::fs::openat(&open, "../".repeat(40) + "etc/passwd", OFlags::RDONLY, Mode::empty());
        assert!(denied(up.map_err(Into::into)));
        // Neither a second name nor a move brings a file of elsewhere in, or one of here out.
        assert!(link(&secret, &inside("linked")).is_err() && rename(&secret, &inside("moved")).is_err());
        assert!(rename(&inside("file"), &other.path().join("moved")).is_err());
    });
    assert_eq!(fs::read(&secret).unwrap(), b"text");
    assert_eq!(fs::read_dir(other.path()).unwrap().count(), 1);
}

#[test]
fn what_is_granted_works() {
    let (granted, other) = (directory(), directory());
    let single = other.path().join("file");
    let preopens = [preopen(granted.path(), Access::ReadWrite), preopen(&single, Access::ReadOnly)];
    behind(&preopens, || {
        let inside = |name: &str| granted.path().join(name);
        fs::write(inside("new"), "more").unwrap();
        mkdir(&inside("directory")).unwrap();
        rename(&inside("new"), &inside("directory/moved")).unwrap();
        symlink(Path::new("file"), &inside("link")).unwrap();
        link(&inside("file"), &inside("second")).unwrap();
        assert_eq!(fs::read(inside("link")).unwrap(), b"text");
        File::options().write(true).open(inside("file")).unwrap().set_len(1).unwrap();
        assert_eq!(fs::read_dir(granted.path()).unwrap().count(), 4);
        unlink(&inside("directory/moved")).unwrap();
        assert_eq!(fs::read(&single).unwrap(), b"text");
        assert!(denied(fs::write(&single, "")));
    });
}

#[test]
fn read_only_is_read_only() {
    let granted = directory();
    behind(&[preopen(granted.path(), Access::ReadOnly)], || {
        let inside = |name: &str| granted.path().join(name);
        let file = inside("file");
        assert_eq!(fs::read(&file).unwrap(), b"text");
        assert!(denied(fs::write(&file, "")) && denied(OpenOptions::new().append(true).open(&file)));
        assert!(denied(unlink(&file)) && denied(rename(&file, &inside("new"))) && denied(link(&file, &inside("new"))));
        assert!(denied(fs::write(inside("new"), "")) && denied(mkdir(&inside("new"))));
        assert!(denied(symlink(Path::new("file"), &inside("new"))));
    });
}

#[test]
fn there_is_no_network_and_no_other_process() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("socket");
    let _unix = UnixListener::bind(&path).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    behind(&[preopen(place.path(), Access::ReadWrite)], || {
        assert!(refused(TcpStream::connect(address)) && refused(TcpListener::bind("127.0.0.1:0")));
        assert!(refused(UdpSocket::bind("127.0.0.1:0")) && refused(UnixStream::connect(&path)));
        assert!(Command::new("/bin/true").status().is_err());
        let own = rustix::process::getpid();
        assert!(rustix::process::kill_process(own, rustix::process::Signal::CONT).is_err());
        assert!(rustix::process::test_kill_process(rustix::process::Pid::INIT).is_err());
        assert!(rustix::process::setpriority_process(None, 1).is_err());
        assert!(rustix::process::chdir("/").is_err());
        assert!(rustix::pipe::pipe().is_err());
        assert!(rustix::fs::memfd_create("code", rustix::fs::MemfdFlags::empty()).is_err());
    });
}

/// A new mapping of one page.
fn page(protection: ProtFlags, flags: MapFlags) -> rustix::io::Result<*mut std::ffi::c_void> {
    // SAFETY: a new mapping at a place that the kernel chooses touches nothing that is there.
    #[expect(unsafe_code, reason = "what an engine does")]
    unsafe {
        mmap_anonymous(std::ptr::null_mut(), 4096, protection, flags)
    }
}

#[test]
fn there_is_no_memory_but_private_memory() {
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    let uncounted = [MapFlags::SHARED, MapFlags::PRIVATE | MapFlags::GROWSDOWN];
    assert!(uncounted.into_iter().all(|flags| page(protection, flags).is_ok()));
    behind(&[], || {
        for flags in uncounted {
            assert_eq!(page(protection, flags).unwrap_err(), rustix::io::Errno::PERM);
        }
        page(protection, MapFlags::PRIVATE | MapFlags::NORESERVE).unwrap();
    });
}

#[test]
fn nothing_new_becomes_executable() {
    let page = |protection| page(protection, MapFlags::PRIVATE);
    behind(&[], || {
        assert!(page(ProtFlags::READ | ProtFlags::WRITE | ProtFlags::EXEC).is_err());
        assert!(page(ProtFlags::READ | ProtFlags::EXEC).is_err());
        let plain = page(ProtFlags::READ | ProtFlags::WRITE).unwrap();
        // SAFETY: the mapping is this test's own.
        #[expect(unsafe_code, reason = "what an engine does")]
        let made = unsafe { mprotect(plain, 4096, MprotectFlags::READ | MprotectFlags::EXEC) };
        assert!(made.is_err());
    });
}

#[test]
fn streams_that_are_open_stay_open() {
    let directory = directory();
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let mut file = File::open(directory.path().join("file")).unwrap();
    behind(&[], || {
        writer.write_all(b"word").unwrap();
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "word");
        text.clear();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "text");
        assert!(!std::io::IsTerminal::is_terminal(&file));
    });
}

#[test]
fn an_artifact_can_be_opened_by_its_number() {
    use std::os::fd::AsRawFd;
    let directory = directory();
    let file = File::open(directory.path().join("file")).unwrap();
    let has = available();
    std::thread::scope(|scope| {
        let walled = scope.spawn(|| {
            Wall { preopens: &[], artifact: Some(file.as_fd()), guest: Guest::Module { sockets: false } }
                .before_code(has)
                .unwrap();
            let again = fs::read(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap();
            assert_eq!(again, b"text");
            assert!(refused(fs::read_dir(directory.path())));
        });
        walled.join().unwrap();
    });
}

/// A guest that has sockets can do with them what it may, and make no others: neither a rule nor a check of the host is in the way here.
#[test]
fn sockets_that_it_has_reach_nobody_else() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let local = listener.local_addr().unwrap();
    let mut client = TcpStream::connect(local).unwrap();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.set_nonblocking(true).unwrap();
    let elsewhere = stranger.local_addr().unwrap();
    client.write_all(b"word").unwrap();
    behind_with_sockets(|| {
        let (mut accepted, _) = listener.accept().unwrap();
        let mut word = [0; 4];
        accepted.read_exact(&mut word).unwrap();
        rustix::net::send(&accepted, b"answer", rustix::net::SendFlags::NOSIGNAL).unwrap();
        assert!(refused(TcpStream::connect(local)) && refused(TcpListener::bind("127.0.0.1:0")));
        assert!(refused(UdpSocket::bind("127.0.0.1:0")) && refused(UnixStream::pair()));
        assert!(refused(datagrams.send_to(b"x", elsewhere)) && refused(datagrams.connect(elsewhere)));
        let name = rustix::net::SocketAddrAny::from(elsewhere);
        let sent =
            rustix::net::sendmsg_addr(&datagrams, &name, &[], &mut Default::default(), rustix::net::SendFlags::empty());
        assert!(refused(sent.map_err(Into::into)));
        assert!(refused(datagrams.set_broadcast(true)) && refused(accepted.set_nodelay(true)));
        assert!(refused(accepted.set_ttl(7)));
    });
    assert!(stranger.recv(&mut [0; 8]).is_err_and(|error| error.kind() == Io::WouldBlock));
    let mut answer = [0; 6];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"answer");
}

/// The same of a component, whose sockets have a few more options.
#[test]
fn sockets_of_components_reach_nobody_else_either() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let local = listener.local_addr().unwrap();
    let _client = TcpStream::connect(local).unwrap();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    for sockets in [true, false] {
        behind_wall(&[], Guest::Component { sockets }, || {
            assert!(refused(TcpStream::connect(local)) && refused(TcpListener::bind("127.0.0.1:0")));
            assert!(refused(UdpSocket::bind("127.0.0.1:0")) && refused(UnixStream::pair()));
            assert!(refused(datagrams.send_to(b"x", local)) && refused(datagrams.connect(local)));
            assert!(refused(datagrams.set_broadcast(true)));
            assert_eq!(listener.set_ttl(7).is_ok(), sockets);
        });
    }
}

#[test]
fn a_server_makes_threads_and_no_processes_and_accepts_without_reaching_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"ping").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    for sockets in [false, true] {
        let guest = Guest::Server { sockets };
        behind_wall(&[], guest, || {
            assert_eq!(std::thread::spawn(|| 7).join().unwrap(), 7);
            // Threads are made behind the wall, and stay there.
            assert!(std::thread::spawn(|| denied(fs::read("/etc/passwd"))).join().unwrap());
            assert!(Command::new("/bin/true").spawn().is_err());
            assert!(refused(TcpStream::connect(other)));
            assert!(refused(TcpListener::bind("127.0.0.1:0")));
            assert!(refused(UdpSocket::bind("127.0.0.1:0")));
        });
    }
    behind_wall(&[], Guest::Server { sockets: false }, || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut asked = [0; 4];
        stream.read_exact(&mut asked).unwrap();
        stream.write_all(b"pong").unwrap();
        stream.shutdown(std::net::Shutdown::Both).unwrap();
    });
    assert_eq!(client.join().unwrap(), "pong");
}

#[test]
fn a_component_has_a_reactor_and_no_threads() {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    behind_wall(&[], Guest::Component { sockets: false }, || {
        use rustix::event::epoll;
        let events = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        epoll::add(&events, &reader, epoll::EventData::new_u64(1), epoll::EventFlags::IN).unwrap();
        rustix::io::write(&writer, b"x").unwrap();
        let mut ready = Vec::with_capacity(1);
        assert_eq!(epoll::wait(&events, rustix::buffer::spare_capacity(&mut ready), None).unwrap(), 1);
        assert!(std::thread::Builder::new().spawn(|| ()).is_err());
    });
    // A module's host has no use for one.
    behind(&[], || assert!(rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC).is_err()));
}
