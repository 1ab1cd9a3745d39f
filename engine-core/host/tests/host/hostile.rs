//! Guests that try to get out, to change what they may only read, or to hurt the host.

use crate::guest::{CREAT, DIRECTORY, EXCL, Guest, READ, TRUNC, WRITE, is_bad_pointer, preopened};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;
use wasmrt_host::{HostRoot, Resources};
use wasmrt_model::backend::Ending;

const AT: u64 = 1024;

/// `outside/secret` and `inside/`, of which the guest gets the latter.
fn cell(access: &str) -> (TempDir, Guest) {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("inside/sub")).unwrap();
    fs::create_dir(directory.path().join("outside")).unwrap();
    fs::write(directory.path().join("outside/secret"), b"secret").unwrap();
    fs::write(directory.path().join("inside/file"), b"content").unwrap();
    fs::write(directory.path().join("inside/sub/deep"), b"deep").unwrap();
    let guest = Guest::new(&preopened(&[(&directory.path().join("inside"), "/", access)], ""));
    (directory, guest)
}

/// Everything below a directory: path, content, mode and modification time.
fn snapshot(path: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let content = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        all.push(format!(
            "{} {:?} {:?} {content:?}",
            path.display(),
            metadata.permissions(),
            metadata.modified().unwrap()
        ));
        if metadata.is_dir() {
            all.extend(snapshot(&path));
        }
    }
    all.sort();
    all
}

/// Every way to reach a path: none may succeed.
fn cannot_reach(guest: &mut Guest, path: &str) {
    for follow in [0, 1] {
        assert!(guest.open_bytes(3, path.as_bytes(), 0, READ, follow).is_err(), "{path}");
        assert!(guest.open_bytes(3, path.as_bytes(), CREAT, WRITE, follow).is_err(), "{path}");
        assert!(guest.open_bytes(3, path.as_bytes(), TRUNC, WRITE, follow).is_err(), "{path}");
        assert!(guest.open_bytes(3, path.as_bytes(), DIRECTORY, READ, follow).is_err(), "{path}");
        guest.put(4096, path.as_bytes());
        if follow == 1 {
            assert_ne!(guest.call("path_filestat_get", &[3, 1, 4096, path.len() as u64, AT]), 0, "{path}");
            assert_ne!(guest.call("path_filestat_set_times", &[3, 1, 4096, path.len() as u64, 0, 0, 10]), 0, "{path}");
        }
    }
}

#[test]
fn paths_do_not_lead_out() {
    let (directory, mut guest) = cell("rw");
    let before = snapshot(&directory.path().join("outside"));
    let absolute = directory.path().join("outside/secret");
    for path in [
        "..",
        "../outside/secret",
        "sub/../../outside/secret",
        "./../outside/secret",
        "sub/./../../outside/secret",
        "/",
        "/etc/passwd",
        "//etc/passwd",
        absolute.to_str().unwrap(),
        &"../".repeat(64),
        &format!("{}etc/passwd", "../".repeat(64)),
    ] {
        cannot_reach(&mut guest, path);
    }
    assert_eq!(snapshot(&directory.path().join("outside")), before);
    assert!(guest.refusals.lines().iter().any(|line| line.contains("path_open")));
}

#[test]
fn links_that_the_guest_makes_do_not_lead_out() {
    let (directory, mut guest) = cell("rw");
    let before = snapshot(&directory.path().join("outside"));
    // An absolute target is refused; a relative one may be made, but not be followed.
    assert_ne!(guest.symlink("/etc", 3, "absolute"), 0);
    for (target, name) in [("../outside", "up"), ("sub/../../outside", "round"), ("../outside/secret", "file-up")] {
        guest.symlink(target, 3, name);
        cannot_reach(&mut guest, name);
        cannot_reach(&mut guest, &format!("{name}/"));
        cannot_reach(&mut guest, &format!("{name}/secret"));
        cannot_reach(&mut guest, &format!("{name}/new"));
    }
    // A chain of harmless links.
    assert_eq!(guest.symlink("..", 3, "sub/parent"), 0);
    cannot_reach(&mut guest, "sub/parent/../outside/secret");
    assert_ne!(guest.rename((3, "file"), (3, "up/moved")), 0);
    assert_ne!(guest.link((3, "up/secret"), (3, "copy")), 0);
    assert_eq!(snapshot(&directory.path().join("outside")), before);
}

#[test]
fn links_that_were_there_do_not_lead_out() {
    let (directory, mut guest) = cell("rw");
    let inside = directory.path().join("inside");
    symlink(directory.path().join("outside"), inside.join("absolute")).unwrap();
    symlink("../outside/created", inside.join("dangling")).unwrap();
    symlink("/etc/passwd", inside.join("passwd")).unwrap();
    for name in ["absolute", "absolute/secret", "dangling", "passwd"] {
        cannot_reach(&mut guest, name);
    }
    assert!(!directory.path().join("outside/created").exists());
}

#[test]
fn a_preopen_that_is_a_link_is_where_it_led_when_it_was_opened() {
    let (directory, _guest) = cell("rw");
    let link = directory.path().join("link");
    symlink("inside", &link).unwrap();
    let mut guest = Guest::new(&preopened(&[(&link, "/", "rw")], ""));
    fs::remove_file(&link).unwrap();
    symlink("outside", &link).unwrap();
    assert!(guest.open(3, "secret", 0, READ).is_err());
    guest.open(3, "made", CREAT, WRITE).unwrap();
    assert!(directory.path().join("inside/made").exists());
    assert!(!directory.path().join("outside/made").exists());
}

#[test]
fn trailing_slashes_and_dots_change_nothing() {
    let (directory, mut guest) = cell("rw");
    for path in ["file/", "file/.", "file/..", "file//", "file/./"] {
        assert!(guest.open(3, path, 0, READ).is_err(), "{path}");
        assert!(guest.open(3, path, TRUNC, WRITE).is_err(), "{path}");
        assert_ne!(guest.on_path("path_unlink_file", 3, path), 0, "{path}");
    }
    for path in ["new/", "new/.", "new//"] {
        assert!(guest.open(3, path, CREAT | EXCL, WRITE).is_err(), "{path}");
        assert!(guest.open(3, path, CREAT, WRITE).is_err(), "{path}");
        assert_ne!(guest.symlink("file", 3, path), 0, "{path}");
        assert_ne!(guest.link((3, "file"), (3, path)), 0, "{path}");
        assert_ne!(guest.rename((3, "file"), (3, path)), 0, "{path}");
    }
    assert!(!directory.path().join("inside/new").exists());
    symlink("file", directory.path().join("inside/soft")).unwrap();
    assert!(guest.open(3, "soft/", 0, READ).is_err());
    assert_ne!(guest.on_path("path_unlink_file", 3, "soft/"), 0);
    for path in [".", "./", "sub/..", "sub/../."] {
        assert_ne!(guest.on_path("path_remove_directory", 3, path), 0, "{path}");
    }
    assert_eq!(fs::read(directory.path().join("inside/file")).unwrap(), b"content");
    assert!(guest.open(3, "sub/", DIRECTORY, READ).is_ok());
}

#[test]
fn a_read_only_preopen_cannot_be_changed() {
    let (directory, mut guest) = cell("ro");
    let inside = directory.path().join("inside");
    let before = snapshot(&inside);
    let sub = guest.open(3, "sub", DIRECTORY, READ).unwrap();
    let file = guest.open(3, "file", 0, READ).unwrap();
    for fd in [3, sub] {
        let name = if fd == 3 { "file" } else { "deep" };
        for (oflags, rights) in [(0, WRITE), (0, READ | WRITE), (TRUNC, READ), (TRUNC, WRITE), (CREAT, READ)] {
            assert!(guest.open(fd, name, oflags, rights).is_err(), "{oflags} {rights}");
        }
        assert!(guest.open(fd, "new", CREAT, WRITE).is_err());
        assert!(guest.open(fd, "new", CREAT | EXCL, READ).is_err());
        for function in ["path_create_directory", "path_unlink_file", "path_remove_directory"] {
            assert_ne!(guest.on_path(function, fd, "new"), 0, "{function}");
            assert_ne!(guest.on_path(function, fd, name), 0, "{function}");
        }
        assert_ne!(guest.on_path("path_remove_directory", 3, "sub"), 0);
        assert_ne!(guest.rename((fd, name), (fd, "renamed")), 0);
        assert_ne!(guest.rename((fd, name), (3, "renamed")), 0);
        assert_ne!(guest.link((fd, name), (fd, "linked")), 0);
        assert_ne!(guest.symlink("file", fd, "soft"), 0);
        assert_ne!(guest.set_times(fd, name), 0);
        assert_ne!(guest.set_times(fd, "."), 0);
        assert_ne!(guest.call("fd_filestat_set_times", &[fd, 1, 1, 5]), 0);
    }
    assert!(guest.write(file, b"x").is_err());
    assert!(guest.pwrite(file, b"x", 0).unwrap().is_err());
    assert_ne!(guest.call("fd_filestat_set_size", &[file, 0]), 0);
    assert_ne!(guest.call("fd_filestat_set_size", &[file, 100]), 0);
    assert_ne!(guest.call("fd_filestat_set_times", &[file, 1, 1, 5]), 0);
    assert_ne!(guest.call("fd_allocate", &[file, 0, 100]), 0);
    // Flags and rights do not bring it back.
    assert_eq!(guest.call("fd_fdstat_set_flags", &[file, 1]), 0);
    assert!(guest.write(file, b"x").is_err());
    assert_ne!(guest.call("fd_fdstat_set_rights", &[file, u64::MAX, u64::MAX]), 0);
    assert_eq!(snapshot(&inside), before);
    assert_eq!(guest.read(file, 100).unwrap(), b"content");
    assert_eq!(guest.written(), 0);
}

#[test]
fn nothing_moves_between_a_read_only_and_a_writable_preopen_of_one_tree() {
    let (directory, _guest) = cell("rw");
    let inside = directory.path().join("inside");
    fs::create_dir(inside.join("writable")).unwrap();
    let before = snapshot(&inside);
    let writable = inside.join("writable");
    let preopens =
        [(inside.as_path(), "/ro", "ro"), (writable.as_path(), "/rw", "rw"), (inside.as_path(), "/all", "rw")];
    let mut guest = Guest::new(&preopened(&preopens, ""));
    for rw in [4, 5] {
        assert_ne!(guest.rename((3, "file"), (rw, "stolen")), 0);
        assert_ne!(guest.link((3, "file"), (rw, "stolen")), 0);
        assert_ne!(guest.rename((rw, "."), (3, "moved")), 0);
    }
    assert_ne!(guest.rename((5, "file"), (3, "moved")), 0);
    assert_ne!(guest.link((5, "file"), (3, "linked")), 0);
    assert_eq!(snapshot(&inside), before);
    // The writable way to the same file is the operator's doing.
    assert_eq!(guest.rename((5, "file"), (4, "moved")), 0);
}

#[test]
fn swapping_a_directory_for_a_link_does_not_help() {
    let (directory, mut guest) = cell("rw");
    let inside = directory.path().join("inside");
    fs::create_dir(inside.join("place")).unwrap();
    fs::write(inside.join("place/secret"), b"harmless").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let swapping = {
        let (stop, inside) = (stop.clone(), inside.clone());
        std::thread::spawn(move || {
            symlink("../outside", inside.join("other")).unwrap();
            while !stop.load(Ordering::Relaxed) {
                // Exchanges the directory and the link in one step each.
                fs::rename(inside.join("place"), inside.join("spare")).unwrap();
                fs::rename(inside.join("other"), inside.join("place")).unwrap();
                fs::rename(inside.join("place"), inside.join("other")).unwrap();
                fs::rename(inside.join("spare"), inside.join("place")).unwrap();
            }
        })
    };
    for _ in 0..5_000 {
        if let Ok(fd) = guest.open(3, "place/secret", 0, READ) {
            assert_eq!(guest.read(fd, 100).unwrap(), b"harmless");
            assert_eq!(guest.call("fd_close", &[fd]), 0);
        }
        if let Ok(fd) = guest.open(3, "place/made", CREAT, WRITE) {
            assert_eq!(guest.call("fd_close", &[fd]), 0);
        }
    }
    stop.store(true, Ordering::Relaxed);
    swapping.join().unwrap();
    assert!(!directory.path().join("outside/made").exists());
}

#[test]
fn strange_paths_are_errors() {
    let (_directory, mut guest) = cell("rw");
    for path in [&b"a\0b"[..], b"file\0", b"\0", b"\xff\xfe", b""] {
        assert!(guest.open_bytes(3, path, CREAT, WRITE, 1).is_err(), "{path:?}");
        guest.put(4096, path);
        for function in ["path_create_directory", "path_unlink_file", "path_remove_directory"] {
            assert_ne!(guest.call(function, &[3, 4096, path.len() as u64]), 0, "{function} {path:?}");
        }
    }
    let long = vec![b'a'; 1 << 20];
    assert!(guest.open_bytes(3, &long, CREAT, WRITE, 1).is_err());
    let deep = b"a/".repeat(1 << 19);
    assert!(guest.open_bytes(3, &deep, CREAT, WRITE, 1).is_err());
    let dots = b"./".repeat(1 << 19);
    assert!(guest.open_bytes(3, &dots, DIRECTORY, READ, 1).is_err());
    assert!(guest.open_bytes(3, &dots[..4000], DIRECTORY, READ, 1).is_ok());
    assert_ne!(guest.symlink(&"a".repeat(5000), 3, "far"), 0);
    for (target, name) in [("loop-b", "loop-a"), ("loop-a", "loop-b"), ("self", "self")] {
        assert_eq!(guest.symlink(target, 3, name), 0);
    }
    for name in ["loop-a", "self", "self/self", "loop-b/x"] {
        assert!(guest.open(3, name, 0, READ).is_err());
        assert!(guest.open(3, name, CREAT, WRITE).is_err());
    }
}

#[test]
fn bad_pointers_trap_and_touch_nothing() {
    let (_directory, mut guest) = cell("rw");
    let end = 4u64 << 20;
    let max = u64::from(u32::MAX);
    let cases: &[(&'static str, &[u64])] = &[
        ("path_open", &[3, 0, end - 2, 4, 0, READ, READ, 0, AT]),
        ("path_open", &[3, 0, max, 4, 0, READ, READ, 0, AT]),
        ("path_open", &[3, 0, 4096, max, 0, READ, READ, 0, AT]),
        ("path_open", &[3, 0, 4096, 4, CREAT, WRITE, WRITE, 0, AT + 1]),
        ("path_open", &[3, 0, 4096, 4, CREAT, WRITE, WRITE, 0, end]),
        ("fd_write", &[1, end - 4, 1, AT]),
        ("fd_read", &[0, end - 4, 1, AT]),
        ("fd_prestat_get", &[3, end]),
        ("fd_prestat_dir_name", &[3, end, 100]),
        ("fd_readdir", &[3, end - 1, 100, 0, AT]),
        ("fd_filestat_get", &[3, end - 8]),
        ("path_filestat_get", &[3, 0, 4096, 4, AT + 4]),
        ("path_readlink", &[3, max - 1, 4, AT, 4, AT]),
        ("path_rename", &[3, 4096, 4, 3, max, 2]),
        ("path_symlink", &[max, 2, 3, 4096, 4]),
        ("poll_oneoff", &[end - 8, AT, 1, AT]),
        ("random_get", &[end - 8, 9]),
        ("args_sizes_get", &[end, AT]),
        ("clock_time_get", &[0, 0, end - 4]),
    ];
    guest.put(4096, b"file");
    for (name, args) in cases {
        assert!(is_bad_pointer(&guest.end(name, args)), "{name} {args:?}");
    }
    assert!(guest.open(3, "made", 0, READ).is_err());
}

#[test]
fn floods_of_buffers_are_bounded() {
    let (_directory, mut guest) = cell("rw");
    let fd = guest.open(3, "file", 0, READ | WRITE).unwrap();
    for fd in [0, 1, fd] {
        for name in ["fd_read", "fd_write"] {
            let max = u64::from(u32::MAX);
            for count in [max, 1 << 29, 1 << 20] {
                let answer = guest.call_in("wasi_snapshot_preview1", name, &[fd, 4096, count, AT]);
                assert!(matches!(answer, Ok(errno) if errno != 0), "{name} {count} {answer:?}");
            }
        }
    }
    // Overlapping buffers are written as they are, and a read fills one.
    guest.put(4096, b"abcdef");
    let [list, count] = guest.list(&[(4096, 4), (4098, 4), (4096, 6)]);
    assert_eq!(guest.call("fd_write", &[1, list, count, AT]), 0);
    assert_eq!(guest.word(AT), 14);
    let [list, count] = guest.list(&[(256, 16), (256, 16)]);
    assert_eq!(guest.call("fd_read", &[fd, list, count, AT]), 0);
    assert_eq!(guest.word(AT), 7);
    // Sums beyond 32 bits.
    let [list, count] = guest.list(&[(0, 4 << 20); 2000]);
    let answer = guest.call_in("wasi_snapshot_preview1", "fd_write", &[1, list, count, AT]).unwrap();
    assert_ne!(answer, 0);
}

#[test]
fn arguments_out_of_their_range_are_errors() {
    let (_directory, mut guest) = cell("rw");
    guest.put(4096, b"file");
    let max = u64::from(u32::MAX);
    let cases: &[(&'static str, &[u64])] = &[
        ("path_open", &[3, max, 4096, 4, 0, READ, READ, 0, AT]),
        ("path_open", &[3, 0, 4096, 4, 0xffff, READ, READ, 0, AT]),
        ("path_open", &[3, 0, 4096, 4, 1 << 16, READ, READ, 0, AT]),
        ("path_open", &[3, 0, 4096, 4, 0, u64::MAX, READ, 0, AT]),
        ("path_open", &[3, 0, 4096, 4, 0, READ, READ, 0xffff, AT]),
        ("clock_time_get", &[max, 0, AT]),
        ("fd_seek", &[3, 0, 200, AT]),
        ("fd_advise", &[3, 0, 0, 1 << 20]),
        ("path_filestat_get", &[3, 1 << 16, 4096, 4, AT]),
        ("fd_readdir", &[3, 4096, 100, u64::MAX, AT]),
    ];
    for (name, args) in cases {
        let answer = guest.call_in("wasi_snapshot_preview1", name, args);
        match answer {
            Ok(0) if *name == "fd_readdir" => assert_eq!(guest.word(AT), 0),
            Ok(errno) => assert_ne!(errno, 0, "{name} {args:?}"),
            Err(ending) => panic!("{name} {args:?} {ending:?}"),
        }
    }
}

#[test]
fn magic_links_of_proc_are_not_followed() {
    let (directory, _guest) = cell("rw");
    let mut resources = Resources::new();
    resources.host_root = HostRoot::Allow;
    let mut guest = Guest::with(&preopened(&[(Path::new("/"), "/", "rw")], ""), resources).unwrap();
    let secret = fs::File::open(directory.path().join("outside/secret")).unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&secret);
    for path in ["root", "cwd", "root/etc/passwd", "cwd/Cargo.toml", "exe", &format!("fd/{number}"), "fd/0"] {
        for follow in [0, 1] {
            let path = format!("proc/self/{path}");
            assert!(guest.open_bytes(3, path.as_bytes(), 0, READ, follow).is_err(), "{path}");
        }
    }
    assert!(guest.open(3, "proc/self/mem", 0, WRITE).is_err());
}

#[test]
fn modes_and_set_user_bits_cannot_be_made() {
    let (directory, mut guest) = cell("rw");
    guest.open(3, "made", CREAT, WRITE).unwrap();
    let mode = fs::metadata(directory.path().join("inside/made")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7111, 0);
}

#[test]
fn refusals_are_bounded_and_printable() {
    let (_directory, mut guest) = cell("ro");
    for index in 0..1000 {
        assert!(guest.open(3, &format!("../\u{1b}[31m{index}{}", "x".repeat(1000)), 0, READ).is_err());
    }
    let lines = guest.refusals.lines();
    assert_eq!(lines.len(), 32);
    assert!(lines.iter().all(|line| line.len() < 400 && !line.chars().any(char::is_control)), "{lines:?}");
}

#[test]
fn an_unknown_import_number_is_our_failure() {
    let mut host = wasmrt_host::Host::new(&crate::guest::plan("{}"), Resources::new(), &[]).unwrap();
    let answer = wasmrt_model::backend::HostFunctions::call(&mut host, 0, &mut [], &[], &mut []);
    assert!(matches!(answer, Err(Ending::Failed(_))));
}
