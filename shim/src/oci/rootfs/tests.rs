use super::super::specs;
use super::*;
use serde_json::json;
use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

/// A bundle whose rootfs has nothing in it, and a spec with these mounts.
fn bundle(mounts: serde_json::Value) -> (TempDir, Spec) {
    let bundle = tempfile::tempdir().unwrap();
    fs::create_dir(bundle.path().join("rootfs")).unwrap();
    (bundle, specs::from(specs::ctr(), |spec| spec["mounts"] = mounts))
}

fn content(rootfs: &Rootfs, path: &str) -> std::result::Result<String, Errno> {
    let found = rootfs.find(Path::new(path))?;
    assert_eq!(found.file_type, FileType::RegularFile, "{path}");
    let mut text = String::new();
    open_found(found.handle().unwrap()).unwrap().read_to_string(&mut text).unwrap();
    Ok(text)
}

#[test]
fn links_and_parents_lead_nowhere_outside() {
    let (bundle, spec) = bundle(json!([]));
    let root = bundle.path().join("rootfs");
    fs::write(bundle.path().join("secret"), "outside").unwrap();
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::write(root.join("inside"), "inside").unwrap();
    fs::create_dir(root.join("etc")).unwrap();
    symlink(bundle.path().join("secret"), root.join("absolute")).unwrap();
    symlink("../secret", root.join("relative")).unwrap();
    symlink("../../../../../../../etc/passwd", root.join("a/b/far")).unwrap();
    symlink("/etc/passwd", root.join("passwd")).unwrap();
    symlink("..", root.join("a/b/up")).unwrap();
    symlink("/", root.join("root")).unwrap();
    symlink("/proc/self/root", root.join("magic")).unwrap();
    let rootfs = Rootfs::of_bundle(bundle.path(), &spec).unwrap();
    for path in
        ["absolute", "relative", "a/b/far", "passwd", "../secret", "/../../secret", "a/../../secret", "root/../secret"]
    {
        assert_eq!(content(&rootfs, path).unwrap_err(), Errno::NOENT, "{path}");
    }
    assert_eq!(content(&rootfs, "magic/etc/passwd").unwrap_err(), Errno::NOENT);
    for path in [
        "inside",
        "/inside",
        "//inside",
        "./a/../inside",
        "../inside",
        "a/b/up/../inside",
        "root/root/inside",
        "a/b/../../../inside",
    ] {
        assert_eq!(content(&rootfs, path).unwrap(), "inside", "{path}");
    }
    fs::write(root.join("etc/passwd"), "the container's").unwrap();
    for path in ["passwd", "a/b/far"] {
        assert_eq!(content(&rootfs, path).unwrap(), "the container's", "{path}");
    }
    assert_eq!(rootfs.find(Path::new("a/b/far")).unwrap().place, Path::new("/etc/passwd"));
}

#[test]
fn circles_and_depths_end() {
    let (bundle, spec) = bundle(json!([]));
    let root = bundle.path().join("rootfs");
    symlink("me", root.join("me")).unwrap();
    symlink("b", root.join("a")).unwrap();
    symlink("/a", root.join("b")).unwrap();
    fs::create_dir(root.join("d")).unwrap();
    symlink("../d/x/x", root.join("d/x")).unwrap();
    let rootfs = Rootfs::of_bundle(bundle.path(), &spec).unwrap();
    for path in ["me", "a", "b", "d/x"] {
        assert_eq!(content(&rootfs, path).unwrap_err(), Errno::LOOP, "{path}");
    }
    symlink(".", root.join("here")).unwrap();
    fs::write(root.join("file"), "x").unwrap();
    let path = |links: usize| "here/".repeat(links) + "file";
    assert_eq!(content(&rootfs, &path(40)).unwrap(), "x");
    assert_eq!(content(&rootfs, &path(41)).unwrap_err(), Errno::LOOP);
    let deep = PathBuf::from("deep/".repeat(300));
    let mut at = root.clone();
    for _ in 0..6 {
        at.push("deep/".repeat(50));
        fs::create_dir_all(&at).unwrap();
    }
    assert_eq!(rootfs.find(&deep).unwrap_err(), Errno::NAMETOOLONG);
    assert_eq!(content(&rootfs, &"n".repeat(300)).unwrap_err(), Errno::NAMETOOLONG);
    assert_eq!(content(&rootfs, "file/").unwrap_err(), Errno::NOTDIR);
    assert_eq!(content(&rootfs, "file/.").unwrap_err(), Errno::NOTDIR);
    assert_eq!(content(&rootfs, "file/..").unwrap_err(), Errno::NOTDIR);
    assert_eq!(content(&rootfs, "a\0b").unwrap_err(), Errno::INVAL);
}

#[test]
fn a_path_goes_on_in_what_is_mounted() {
    let host = tempfile::tempdir().unwrap();
    let at = |name: &str| host.path().join(name);
    fs::create_dir_all(at("volume/sub")).unwrap();
    fs::write(at("volume/app"), "mounted").unwrap();
    fs::write(at("single"), "single").unwrap();
    symlink("/data/app", at("volume/sub/link")).unwrap();
    symlink("volume", at("link-to-volume")).unwrap();
    let (bundle, spec) = bundle(json!([
        { "destination": "/data", "type": "bind", "source": at("link-to-volume"), "options": ["rbind", "ro"] },
        { "destination": "/etc/one.conf", "source": at("single"), "options": ["bind"] },
        { "destination": "/run", "type": "tmpfs", "source": "tmpfs" },
    ]));
    let root = bundle.path().join("rootfs");
    fs::create_dir_all(root.join("data")).unwrap();
    fs::create_dir_all(root.join("run")).unwrap();
    fs::write(root.join("data/app"), "covered").unwrap();
    fs::write(root.join("run/app"), "covered").unwrap();
    fs::create_dir_all(root.join("etc")).unwrap();
    symlink("../data", root.join("etc/data")).unwrap();
    let rootfs = Rootfs::of_bundle(bundle.path(), &spec).unwrap();
    for path in ["/data/app", "/data/sub/link", "/etc/data/app", "/data/sub/../app"] {
        assert_eq!(content(&rootfs, path).unwrap(), "mounted", "{path}");
    }
    assert_eq!(content(&rootfs, "/etc/one.conf").unwrap(), "single");
    assert_eq!(content(&rootfs, "/run/app").unwrap_err(), Errno::NOENT);
    assert_eq!(content(&rootfs, "/data/../single").unwrap_err(), Errno::NOENT);
    assert!(rootfs.find(Path::new("/run")).unwrap().handle().is_none());
    assert_eq!(rootfs.find(Path::new("/run/..")).unwrap().place, Path::new("/"));
}

#[test]
fn a_mount_goes_where_links_lead_and_covers_what_lies_below() {
    let host = tempfile::tempdir().unwrap();
    let source = host.path();
    let mount = |destination: &str| json!({ "destination": destination, "type": "bind", "source": source, "options": ["rbind"] });
    let (bundle, spec) =
        bundle(json!([mount("/var/run/x"), mount("new/place/../here/"), mount("/a/b"), mount("/a"), mount("/out"),]));
    let root = bundle.path().join("rootfs");
    fs::create_dir(root.join("var")).unwrap();
    symlink("/run", root.join("var/run")).unwrap();
    symlink("../../../../elsewhere", root.join("out")).unwrap();
    let rootfs = Rootfs::of_bundle(bundle.path(), &spec).unwrap();
    let placed: Vec<(&str, &str)> = rootfs
        .mounts()
        .iter()
        .map(|mount| (mount.destination.to_str().unwrap(), mount.place.to_str().unwrap()))
        .collect();
    assert_eq!(placed, [("/var/run/x", "/run/x"), ("/new/here", "/new/here"), ("/a", "/a"), ("/out", "/elsewhere"),]);
}

#[test]
fn options_and_types_of_mounts_are_understood() {
    let host = tempfile::tempdir().unwrap();
    let file = host.path().join("file");
    fs::write(&file, "").unwrap();
    let bind = |destination: &str, options: &[&str]| json!({ "destination": destination, "type": "bind", "source": host.path(), "options": options });
    let (bundle, spec) = bundle(json!([
        bind("/rw", &["rbind"]),
        bind("/ro", &["rbind", "ro"]),
        bind("/rro", &["rbind", "rro"]),
        bind("/last", &["rbind", "ro", "rw"]),
        { "destination": "/file", "type": "none", "source": file, "options": ["bind", "rw", "ro"] },
        { "destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["ro"] },
        { "destination": "/groups", "type": "cgroup2", "source": "cgroup" },
        bind("/proc/x", &["rbind"]),
        bind("/device", &["rbind"]),
    ]));
    let rootfs = Rootfs::of_bundle(bundle.path(), &spec).unwrap();
    let told: Vec<(&str, bool, bool, bool)> = rootfs
        .mounts()
        .iter()
        .map(|mount| (mount.destination.to_str().unwrap(), mount.writable, mount.directory, mount.kernel))
        .collect();
    assert_eq!(
        told,
        [
            ("/rw", true, true, false),
            ("/ro", false, true, false),
            ("/rro", false, true, false),
            ("/last", true, true, false),
            ("/file", false, false, false),
            ("/tmp", false, true, false),
            ("/groups", true, true, true),
            ("/proc/x", true, true, true),
            ("/device", true, true, false),
        ]
    );
}

#[test]
fn a_container_that_runs_is_asked_itself() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("data")).unwrap();
    fs::write(root.path().join("data/app"), "seen").unwrap();
    fs::write(root.path().join("file"), "").unwrap();
    let spec = specs::from(specs::ctr(), |spec| {
        spec["mounts"] = json!([
            { "destination": "/data", "type": "bind", "source": "/is/gone", "options": ["rbind"] },
            { "destination": "/file", "type": "bind", "source": "/is/gone/too", "options": ["rbind"] },
        ]);
    });
    let rootfs = Rootfs::of_running(root.path(), &spec).unwrap();
    assert_eq!(content(&rootfs, "/data/app").unwrap(), "seen");
    let directories: Vec<bool> = rootfs.mounts().iter().map(|mount| mount.directory).collect();
    assert_eq!(directories, [true, false]);
}

#[test]
fn what_is_missing_is_named() {
    let (bundle, spec) =
        bundle(json!([{ "destination": "/data", "type": "bind", "source": "/is/not/there", "options": ["rbind"] }]));
    let error = Rootfs::of_bundle(bundle.path(), &spec).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("'/is/not/there'") && error.message().contains("'/data'"), "{error}");
    fs::remove_dir(bundle.path().join("rootfs")).unwrap();
    let error = Rootfs::of_bundle(bundle.path(), &spec).unwrap_err();
    assert!(error.kind() == ErrorKind::NotFound && error.message().contains("rootfs"), "{error}");
    let rootless = specs::from(spec, |spec| drop(spec.as_object_mut().unwrap().remove("root")));
    assert_eq!(Rootfs::of_bundle(bundle.path(), &rootless).unwrap_err().kind(), ErrorKind::InvalidInput);
}

mod random {
    use super::*;
    use proptest::prelude::*;

    fn target() -> impl Strategy<Value = String> {
        proptest::collection::vec(
            prop_oneof!["[ab]", Just("..".to_owned()), Just(String::new()), Just(".".to_owned())],
            1..5,
        )
        .prop_map(|names| names.join("/"))
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

        // The kernel's own lookup inside of a root is the reference for a container without mounts.
        #[test]
        fn a_walk_finds_what_the_kernel_finds(
            links in proptest::collection::vec(("[ab](/[ab])?", target()), 0..6),
            directories in proptest::collection::vec("[ab](/[ab]){0,2}", 0..4),
            path in target(),
        ) {
            let (bundle, spec) = bundle(json!([]));
            let root = bundle.path().join("rootfs");
            for directory in directories {
                drop(fs::create_dir_all(root.join(directory)));
            }
            let rootfs = Rootfs::of_bundle(bundle.path(), &spec).unwrap();
            let kernels = |path: &str| {
                // An empty path means the root here, and nothing to the kernel.
                let asked = if path.is_empty() { "." } else { path };
                let how = rustix::fs::ResolveFlags::IN_ROOT | rustix::fs::ResolveFlags::NO_MAGICLINKS;
                rustix::fs::openat2(&rootfs.root, asked, OFlags::PATH, Mode::empty(), how)
            };
            for (name, target) in links {
                // A link's place may be behind an earlier link that leads out of the bundle.
                let (parent, name) = name.rsplit_once('/').unwrap_or(("", &name));
                let _ = kernels(parent).and_then(|parent| rustix::fs::symlinkat(target, parent, name));
            }
            let identity = |handle: BorrowedFd<'_>| fstat(handle).map(|stat| (stat.st_dev, stat.st_ino)).unwrap();
            let ours = rootfs.find(Path::new(&path)).map(|found| identity(found.handle().unwrap()));
            let kernels = kernels(&path);
            prop_assert_eq!(ours, kernels.map(|handle| identity(handle.as_fd())), "{}", path);
        }
    }
}
