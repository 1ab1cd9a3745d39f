//! What a host does to the process that it is in.

use crate::guest::{CREAT, Guest, READ, WRITE, pipe, plan, preopened, streams};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};
use wasmrt_host::{Host, Resources, link};

/// Runs one of the ignored tests below in a process of its own, with no other test beside it.
fn alone(test: &str) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn inline_hosts_start_no_threads() {
    alone("process::count_threads");
}

#[test]
#[ignore = "counts the threads of its process: started alone by another test"]
fn count_threads() {
    let before = threads();
    let directory = tempfile::tempdir().unwrap();
    let (reader, writer) = pipe();
    let mut resources = streams(Some(reader), Some(writer), None);
    resources.deadline = Some(Instant::now() + Duration::from_secs(600));
    let mut guest = Guest::with(&preopened(&[(directory.path(), "/", "rw")], ""), resources).unwrap();
    let fd = guest.open(3, "a", CREAT, READ | WRITE).unwrap();
    assert_eq!(guest.write(fd, b"12345"), Ok(5));
    assert_eq!(guest.call("fd_sync", &[fd]), 0);
    assert_eq!(guest.write(1, b"to myself"), Ok(9));
    assert_eq!(guest.read(0, 100).unwrap(), b"to myself");
    assert_eq!(guest.list_directory(3, 4096).unwrap().len(), 3);
    let mut sleep = [0; 48];
    sleep[16] = 1;
    sleep[24] = 100;
    guest.put(2048, &sleep);
    assert_eq!(guest.call("poll_oneoff", &[2048, 4096, 1, 1024]), 0);
    assert_eq!(guest.call("random_get", &[4096, 100]), 0);
    assert_eq!(threads(), before);
}

#[test]
fn many_hosts_in_a_row_leave_nothing_behind() {
    alone("process::count_descriptors");
}

#[test]
#[ignore = "counts the descriptors of its process: started alone by another test"]
fn count_descriptors() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("f"), b"").unwrap();
    let file = directory.path().join("f");
    let json = preopened(&[(directory.path(), "/", "rw"), (&file, "/etc/f", "rw")], "");
    let count = || fs::read_dir("/proc/self/fd").unwrap().count();
    let before = count();
    for _ in 0..500 {
        let mut guest = Guest::new(&json);
        guest.open(3, "a", CREAT, WRITE).unwrap();
        guest.open(4, "f", 0, READ).unwrap();
        let (resources, _cancel) = crate::guest::offloaded();
        drop(Guest::with(&json, resources).unwrap());
    }
    assert_eq!(count(), before);
}

#[test]
#[ignore = "prints what calls cost: run it by name on an idle machine"]
fn costs() {
    let info = crate::guest::every_import();
    let linked = link(&info).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let bare = plan("{}");
    let with_preopen = plan(&preopened(&[(directory.path(), "/", "rw")], ""));
    let median = |name: &str, times: u32, work: &mut dyn FnMut()| {
        let mut all: Vec<Duration> = (0..times)
            .map(|_| {
                let start = Instant::now();
                work();
                start.elapsed()
            })
            .collect();
        all.sort();
        eprintln!("{name}: first quartile {:?}, median {:?}", all[all.len() / 4], all[all.len() / 2]);
    };
    median("link 91 imports", 100, &mut || drop(link(&info).unwrap()));
    median("Host::new, no preopen", 1000, &mut || drop(Host::new(&bare, Resources::new(), &linked).unwrap()));
    median("Host::new, one preopen", 1000, &mut || drop(Host::new(&with_preopen, Resources::new(), &linked).unwrap()));
    let null = fs::File::options().read(true).write(true).open("/dev/null").unwrap();
    let mut guest =
        Guest::with(&preopened(&[(directory.path(), "/", "rw")], ""), streams(None, Some(null), None)).unwrap();
    let fd = guest.open(3, "a", CREAT, READ | WRITE).unwrap();
    let [list, count] = guest.list(&[(4096, 16)]);
    let mut thousand = |name: &str, function: &'static str, args: &[u64]| {
        median(&format!("1000 x {name}"), 50, &mut || {
            for _ in 0..1000 {
                assert_eq!(guest.call(function, args), 0);
            }
        });
    };
    thousand("sched_yield", "sched_yield", &[]);
    thousand("clock_time_get monotonic", "clock_time_get", &[1, 0, 1024]);
    thousand("random_get 16", "random_get", &[4096, 16]);
    thousand("fd_write 16 to /dev/null", "fd_write", &[1, list, count, 1024]);
    thousand("fd_pwrite 16 to a file", "fd_pwrite", &[fd, list, count, 0, 1024]);
    thousand("fd_pread 16 of a file", "fd_pread", &[fd, list, count, 0, 1024]);
    thousand("fd_tell", "fd_tell", &[fd, 1024]);
    thousand("fd_filestat_get", "fd_filestat_get", &[fd, 1024]);
}
