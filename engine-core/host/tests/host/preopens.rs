//! What can be given to a guest, and what cannot.

use crate::guest::{DIRECTORY, Guest, READ, WRITE, preopened};
use std::fs;
use std::path::Path;
use wasmrt_host::{HostRoot, Resources};
use wasmrt_model::{Error, ErrorKind};

/// The error number of what is refused.
const ACCES: u64 = 2;

fn refusal(host: &Path, guest: &str) -> Error {
    Guest::with(&preopened(&[(host, guest, "ro")], ""), Resources::new()).map(|_| ()).unwrap_err()
}

#[test]
fn what_is_missing_or_closed_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let error = refusal(&missing, "/data");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains(missing.to_str().unwrap()) && error.to_string().contains("/data"), "{error}");
    let dangling = directory.path().join("dangling");
    std::os::unix::fs::symlink("nowhere", &dangling).unwrap();
    assert_eq!(refusal(&dangling, "/data").kind(), ErrorKind::NotFound);
}

#[test]
fn devices_fifos_and_sockets_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let socket = directory.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for path in [Path::new("/dev/null"), Path::new("/dev/zero"), &fifo, &socket] {
        assert_eq!(refusal(path, "/data").kind(), ErrorKind::InvalidInput, "{}", path.display());
    }
}

#[test]
fn the_root_of_the_host_is_given_only_when_that_is_meant() {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("link");
    std::os::unix::fs::symlink("/", &link).unwrap();
    for path in [Path::new("/"), Path::new("/tmp/.."), Path::new("/proc/self/root"), &link] {
        assert_eq!(refusal(path, "/data").kind(), ErrorKind::InvalidInput, "{}", path.display());
    }
    let mut resources = Resources::new();
    resources.host_root = HostRoot::Allow;
    let mut guest = Guest::with(&preopened(&[(Path::new("/"), "/", "ro")], ""), resources).unwrap();
    assert!(guest.open(3, "etc", DIRECTORY, READ).is_ok());
}

/// Wherever they are mounted: the memory of this very process is a regular file to whoever goes there.
#[test]
fn no_directory_grants_the_kernels_files() {
    for path in ["/proc", "/sys", "/proc/self", "/proc/self/mem", "/proc/version"] {
        assert_eq!(refusal(Path::new(path), "/data").kind(), ErrorKind::InvalidInput, "{path}");
    }
    let mut resources = Resources::new();
    resources.host_root = HostRoot::Allow;
    let mut guest = Guest::with(&preopened(&[(Path::new("/"), "/", "rw")], ""), resources).unwrap();
    for path in ["proc/self/mem", "proc/self/environ", "proc/version", "sys/kernel/uevent_seqnum"] {
        assert_eq!(guest.open(3, path, 0, READ).unwrap_err(), ACCES, "{path}");
    }
    for path in ["proc", "proc/self", "sys"] {
        assert_eq!(guest.open(3, path, DIRECTORY, READ).unwrap_err(), ACCES, "{path}");
    }
    assert_eq!(guest.open(3, "proc/self/mem", 0, READ | WRITE).unwrap_err(), ACCES);
    // What was opened was closed again, and others can be opened.
    assert!(guest.open(3, "etc/passwd", 0, READ).is_ok());
}

#[test]
fn the_guests_root_can_be_any_directory() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a"), b"here").unwrap();
    let mut guest = Guest::new(&preopened(&[(directory.path(), "/", "ro")], ""));
    let fd = guest.open(3, "a", 0, READ).unwrap();
    assert_eq!(guest.read(fd, 10).unwrap(), b"here");
}

#[test]
fn preopens_are_numbered_in_the_order_of_the_plan() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), b"").unwrap();
    fs::create_dir(directory.path().join("sub")).unwrap();
    let file = directory.path().join("file");
    let sub = directory.path().join("sub");
    let preopens = [
        (directory.path(), "/one", "rw"),
        (file.as_path(), "/etc/two", "ro"),
        (sub.as_path(), "three", "rw"),
        (file.as_path(), "/etc/four", "ro"),
    ];
    let mut guest = Guest::new(&preopened(&preopens, ""));
    let mut names = Vec::new();
    for fd in 3.. {
        if guest.call("fd_prestat_get", &[fd, 1024]) != 0 {
            break;
        }
        let length = guest.word(1028);
        assert_eq!(guest.call("fd_prestat_dir_name", &[fd, 2048, length]), 0);
        names.push(String::from_utf8(guest.get(2048, length)).unwrap());
    }
    assert_eq!(names, ["/one", "/etc", "three"]);
}
