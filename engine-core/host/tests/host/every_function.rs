//! Every function once with success and once with failure, in both versions where their layouts differ.

use crate::guest::{CREAT, DIRECTORY, EXCL, Guest, P0, P1, READ, SIGNATURES, WRITE, is_bad_pointer, preopened};
use std::fs;
use tempfile::TempDir;
use wasmrt_model::backend::Ending;

const BADF: u64 = 8;
const INVAL: u64 = 28;
const NOENT: u64 = 44;
const NOTSOCK: u64 = 57;
const NOTSUP: u64 = 58;
const AT: u64 = 1024;

fn in_directory() -> (TempDir, Guest) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), b"0123456789").unwrap();
    let guest = Guest::new(&preopened(
        &[(directory.path(), "/data", "rw")],
        r#""args": ["app", "-x"], "env": {"set": {"A": "1", "B": ""}}"#,
    ));
    (directory, guest)
}

#[test]
fn arguments_and_variables_are_exactly_the_plans() {
    let (_directory, mut guest) = in_directory();
    assert_eq!(guest.call("args_sizes_get", &[AT, AT + 4]), 0);
    assert_eq!((guest.word(AT), guest.word(AT + 4)), (2, 7));
    assert_eq!(guest.call("args_get", &[AT, AT + 64]), 0);
    assert_eq!(guest.get(AT + 64, 7), b"app\0-x\0");
    assert_eq!((guest.word(AT), guest.word(AT + 4)), (AT + 64, AT + 68));
    assert_eq!(guest.call("environ_sizes_get", &[AT, AT + 4]), 0);
    assert_eq!((guest.word(AT), guest.word(AT + 4)), (2, 7));
    assert_eq!(guest.call("environ_get", &[AT, AT + 64]), 0);
    assert_eq!(guest.get(AT + 64, 7), b"A=1\0B=\0");
    for name in ["args_get", "args_sizes_get", "environ_get", "environ_sizes_get"] {
        assert!(is_bad_pointer(&guest.end(name, &[u64::from(u32::MAX) - 3, AT])), "{name}");
    }
    let mut bare = Guest::new("{}");
    assert_eq!(bare.call("environ_sizes_get", &[AT, AT + 4]), 0);
    assert_eq!((bare.word(AT), bare.word(AT + 4)), (0, 0));
}

#[test]
fn clocks_have_a_resolution_and_go_forward() {
    let mut guest = Guest::new("{}");
    for id in 0..4 {
        assert_eq!(guest.call("clock_res_get", &[id, AT]), 0);
        assert!((1..1_000_000_000).contains(&guest.long(AT)));
        assert_eq!(guest.call("clock_time_get", &[id, 0, AT]), 0);
        let first = guest.long(AT);
        assert_eq!(guest.call("clock_time_get", &[id, 0, AT]), 0);
        assert!(guest.long(AT) >= first);
    }
    assert_eq!(guest.call("clock_time_get", &[4, 0, AT]), INVAL);
    assert_eq!(guest.call("clock_res_get", &[99, AT]), INVAL);
    assert!(is_bad_pointer(&guest.end("clock_time_get", &[0, 0, AT + 1])));
    assert!(is_bad_pointer(&guest.end("clock_res_get", &[0, 0xffff_fff8])));
}

#[test]
fn a_file_can_be_written_moved_in_and_read_back() {
    let (directory, mut guest) = in_directory();
    let fd = guest.open(3, "new", CREAT | EXCL, READ | WRITE).unwrap();
    assert_eq!(guest.write(fd, b"hello world"), Ok(11));
    assert_eq!(guest.call("fd_tell", &[fd, AT]), 0);
    assert_eq!(guest.long(AT), 11);
    assert_eq!(guest.call("fd_seek", &[fd, 6, 0, AT]), 0);
    assert_eq!(guest.read(fd, 100).unwrap(), b"world");
    assert_eq!(guest.read(fd, 100).unwrap(), b"");
    // From the current position and from the end, backwards.
    assert_eq!(guest.call("fd_seek", &[fd, (-5i64).cast_unsigned(), 1, AT]), 0);
    assert_eq!(guest.long(AT), 6);
    assert_eq!(guest.call("fd_seek", &[fd, (-1i64).cast_unsigned(), 2, AT]), 0);
    assert_eq!(guest.long(AT), 10);
    assert_eq!(guest.call("fd_seek", &[fd, (-1i64).cast_unsigned(), 0, AT]), INVAL);
    assert_eq!(guest.call("fd_seek", &[fd, 0, 3, AT]), INVAL);
    assert_eq!(guest.pwrite(fd, b"W", 6).unwrap(), Ok(1));
    let [list, count] = guest.list(&[(4096, 3)]);
    assert_eq!(guest.call("fd_pread", &[fd, list, count, 6, AT]), 0);
    assert_eq!(guest.get(4096, 3), b"Wor");
    for name in ["fd_sync", "fd_datasync"] {
        assert_eq!(guest.call(name, &[fd]), 0);
        assert_eq!(guest.call(name, &[99]), BADF);
    }
    assert_eq!(guest.call("fd_advise", &[fd, 0, 4, 1]), 0);
    assert_eq!(guest.call("fd_advise", &[fd, 0, 4, 77]), INVAL);
    assert_eq!(guest.call("fd_advise", &[3, 0, 4, 1]), BADF);
    assert_eq!(guest.call("fd_allocate", &[fd, 0, 4096]), NOTSUP);
    assert_eq!(guest.call("fd_allocate", &[99, 0, 4096]), BADF);
    assert_eq!(guest.call("fd_filestat_set_size", &[fd, 5]), 0);
    assert_eq!(guest.call("fd_filestat_set_size", &[3, 5]), BADF);
    assert_eq!(fs::read(directory.path().join("new")).unwrap(), b"hello");
    assert_eq!(guest.call("fd_filestat_set_times", &[fd, 1_000_000_000, 2_000_000_000, 5]), 0);
    assert_eq!(guest.call("fd_filestat_set_times", &[fd, 1, 2, 3]), INVAL);
    let modified = fs::metadata(directory.path().join("new")).unwrap().modified().unwrap();
    assert_eq!(modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(), 2);
    assert_eq!(guest.call("fd_close", &[fd]), 0);
    assert_eq!(guest.call("fd_close", &[fd]), BADF);
    for (name, args) in [("fd_tell", &[fd, AT][..]), ("fd_seek", &[fd, 0, 0, AT]), ("fd_fdstat_get", &[fd, AT])] {
        assert_eq!(guest.call(name, args), BADF, "{name}");
    }
    assert_eq!(guest.read(fd, 1), Err(BADF));
    assert_eq!(guest.write(fd, b"x"), Err(BADF));
    assert_eq!(guest.call("fd_pread", &[fd, list, count, 6, AT]), BADF);
    assert_eq!(guest.pwrite(fd, b"W", 6).unwrap(), Err(BADF));
}

#[test]
fn descriptors_tell_what_they_are() {
    let (_directory, mut guest) = in_directory();
    let fd = guest.open(3, "file", 0, READ).unwrap();
    for (fd, file_type) in [(0, 0), (1, 0), (3, 3), (fd, 4)] {
        assert_eq!(guest.call("fd_fdstat_get", &[fd, AT]), 0);
        assert_eq!(guest.get(AT, 1), [file_type]);
        assert_eq!(guest.call("fd_filestat_get", &[fd, AT]), 0);
        assert_eq!(guest.get(AT + 16, 1), [file_type]);
    }
    assert_eq!(guest.long(AT + 32), 10);
    assert_eq!(guest.call("fd_filestat_get", &[77, AT]), BADF);
    assert!(is_bad_pointer(&guest.end("fd_filestat_get", &[fd, AT + 4])));
    assert!(is_bad_pointer(&guest.end("fd_filestat_get", &[0, AT + 4])));
    assert!(is_bad_pointer(&guest.end("fd_fdstat_get", &[0, 0xffff_fff0])));
    // Append and non-blocking can be set, the flags of synchronous writing not.
    assert_eq!(guest.call("fd_fdstat_set_flags", &[fd, 5]), 0);
    assert_eq!(guest.call("fd_fdstat_get", &[fd, AT]), 0);
    assert_eq!(guest.get(AT + 2, 2), [5, 0]);
    assert_eq!(guest.call("fd_fdstat_set_flags", &[fd, 16]), INVAL);
    assert_eq!(guest.call("fd_fdstat_set_flags", &[3, 0]), BADF);
    assert_eq!(guest.call("fd_fdstat_set_rights", &[fd, 0, 0]), NOTSUP);
    assert_eq!(guest.call("fd_fdstat_set_rights", &[77, 0, 0]), BADF);
}

#[test]
fn preopens_have_names() {
    let (_directory, mut guest) = in_directory();
    assert_eq!(guest.call("fd_prestat_get", &[3, AT]), 0);
    assert_eq!((guest.get(AT, 1)[0], guest.word(AT + 4)), (0, 5));
    assert_eq!(guest.call("fd_prestat_dir_name", &[3, AT, 5]), 0);
    assert_eq!(guest.get(AT, 5), b"/data");
    assert_ne!(guest.call("fd_prestat_dir_name", &[3, AT, 4]), 0);
    assert_eq!(guest.call("fd_prestat_get", &[4, AT]), BADF);
    assert_eq!(guest.call("fd_prestat_get", &[0, AT]), BADF);
    assert_ne!(guest.call("fd_prestat_dir_name", &[0, AT, 5]), 0);
}

#[test]
fn descriptors_can_be_renumbered() {
    let (_directory, mut guest) = in_directory();
    let fd = guest.open(3, "file", 0, READ).unwrap();
    // A file in the place of standard input is read as the file that it is.
    assert_eq!(guest.call("fd_renumber", &[fd, 0]), 0);
    assert_eq!(guest.read(0, 4).unwrap(), b"0123");
    assert_eq!(guest.call("fd_close", &[fd]), BADF);
    assert_eq!(guest.call("fd_renumber", &[0, 99]), BADF);
    assert_eq!(guest.call("fd_renumber", &[99, 0]), BADF);
    assert_eq!(guest.call("fd_renumber", &[0, 0]), 0);
    assert_eq!(guest.read(0, 4).unwrap(), b"4567");
    // Standard output in the place of a file is still standard output.
    assert_eq!(guest.call("fd_renumber", &[1, 0]), 0);
    assert_eq!(guest.write(0, b"abc"), Ok(3));
    assert_eq!(guest.output(), 3);
    assert_eq!(guest.write(1, b"abc"), Err(BADF));
}

#[test]
fn directories_are_made_listed_and_removed() {
    let (directory, mut guest) = in_directory();
    assert_eq!(guest.on_path("path_create_directory", 3, "sub"), 0);
    assert_eq!(guest.on_path("path_create_directory", 3, "sub"), 20);
    for name in ["a", "b", "c"] {
        fs::write(directory.path().join("sub").join(name), b"").unwrap();
    }
    let sub = guest.open(3, "sub", DIRECTORY, READ).unwrap();
    for piece in [29, 64, 4096] {
        assert_eq!(guest.list_directory(sub, piece).unwrap(), [".", "..", "a", "b", "c"]);
    }
    assert_eq!(guest.list_directory(1, 64), Err(BADF));
    let file = guest.open(3, "file", 0, READ).unwrap();
    assert_eq!(guest.list_directory(file, 64), Err(BADF));
    assert_eq!(guest.open(3, "file", DIRECTORY, READ), Err(54));
    assert_eq!(guest.on_path("path_remove_directory", 3, "sub"), 55);
    for name in ["a", "b", "c"] {
        assert_eq!(guest.on_path("path_unlink_file", sub, name), 0);
    }
    assert_eq!(guest.on_path("path_unlink_file", sub, "a"), NOENT);
    assert_eq!(guest.on_path("path_remove_directory", 3, "sub"), 0);
    assert_eq!(guest.on_path("path_remove_directory", 3, "sub"), NOENT);
}

#[test]
fn paths_are_described_linked_and_renamed() {
    let (directory, mut guest) = in_directory();
    assert_eq!(guest.stat(3, "file"), Ok((4, 10)));
    assert_eq!(guest.stat(3, "."), Ok((3, fs::metadata(directory.path()).unwrap().len())));
    assert_eq!(guest.stat(3, "missing"), Err(NOENT));
    assert_eq!(guest.set_times(3, "file"), 0);
    assert_eq!(guest.set_times(3, "missing"), NOENT);
    assert_eq!(guest.link((3, "file"), (3, "hard")), 0);
    assert_eq!(guest.link((3, "file"), (3, "hard")), 20);
    assert_eq!(guest.symlink("file", 3, "soft"), 0);
    assert_eq!(guest.symlink("file", 3, "soft"), 20);
    assert_eq!(guest.stat(3, "soft"), Ok((7, 4)));
    guest.put(4096, b"soft");
    assert_eq!(guest.call("path_readlink", &[3, 4096, 4, 8192, 100, AT]), 0);
    assert_eq!((guest.word(AT), guest.get(8192, 4)), (4, b"file".to_vec()));
    guest.put(4096, b"file");
    assert_eq!(guest.call("path_readlink", &[3, 4096, 4, 8192, 100, AT]), INVAL);
    assert_eq!(guest.rename((3, "hard"), (3, "renamed")), 0);
    assert_eq!(guest.rename((3, "hard"), (3, "renamed")), NOENT);
    let fd = guest.open(3, "soft", 0, READ).unwrap();
    assert_eq!(guest.read(fd, 3).unwrap(), b"012");
    assert_eq!(guest.list_directory(3, 4096).unwrap(), [".", "..", "file", "renamed", "soft"]);
}

#[test]
fn the_process_functions_do_what_they_can() {
    let mut guest = Guest::new("{}");
    for code in [0, 1, 125, 126, 255, 256, u32::MAX] {
        let ending = guest.end("proc_exit", &[u64::from(code)]);
        assert!(matches!(ending, Ending::Exit(exit) if exit == code), "{code}: {ending:?}");
    }
    assert_eq!(guest.call("proc_raise", &[6]), NOTSUP);
    assert_eq!(guest.call("sched_yield", &[]), 0);
    assert_eq!(guest.call("random_get", &[AT, 32]), 0);
    let first = guest.get(AT, 32);
    assert_eq!(guest.call("random_get", &[AT, 32]), 0);
    assert_ne!(guest.get(AT, 32), first);
    assert!(is_bad_pointer(&guest.end("random_get", &[AT, u64::from(u32::MAX)])));
}

#[test]
fn what_is_no_socket_does_nothing_of_one() {
    let mut guest = Guest::new("{}");
    assert_eq!(guest.call("sock_accept", &[0, 0, AT]), NOTSOCK);
    assert_eq!(guest.call("sock_recv", &[0, AT, 0, 0, AT, AT + 4]), NOTSOCK);
    assert_eq!(guest.call("sock_send", &[0, AT, 0, 0, AT]), NOTSOCK);
    assert_eq!(guest.call("sock_shutdown", &[0, 3]), NOTSOCK);
    assert_eq!(guest.call("sock_accept", &[9, 0, AT]), BADF);
    assert_eq!(guest.call("sock_recv", &[9, AT, 0, 0, AT, AT + 4]), BADF);
    assert_eq!(guest.call("sock_send", &[9, AT, 0, 0, AT]), BADF);
    assert_eq!(guest.call("sock_shutdown", &[9, 3]), BADF);
    assert!(guest.refusals.lines().is_empty());
}

#[test]
fn the_older_version_differs_only_where_it_should() {
    let (_directory, mut guest) = in_directory();
    let fd = guest.open(3, "file", 0, READ).unwrap();
    // There 0 is from the current position, 1 from the end and 2 from the start.
    assert_eq!(guest.call_in(P0, "fd_seek", &[fd, 4, 2, AT]).unwrap(), 0);
    assert_eq!(guest.call_in(P0, "fd_seek", &[fd, 2, 0, AT]).unwrap(), 0);
    assert_eq!(guest.long(AT), 6);
    assert_eq!(guest.call_in(P0, "fd_seek", &[fd, 0, 1, AT]).unwrap(), 0);
    assert_eq!(guest.long(AT), 10);
    // Attributes are 56 bytes with a link count of 32 bits.
    guest.put(AT, &[0xaa; 64]);
    assert_eq!(guest.call_in(P0, "fd_filestat_get", &[fd, AT]).unwrap(), 0);
    assert_eq!((guest.get(AT + 16, 1)[0], guest.word(AT + 20), guest.long(AT + 24)), (4, 1, 10));
    assert_eq!(guest.get(AT + 56, 8), [0xaa; 8]);
    guest.put(4096, b"file");
    assert_eq!(guest.call_in(P0, "path_filestat_get", &[3, 0, 4096, 4, AT]).unwrap(), 0);
    assert_eq!((guest.get(AT + 16, 1)[0], guest.word(AT + 20), guest.long(AT + 24)), (4, 1, 10));
    guest.put(AT, &[0xaa; 64]);
    assert_eq!(guest.call_in(P0, "fd_filestat_get", &[1, AT]).unwrap(), 0);
    assert_eq!(guest.get(AT + 56, 8), [0xaa; 8]);
    assert_eq!(guest.call_in(P0, "fd_write", &[1, AT, 0, AT]).unwrap(), 0);
}

#[test]
fn both_versions_answer_alike_to_a_bad_descriptor() {
    for (name, params) in SIGNATURES {
        let about_descriptors = (name.starts_with("fd_") || name.starts_with("path_") || name.starts_with("sock_"))
            && *name != "path_symlink";
        if !about_descriptors {
            continue;
        }
        for module in [P1, P0] {
            if (module, *name) == (P0, "sock_accept") {
                continue;
            }
            let mut guest = Guest::new("{}");
            let mut args = vec![AT; params.len()];
            args[0] = 1000;
            assert_eq!(guest.call_in(module, name, &args).unwrap(), BADF, "{module}.{name}");
        }
    }
}

#[test]
fn without_a_memory_what_needs_one_traps() {
    let mut guest = Guest::new("{}");
    assert_eq!(guest.call_without_memory("sched_yield", &[]).unwrap(), 0);
    for (name, args) in [
        ("args_sizes_get", &[0, 4][..]),
        ("clock_time_get", &[0, 0, 0]),
        ("random_get", &[0, 1]),
        ("fd_write", &[1, 0, 1, 8]),
        ("fd_fdstat_get", &[0, 0]),
    ] {
        assert!(is_bad_pointer(&guest.call_without_memory(name, args).unwrap_err()), "{name}");
    }
}

#[test]
fn the_counters_follow_the_memory() {
    let mut guest = Guest::new("{}");
    assert_eq!(guest.call_without_memory("sched_yield", &[]).unwrap(), 0);
    let seen = |guest: &Guest| guest.counters.memory_bytes.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(seen(&guest), 0);
    guest.call("sched_yield", &[]);
    assert_eq!(seen(&guest), 4 << 20);
}
