use super::super::specs;
use super::*;
use oci_spec::runtime::Spec;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

/// `guest:access`, and `=host` where the host's path is another one.
fn told(spec: &Spec, bundle: &TempDir, root_is_writable: bool, cwd: &str) -> Vec<String> {
    drop(fs::create_dir(bundle.path().join("rootfs")));
    let rootfs = Rootfs::of_bundle(bundle.path(), spec).unwrap();
    preopens(&rootfs, root_is_writable, Path::new(cwd)).unwrap().iter().map(tell).collect()
}

fn tell(preopen: &Preopen) -> String {
    let access = match preopen.access {
        Access::ReadOnly => "ro",
        Access::ReadWrite => "rw",
    };
    let host = preopen.host.to_str().unwrap();
    if host == preopen.guest { format!("{host}:{access}") } else { format!("{}:{access}={host}", preopen.guest) }
}

fn with_mounts(mounts: Value) -> Spec {
    specs::from(specs::ctr(), |spec| spec["mounts"] = mounts)
}

fn bind(destination: &str, source: &Path, option: &str) -> Value {
    json!({ "destination": destination, "type": "bind", "source": source, "options": ["rbind", option] })
}

#[test]
fn engines_specs_become_what_their_users_meant() {
    let bundle = tempfile::tempdir().unwrap();
    let spec = |spec| specs::with_sources_in(spec, bundle.path());
    assert_eq!(told(&spec(specs::ctr()), &bundle, true, "/"), [".:rw=/", "/:rw", "/data:ro", "/run:rw"]);
    assert_eq!(told(&spec(specs::docker()), &bundle, false, "/data"), [".:rw=/data", "/:ro", "/data:rw"]);
    assert_eq!(
        told(&spec(specs::cri()), &bundle, true, "/opt/app"),
        [".:rw=/opt/app", "/:rw", "/cache:rw", "/cache/seed:ro", "/var/run/secrets/kubernetes.io/serviceaccount:ro",]
    );
}

#[test]
fn the_innermost_mount_decides() {
    let bundle = tempfile::tempdir().unwrap();
    let host = tempfile::tempdir().unwrap();
    let spec = with_mounts(json!([
        bind("/a", host.path(), "ro"),
        bind("/a/b", host.path(), "rw"),
        bind("/a/b/c", host.path(), "ro"),
    ]));
    for (cwd, access) in
        [("/a", "ro"), ("/a/x", "ro"), ("/a/b/x/y", "rw"), ("/a/b/c", "ro"), ("/ab", "rw"), ("/a/b/../x", "ro")]
    {
        let told = told(&spec, &bundle, true, cwd);
        assert!(told[0].starts_with(&format!(".:{access}=")), "{cwd}: {told:?}");
        assert_eq!(told[1..], ["/:rw", "/a:ro", "/a/b:rw", "/a/b/c:ro"]);
    }
    assert_eq!(told(&spec, &bundle, false, "/ab")[..2], [".:ro=/ab", "/:ro"]);
}

#[test]
fn the_working_directory_has_the_access_of_where_links_lead() {
    let bundle = tempfile::tempdir().unwrap();
    let host = tempfile::tempdir().unwrap();
    fs::create_dir(bundle.path().join("rootfs")).unwrap();
    symlink("/data", bundle.path().join("rootfs/srv")).unwrap();
    let spec = with_mounts(json!([bind("/data", host.path(), "ro")]));
    assert_eq!(told(&spec, &bundle, true, "/srv"), [".:ro=/srv", "/:rw", "/data:ro"]);
}

#[test]
fn the_kernels_things_are_not_given() {
    let bundle = tempfile::tempdir().unwrap();
    let host = tempfile::tempdir().unwrap();
    fs::create_dir(bundle.path().join("rootfs")).unwrap();
    symlink("/proc", bundle.path().join("rootfs/processes")).unwrap();
    let spec = with_mounts(json!([
        { "destination": "/proc", "type": "proc", "source": "proc" },
        { "destination": "/groups", "type": "cgroup", "source": "cgroup" },
        { "destination": "/processes/x", "type": "tmpfs", "source": "tmpfs" },
        { "destination": "/devices", "type": "tmpfs", "source": "tmpfs" },
        bind("/dev/shm", host.path(), "rw"),
        bind("/sys", host.path(), "rw"),
    ]));
    assert_eq!(told(&spec, &bundle, true, "/")[1..], ["/:rw", "/devices:rw"]);
    for cwd in ["/proc", "/proc/1", "/processes", "/groups/x", "/dev/../sys"] {
        assert_eq!(told(&spec, &bundle, true, cwd), ["/:rw", "/devices:rw"], "{cwd}");
    }
}

#[test]
fn files_come_with_their_directory_which_must_not_be_in_the_way_of_writing() {
    let bundle = tempfile::tempdir().unwrap();
    let host = tempfile::tempdir().unwrap();
    let file = host.path().join("file");
    fs::write(&file, "").unwrap();
    let directory = host.path();
    let spec = |access| {
        with_mounts(json!([
            bind("/ro", directory, "ro"),
            bind("/ro/deep", directory, "ro"),
            bind("/ro/file", &file, access)
        ]))
    };
    assert_eq!(told(&spec("ro"), &bundle, false, "/ro")[..], [".:ro=/ro", "/:ro", "/ro:ro", "/ro/deep:ro"]);
    assert_eq!(told(&spec("rw"), &bundle, false, "/ro")[..], [".:rw=/ro", "/:ro", "/ro:rw", "/ro/deep:ro"]);
    let spec = with_mounts(json!([bind("/etc/app.conf", &file, "rw"), bind("/dev/termination-log", &file, "rw")]));
    assert_eq!(told(&spec, &bundle, false, "/")[..], [".:rw=/", "/:rw"]);
    let spec = with_mounts(json!([bind("/dev/termination-log", &file, "rw")]));
    assert_eq!(told(&spec, &bundle, false, "/")[..], [".:ro=/", "/:ro"]);
}

#[test]
fn no_guest_path_comes_twice() {
    let bundle = tempfile::tempdir().unwrap();
    let host = tempfile::tempdir().unwrap();
    let spec = with_mounts(json!([
        bind("/data", host.path(), "rw"),
        bind("/data/", host.path(), "ro"),
        bind("/", host.path(), "ro"),
        bind("/x/../data", host.path(), "rw"),
    ]));
    assert_eq!(told(&spec, &bundle, true, "/data"), [".:rw=/data", "/:ro", "/data:rw"]);
}
