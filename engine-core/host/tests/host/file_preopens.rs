//! Preopened files: nothing but the file, however it is asked for.

use crate::guest::{CREAT, DIRECTORY, EXCL, Guest, P0, READ, TRUNC, WRITE, preopened};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;
use wasmrt_host::Resources;
use wasmrt_model::ErrorKind;

const BADF: u64 = 8;
const BUSY: u64 = 10;
const EXIST: u64 = 20;
const NOENT: u64 = 44;
const NOTDIR: u64 = 54;
const PERM: u64 = 63;
const ROFS: u64 = 69;
const XDEV: u64 = 75;
const AT: u64 = 1024;

/// A host directory with a secret beside two files, of which the guest gets `/etc/app.conf` (rw) and `/etc/ro.conf`, and the directory `/data`.
fn guest() -> (TempDir, PathBuf, Guest) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    for (name, content) in [("host-name.conf", "setting=1"), ("ro", "fixed"), ("secret", "password")] {
        fs::write(path.join(name), content).unwrap();
    }
    fs::create_dir(path.join("data")).unwrap();
    let preopens = [
        (path.join("host-name.conf"), "/etc/app.conf", "rw"),
        (path.join("data"), "/data", "rw"),
        (path.join("ro"), "/etc/ro.conf", "ro"),
    ];
    let list: Vec<_> = preopens.iter().map(|(host, guest, access)| (host.as_path(), *guest, *access)).collect();
    let guest = Guest::new(&preopened(&list, ""));
    (directory, path, guest)
}

#[test]
fn the_file_is_there_under_its_guest_name() {
    let (_directory, path, mut guest) = guest();
    for name in ["app.conf", "./app.conf", ".//app.conf", "././app.conf"] {
        let fd = guest.open(3, name, 0, READ).unwrap();
        assert_eq!(guest.read(fd, 100).unwrap(), b"setting=1", "{name}");
        assert_eq!(guest.call("fd_close", &[fd]), 0);
    }
    let fd = guest.open(3, "app.conf", CREAT, READ | WRITE).unwrap();
    assert_eq!(guest.write(fd, b"SET"), Ok(3));
    assert_eq!(fs::read(path.join("host-name.conf")).unwrap(), b"SETting=1");
    assert_eq!(guest.call("fd_filestat_set_size", &[fd, 3]), 0);
    assert_eq!(guest.stat(3, "app.conf"), Ok((4, 3)));
    guest.open(3, "app.conf", TRUNC, WRITE).unwrap();
    assert_eq!(guest.stat(3, "app.conf"), Ok((4, 0)));
    assert_eq!(guest.set_times(3, "app.conf"), 0);
    let modified = fs::metadata(path.join("host-name.conf")).unwrap().modified().unwrap();
    assert_eq!(modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(), 2);
    assert_eq!(guest.written(), 3);
}

#[test]
fn the_directory_shows_the_files_and_nothing_else() {
    let (_directory, path, mut guest) = guest();
    let expected = [".", "..", "app.conf", "ro.conf"];
    for piece in [33, 64, 4096] {
        assert_eq!(guest.list_directory(3, piece).unwrap(), expected);
    }
    let again = guest.open(3, ".", DIRECTORY, READ).unwrap();
    assert_eq!(guest.list_directory(again, 4096).unwrap(), expected);
    assert!(guest.open(again, "app.conf", 0, READ).is_ok());
    for name in ["secret", "host-name.conf", "data", "ro", "data/x", "./secret"] {
        for result in [guest.open(3, name, 0, READ), guest.open(again, name, 0, READ)] {
            assert_eq!(result, Err(NOENT), "{name}");
        }
        assert_eq!(guest.stat(3, name), Err(NOENT));
    }
    for name in ["..", "../secret", "./../secret", "/etc/app.conf", "/", "../etc/app.conf"] {
        assert_eq!(guest.open(3, name, 0, READ), Err(PERM), "{name}");
        assert_eq!(guest.stat(3, name), Err(PERM));
    }
    for name in ["app.conf/", "app.conf/.", "app.conf/..", "app.conf/../secret", "app.conf/x"] {
        assert_eq!(guest.open(3, name, 0, READ), Err(NOTDIR), "{name}");
    }
    assert_eq!(guest.open(3, "", 0, READ), Err(NOENT));
    assert!(guest.open_bytes(3, b"app.conf\0", 0, READ, 1).is_err());
    assert!(guest.open_bytes(3, b"\xff", 0, READ, 1).is_err());
    // Its attributes are not those of the host's directory.
    assert_eq!(guest.call("fd_filestat_get", &[3, AT]), 0);
    assert_eq!((guest.get(AT + 16, 1)[0], guest.long(AT + 24), guest.long(AT + 32), guest.long(AT + 48)), (3, 1, 0, 0));
    assert_eq!(guest.stat(3, "."), Ok((3, 0)));
    assert_eq!(guest.call("fd_filestat_set_times", &[3, 0, 0, 10]), ROFS);
    assert_eq!(guest.set_times(3, "."), ROFS);
    assert_eq!(guest.call("fd_fdstat_get", &[3, AT]), 0);
    assert_eq!(guest.get(AT, 1), [3]);
    fs::remove_file(path.join("ro")).unwrap();
    assert_eq!(guest.list_directory(3, 4096).unwrap(), [".", "..", "app.conf"]);
}

#[test]
fn descriptors_behind_the_scenes_do_not_exist_for_the_guest() {
    let (_directory, _path, mut guest) = guest();
    for fd in 5..20 {
        assert_eq!(guest.open(fd, "secret", 0, READ), Err(BADF));
        assert_eq!(guest.list_directory(fd, 4096), Err(BADF));
        assert_eq!(guest.call("fd_close", &[fd]), BADF);
        assert_eq!(guest.call("fd_renumber", &[0, fd]), BADF);
        assert_eq!(guest.call("fd_prestat_get", &[fd, AT]), BADF);
        assert_eq!(guest.rename((4, "x"), (fd, "x")), BADF);
        assert_eq!(guest.link((4, "x"), (fd, "x")), BADF);
        assert_eq!(guest.symlink("x", fd, "x"), BADF);
    }
    // Closing what is shown, and opening again, reveals nothing.
    assert_eq!(guest.call("fd_close", &[3]), 0);
    assert_eq!(guest.open(3, "app.conf", 0, READ), Err(BADF));
    let fd = guest.open(4, ".", DIRECTORY, READ).unwrap();
    assert_eq!(guest.list_directory(fd, 4096).unwrap(), [".", ".."]);
}

#[test]
fn the_file_stays_where_it_is() {
    let (_directory, path, mut guest) = guest();
    assert_eq!(guest.on_path("path_unlink_file", 3, "app.conf"), BUSY);
    assert_eq!(guest.on_path("path_unlink_file", 3, "other"), NOENT);
    assert_eq!(guest.on_path("path_remove_directory", 3, "app.conf"), NOTDIR);
    assert_eq!(guest.on_path("path_remove_directory", 3, "."), BUSY);
    assert_eq!(guest.on_path("path_create_directory", 3, "new"), ROFS);
    assert_eq!(guest.on_path("path_create_directory", 3, "app.conf"), EXIST);
    assert_eq!(guest.symlink("app.conf", 3, "new"), ROFS);
    assert_eq!(guest.symlink("app.conf", 3, "app.conf"), EXIST);
    assert_eq!(guest.rename((3, "app.conf"), (3, "new")), BUSY);
    assert_eq!(guest.rename((3, "app.conf"), (4, "new")), BUSY);
    assert_eq!(guest.rename((3, "missing"), (4, "new")), NOENT);
    fs::write(path.join("data/mine"), b"mine").unwrap();
    assert_eq!(guest.rename((4, "mine"), (3, "app.conf")), XDEV);
    assert_eq!(guest.rename((4, "mine"), (3, "new")), XDEV);
    assert_eq!(guest.link((3, "app.conf"), (4, "copy")), XDEV);
    assert_eq!(guest.link((4, "mine"), (3, "new")), XDEV);
    assert_eq!(guest.open(3, "new", CREAT, WRITE), Err(ROFS));
    assert_eq!(guest.open(3, "app.conf", CREAT | EXCL, WRITE), Err(EXIST));
    assert_eq!(guest.open(3, "app.conf", DIRECTORY, READ), Err(NOTDIR));
    assert!(guest.open(3, ".", 0, WRITE).is_err());
    let mut names: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["data", "host-name.conf", "ro", "secret"]);
    assert_eq!(fs::read_dir(path.join("data")).unwrap().count(), 1);
    assert_eq!(fs::read(path.join("host-name.conf")).unwrap(), b"setting=1");
}

#[test]
fn read_only_is_read_only() {
    let (_directory, path, mut guest) = guest();
    assert_eq!(guest.open(3, "ro.conf", 0, WRITE), Err(ROFS));
    assert_eq!(guest.open(3, "ro.conf", TRUNC, READ), Err(ROFS));
    assert_eq!(guest.set_times(3, "ro.conf"), ROFS);
    let fd = guest.open(3, "ro.conf", CREAT, READ).unwrap();
    assert!(guest.write(fd, b"x").is_err());
    assert_ne!(guest.call("fd_filestat_set_size", &[fd, 0]), 0);
    assert_ne!(guest.call("fd_filestat_set_times", &[fd, 0, 0, 10]), 0);
    assert_eq!(guest.read(fd, 10).unwrap(), b"fixed");
    assert_eq!(fs::read(path.join("ro")).unwrap(), b"fixed");
}

#[test]
fn a_file_that_was_swapped_for_a_link_is_gone() {
    let (_directory, path, mut guest) = guest();
    for target in ["secret", "/etc/passwd", "data"] {
        let place = path.join("host-name.conf");
        fs::remove_file(&place).unwrap();
        std::os::unix::fs::symlink(target, &place).unwrap();
        assert!(guest.open(3, "app.conf", 0, READ).is_err(), "{target}");
        assert!(guest.open(3, "app.conf", TRUNC, WRITE).is_err(), "{target}");
        assert_eq!(guest.stat(3, "app.conf"), Err(NOENT));
        assert_eq!(guest.set_times(3, "app.conf"), NOENT);
        assert_eq!(guest.list_directory(3, 4096).unwrap(), [".", "..", "ro.conf"]);
        guest.put(4096, b"app.conf");
        assert_ne!(guest.call("path_readlink", &[3, 4096, 8, 8192, 100, AT]), 0);
    }
    assert_eq!(fs::read(path.join("secret")).unwrap(), b"password");
    // Nor does the guest make it anew, nor see a directory in its place.
    fs::remove_file(path.join("host-name.conf")).unwrap();
    assert_eq!(guest.open(3, "app.conf", CREAT, WRITE), Err(NOENT));
    assert!(!path.join("host-name.conf").exists());
    fs::create_dir(path.join("host-name.conf")).unwrap();
    assert_eq!(guest.open(3, "app.conf", 0, READ), Err(NOENT));
    assert_eq!(guest.stat(3, "app.conf"), Err(NOENT));
}

#[test]
fn it_counts_against_the_quotas() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    fs::write(&file, b"").unwrap();
    let json = preopened(&[(file.as_path(), "/f", "rw")], r#""limits": {"open_files": 5, "written_bytes": 4}"#);
    let mut guest = Guest::new(&json);
    let fd = guest.open(3, "f", 0, WRITE).unwrap();
    assert_eq!(guest.open(3, "f", 0, READ), Err(41));
    assert_eq!(guest.open(3, ".", DIRECTORY, READ), Err(41));
    assert!(guest.try_write(fd, b"12345").is_err());
    assert_eq!(fs::read(&file).unwrap(), b"1234");
}

#[test]
fn the_older_version_sees_the_same() {
    let (_directory, _path, mut guest) = guest();
    guest.put(4096, b"ro.conf");
    guest.put(AT, &[0xaa; 64]);
    assert_eq!(guest.call_in(P0, "path_filestat_get", &[3, 0, 4096, 7, AT]).unwrap(), 0);
    assert_eq!((guest.get(AT + 16, 1)[0], guest.word(AT + 20), guest.long(AT + 24)), (4, 1, 5));
    assert_eq!(guest.get(AT + 56, 8), [0xaa; 8]);
    assert_eq!(guest.call_in(P0, "fd_filestat_get", &[3, AT]).unwrap(), 0);
    assert_eq!((guest.get(AT + 16, 1)[0], guest.word(AT + 20)), (3, 1));
    assert_eq!(guest.get(AT + 56, 8), [0xaa; 8]);
}

#[test]
fn guest_paths_that_cannot_be_told_apart_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    fs::write(&file, b"").unwrap();
    let kind = |preopens: &[(&std::path::Path, &str, &str)]| {
        Guest::with(&preopened(preopens, ""), Resources::new()).map(|_| ()).map_err(|error| error.kind())
    };
    let (directory, file) = (directory.path(), file.as_path());
    assert_eq!(kind(&[(directory, "/etc", "ro"), (file, "/etc/f", "ro")]), Err(ErrorKind::InvalidInput));
    assert_eq!(kind(&[(file, "/etc/f", "ro"), (directory, "/etc", "ro")]), Err(ErrorKind::InvalidInput));
    assert_eq!(kind(&[(file, "f", "ro"), (directory, ".", "ro")]), Err(ErrorKind::InvalidInput));
    for guest in ["/", "."] {
        assert_eq!(kind(&[(file, guest, "ro")]), Err(ErrorKind::InvalidInput));
    }
    assert_eq!(kind(&[(directory, "/", "ro"), (file, "/etc/f", "ro"), (file, "/etc/g", "rw")]), Ok(()));
}
