//! Files in preopened directories: append, large transfers, threads of their own.

use crate::guest::{CREAT, DIRECTORY, EXCL, Guest, P1, READ, TRUNC, WRITE, offloaded, preopened};
use std::fs;
use std::time::{Duration, Instant};
use wasmrt_host::Resources;
use wasmrt_model::LimitKind;
use wasmrt_model::backend::Ending;

const AT: u64 = 1024;

#[test]
fn creating_opening_and_truncating_follow_their_flags() {
    let directory = tempfile::tempdir().unwrap();
    let mut guest = Guest::new(&preopened(&[(directory.path(), "/", "rw")], ""));
    assert_eq!(guest.open(3, "a", 0, READ), Err(44));
    let fd = guest.open(3, "a", CREAT, READ | WRITE).unwrap();
    assert_eq!(guest.write(fd, b"12345"), Ok(5));
    assert_eq!(guest.open(3, "a", CREAT | EXCL, WRITE), Err(20));
    assert_eq!(guest.stat(3, "a"), Ok((4, 5)));
    guest.open(3, "a", TRUNC, WRITE).unwrap();
    assert_eq!(guest.stat(3, "a"), Ok((4, 0)));
    assert_eq!(guest.open(3, "a", DIRECTORY, READ), Err(54));
    assert_eq!(guest.open(3, ".", DIRECTORY | CREAT, READ), Err(28));
    assert_eq!(guest.open(fd, "a", 0, READ), Err(54));
    assert_eq!(guest.open(0, "a", 0, READ), Err(8));
    // What was opened for reading is not written, and the reverse.
    let reading = guest.open(3, "a", 0, READ).unwrap();
    assert_eq!(guest.write(reading, b"x"), Err(8));
}

#[test]
fn appending_goes_to_the_end_whatever_others_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let mut guest = Guest::new(&preopened(&[(directory.path(), "/", "rw")], ""));
    let fd = guest.open_append(3, "log");
    assert_eq!(guest.write(fd, b"one"), Ok(3));
    fs::write(&path, b"replaced").unwrap();
    assert_eq!(guest.write(fd, b"two"), Ok(3));
    assert_eq!(fs::read(&path).unwrap(), b"replacedtwo");
    // Without the flag, at the position again.
    assert_eq!(guest.call("fd_fdstat_set_flags", &[fd, 0]), 0);
    assert_eq!(guest.call("fd_seek", &[fd, 0, 0, AT]), 0);
    assert_eq!(guest.write(fd, b"R"), Ok(1));
    assert_eq!(fs::read(&path).unwrap(), b"Replacedtwo");
}

#[test]
fn a_large_transfer_is_one_call() {
    for mut resources in [Resources::new(), offloaded().0] {
        resources.deadline = Some(Instant::now() + Duration::from_secs(600));
        let directory = tempfile::tempdir().unwrap();
        let mut guest = Guest::with(&preopened(&[(directory.path(), "/", "rw")], ""), resources).unwrap();
        let fd = guest.open(3, "a", CREAT, READ | WRITE).unwrap();
        let data: Vec<u8> = (0..3_000_000u32).map(|index| index.to_le_bytes()[1]).collect();
        assert_eq!(guest.write(fd, &data), Ok(3_000_000));
        assert_eq!(fs::read(directory.path().join("a")).unwrap(), data);
        assert_eq!(guest.call("fd_seek", &[fd, 0, 0, AT]), 0);
        assert_eq!(guest.read(fd, 3_000_000).unwrap(), data);
        assert_eq!(guest.written(), 3_000_000);
    }
}

#[test]
fn file_functions_work_on_threads_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let (resources, _cancel) = offloaded();
    let mut guest = Guest::with(&preopened(&[(directory.path(), "/", "rw")], ""), resources).unwrap();
    assert_eq!(guest.on_path("path_create_directory", 3, "sub"), 0);
    let fd = guest.open(3, "sub/a", CREAT, READ | WRITE).unwrap();
    assert_eq!(guest.write(fd, b"12345"), Ok(5));
    assert_eq!(guest.pwrite(fd, b"x", 0).unwrap(), Ok(1));
    assert_eq!(guest.stat(3, "sub/a"), Ok((4, 5)));
    let sub = guest.open(3, "sub", DIRECTORY, READ).unwrap();
    assert_eq!(guest.list_directory(sub, 64).unwrap(), [".", "..", "a"]);
    assert_eq!(guest.rename((sub, "a"), (3, "b")), 0);
    assert_eq!(fs::read(directory.path().join("b")).unwrap(), b"x2345");
    assert_eq!(guest.open(3, "missing", 0, READ), Err(44));
}

#[test]
fn a_fifo_does_not_outlast_the_deadline_or_a_cancellation() {
    let directory = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("mkfifo").arg(directory.path().join("fifo")).status().unwrap();
    assert!(made.success());
    let json = preopened(&[(directory.path(), "/", "rw")], "");
    for by_deadline in [true, false] {
        let (mut resources, cancel) = offloaded();
        let deadline = Instant::now() + Duration::from_millis(50);
        if by_deadline {
            resources.deadline = Some(deadline);
        }
        let mut guest = Guest::with(&json, resources).unwrap();
        let cancelling = (!by_deadline).then(|| std::thread::spawn(move || cancel.cancel()));
        guest.put(4096, b"fifo");
        let ending = guest.call_in(P1, "path_open", &[3, 0, 4096, 4, 0, READ, READ, 0, AT]).unwrap_err();
        if by_deadline {
            assert!(matches!(ending, Ending::Limit(LimitKind::WallTime)), "{ending:?}");
            assert!(Instant::now() >= deadline);
        } else {
            assert!(matches!(ending, Ending::Failed(_)), "{ending:?}");
        }
        // Dropping the host does not wait for it either.
        drop(guest);
        if let Some(cancelling) = cancelling {
            cancelling.join().unwrap();
        }
        // Lets the thread that still opens it come to its end.
        let _opened = fs::OpenOptions::new().read(true).write(true).open(directory.path().join("fifo")).unwrap();
    }
}

#[test]
fn a_host_works_on_a_thread_of_another_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let json = preopened(&[(directory.path(), "/", "rw")], "");
    runtime.block_on(async {
        for resources in [Resources::new(), offloaded().0] {
            let mut guest = Guest::with(&json, resources).unwrap();
            let fd = guest.open(3, "a", CREAT, WRITE).unwrap();
            assert_eq!(guest.write(fd, b"12345"), Ok(5));
            assert_eq!(guest.call("fd_close", &[fd]), 0);
        }
    });
}

#[test]
fn a_directory_of_many_files_is_listed_completely() {
    let directory = tempfile::tempdir().unwrap();
    let mut expected = vec![".".to_owned(), "..".to_owned()];
    for index in 0..5_000 {
        let name = format!("file-{index:05}");
        fs::write(directory.path().join(&name), b"").unwrap();
        expected.push(name);
    }
    let mut guest = Guest::new(&preopened(&[(directory.path(), "/", "ro")], ""));
    for piece in [100, 4096, 65536] {
        assert!(guest.list_directory(3, piece).unwrap() == expected, "{piece}");
    }
}

#[test]
fn files_can_be_removed_while_their_directory_is_read() {
    let directory = tempfile::tempdir().unwrap();
    for index in 0..500 {
        fs::write(directory.path().join(format!("file-{index:05}")), b"").unwrap();
    }
    let mut guest = Guest::new(&preopened(&[(directory.path(), "/", "rw")], ""));
    let (buffer, mut cookie) = (65536, 0);
    loop {
        assert_eq!(guest.call("fd_readdir", &[3, buffer, 1000, cookie, AT]), 0);
        let used = guest.word(AT);
        let mut at = 0;
        while at + 24 <= used {
            let (next, length) = (guest.long(buffer + at), guest.word(buffer + at + 16));
            if at + 24 + length > used {
                break;
            }
            let name = String::from_utf8(guest.get(buffer + at + 24, length)).unwrap();
            if name != "." && name != ".." {
                assert_eq!(guest.on_path("path_unlink_file", 3, &name), 0);
            }
            (cookie, at) = (next, at + 24 + length);
        }
        if used < 1000 {
            break;
        }
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    // Reading from the start sees what is there then.
    assert_eq!(guest.list_directory(3, 1000).unwrap(), [".", ".."]);
    fs::write(directory.path().join("new"), b"").unwrap();
    assert_eq!(guest.list_directory(3, 1000).unwrap(), [".", "..", "new"]);
}

#[test]
fn everything_in_a_directory_is_listed_whatever_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(directory.path().join("socket")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(directory.path().join("fifo")).status().unwrap().success());
    std::os::unix::fs::symlink("nowhere", directory.path().join("dangling")).unwrap();
    let mut guest = Guest::new(&preopened(&[(directory.path(), "/", "rw")], ""));
    assert_eq!(guest.list_directory(3, 4096).unwrap(), [".", "..", "dangling", "fifo", "socket"]);
    for (name, file_type) in [("socket", 0), ("fifo", 0), ("dangling", 7)] {
        assert_eq!(guest.stat(3, name).unwrap().0, file_type, "{name}");
    }
    assert!(guest.open(3, "socket", 0, READ).is_err());
}

#[test]
fn a_name_that_is_not_utf8_makes_its_directory_unlistable_but_nothing_else() {
    use std::os::unix::ffi::OsStrExt as _;
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(std::ffi::OsStr::from_bytes(b"latin-\xe9")), b"").unwrap();
    fs::write(directory.path().join("plain"), b"").unwrap();
    let mut guest = Guest::new(&preopened(&[(directory.path(), "/", "rw")], ""));
    // WASI's names are UTF-8. Leaving it out would be a lie, and a made-up name would open nothing.
    assert_eq!(guest.list_directory(3, 4096), Err(25));
    assert!(guest.open(3, "plain", 0, READ).is_ok());
}
