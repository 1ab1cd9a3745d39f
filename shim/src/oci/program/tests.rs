use super::super::rootfs::Rootfs;
use super::super::specs;
use super::*;
use serde_json::json;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use tempfile::TempDir;

const MODULE: &[u8] = b"\0asm\x01\0\0\0";
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

struct Image {
    bundle: TempDir,
}

impl Image {
    fn new() -> Self {
        let bundle = tempfile::tempdir().unwrap();
        fs::create_dir(bundle.path().join("rootfs")).unwrap();
        Self { bundle }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.bundle.path().join("rootfs").join(name)
    }

    fn with(self, name: &str, content: &[u8], mode: u32) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    fn link(self, name: &str, target: &str) -> Self {
        symlink(target, self.path(name)).unwrap();
        self
    }

    fn find_with(&self, name: &str, path: Option<&str>, cwd: &str, must: Option<&str>) -> Result<Program> {
        let spec = specs::from(specs::ctr(), |spec| spec["mounts"] = json!([]));
        let rootfs = Rootfs::of_bundle(self.bundle.path(), &spec).unwrap();
        let entries: Vec<String> = path.iter().map(|path| format!("PATH={path}")).collect();
        rootfs.find_program(name, &Variables::read(&entries).unwrap(), Path::new(cwd), must)
    }

    fn find(&self, name: &str) -> Result<Program> {
        self.find_with(name, None, "/", None)
    }

    /// Path, kind and export.
    fn found(&self, name: &str) -> (String, ProgramKind, Option<String>) {
        let program = self.find(name).unwrap();
        (program.path.to_str().unwrap().to_owned(), program.kind, program.export)
    }
}

fn wasm(path: &str) -> (String, ProgramKind, Option<String>) {
    (path.to_owned(), ProgramKind::Wasm, None)
}

#[test]
fn webassembly_is_known_by_its_content_and_need_not_be_executable() {
    let image = Image::new()
        .with("app.wasm", MODULE, 0o644)
        .with("component", COMPONENT, 0o400)
        .with("bin/sh", b"\x7fELF", 0o755)
        .with("script", b"#!/bin/sh\n", 0o755)
        .with("empty", b"", 0o755);
    assert_eq!(image.found("/app.wasm"), wasm("/app.wasm"));
    assert_eq!(image.found("/component"), wasm("/component"));
    for path in ["/bin/sh", "/script", "/empty"] {
        assert_eq!(image.found(path), (path.to_owned(), ProgramKind::Linux, None));
    }
    let mut content = Vec::new();
    image.find("/app.wasm").unwrap().file.read_to_end(&mut content).unwrap();
    assert_eq!(content, MODULE);
}

#[test]
fn names_without_a_slash_are_looked_for_in_path() {
    let image = Image::new()
        .with("usr/bin/tool", MODULE, 0o644)
        .with("bin/tool", b"\x7fELF", 0o755)
        .with("opt/tool", MODULE, 0o644)
        .with("opt/data", b"text", 0o644)
        .with("usr/bin/data", b"\x7fELF", 0o755)
        .with("srv/here.wasm", MODULE, 0o644)
        .with("srv/native", b"\x7fELF", 0o755);
    assert_eq!(image.found("tool"), wasm("/usr/bin/tool"));
    let path = |path| image.find_with("tool", Some(path), "/srv", None).map(|program| program.path);
    assert_eq!(path("/none:/opt:/bin").unwrap(), Path::new("/opt/tool"));
    assert_eq!(path("../opt").unwrap(), Path::new("/opt/tool"));
    assert_eq!(path("/none").unwrap_err().kind(), ErrorKind::NotFound);
    let data = image.find_with("data", Some("/opt:/usr/bin"), "/", None).unwrap();
    assert_eq!(data.path, Path::new("/usr/bin/data"), "what cannot be run is passed over");
    let here = |name, path| image.find_with(name, path, "/srv", None).map(|program| program.path);
    assert_eq!(here("here.wasm", None).unwrap(), Path::new("/srv/here.wasm"));
    assert_eq!(here("native", None).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(here("native", Some("/bin:")).unwrap(), Path::new("/srv/native"));
    assert_eq!(here("./native", None).unwrap(), Path::new("/srv/native"));
    assert_eq!(here("../opt/tool", None).unwrap(), Path::new("/opt/tool"));
}

#[test]
fn an_export_stands_behind_the_name_of_a_file_that_has_no_such_name_itself() {
    let image = Image::new()
        .with("app.wasm", MODULE, 0o644)
        .with("odd.wasm#run", MODULE, 0o644)
        .with("odd.wasm", MODULE, 0o644)
        .with("dir#1/app.wasm", MODULE, 0o644)
        .with("bin/tool", MODULE, 0o644)
        .with("bin/sh", b"\x7fELF", 0o755);
    let with = |path: &str, export: &str| (path.to_owned(), ProgramKind::Wasm, Some(export.to_owned()));
    assert_eq!(image.found("/app.wasm#add"), with("/app.wasm", "add"));
    assert_eq!(image.found("app.wasm#add"), with("/app.wasm", "add"));
    assert_eq!(image.found("tool#my:pkg/api#run"), with("/bin/tool", "my:pkg/api#run"));
    assert_eq!(image.found("/odd.wasm#run"), wasm("/odd.wasm#run"));
    assert_eq!(image.found("/odd.wasm#other"), with("/odd.wasm", "other"));
    assert_eq!(image.found("/dir#1/app.wasm#add"), with("/dir#1/app.wasm", "add"));
    for (name, kind, words) in [
        ("/app.wasm#", ErrorKind::NotWasm, "no export"),
        ("/bin/sh#run", ErrorKind::NotWasm, "not WebAssembly"),
        ("/missing.wasm#run", ErrorKind::NotFound, "no such file or directory"),
        ("#run", ErrorKind::NotFound, "executable file not found in $PATH"),
    ] {
        let error = image.find(name).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(words) && error.message().contains(&format!("\"{name}\"")), "{error}");
    }
}

#[test]
fn what_cannot_be_run_is_told_in_the_words_of_container_engines() {
    let image = Image::new()
        .with("text.wasm", b"(module)", 0o755)
        .with("text.wat", b"(module)", 0o755)
        .with("empty.wasm", b"", 0o644)
        .with("short.wasm", b"\0as", 0o644)
        .with("data", b"data", 0o644)
        .link("loop", "loop")
        .link("dangling", "/not/there")
        .link("outside", "../../../../../../etc/passwd")
        .link("absolute", "/etc/passwd");
    fs::create_dir(image.path("dir")).unwrap();
    fs::create_dir(image.path("dir.wasm")).unwrap();
    for (name, code, words) in [
        ("/missing", 127, "no such file or directory"),
        ("missing", 127, "executable file not found in $PATH"),
        ("", 127, "executable file not found in $PATH"),
        ("/data/x", 127, "not a directory"),
        ("/dangling", 127, "no such file or directory"),
        ("/outside", 127, "no such file or directory"),
        ("/absolute", 127, "no such file or directory"),
        ("/dir", 126, "is a directory"),
        ("/dir.wasm", 126, "is a directory"),
        ("/", 126, "is a directory"),
        ("/data", 126, "permission denied"),
        ("/text.wasm", 126, "is not WebAssembly"),
        ("text.wasm", 126, "is not WebAssembly"),
        ("/text.wat", 126, "is not WebAssembly"),
        ("/empty.wasm", 126, "is not WebAssembly"),
        ("/short.wasm", 126, "is not WebAssembly"),
        ("/loop", 126, "too many levels of symbolic links"),
    ] {
        let error = image.find(name).map(|program| panic!("{name}: {program:?}")).unwrap_err();
        assert_eq!(error.kind().exit_code(), code, "{error}");
        assert!(
            error.message().starts_with(&format!("exec: \"{name}\": ")) && error.message().contains(words),
            "{error}"
        );
    }
    assert_eq!(image.find("/missing").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(image.find("/text.wasm").unwrap_err().kind(), ErrorKind::NotWasm);
}

#[test]
fn fifos_sockets_and_devices_do_not_make_anybody_wait() {
    let image = Image::new();
    for (name, file_type) in [("fifo.wasm", FileType::Fifo), ("socket", FileType::Socket)] {
        rustix::fs::mknodat(rustix::fs::CWD, image.path(name), file_type, rustix::fs::Mode::from_raw_mode(0o777), 0)
            .unwrap();
    }
    for (name, words) in [("/fifo.wasm", "FIFO"), ("fifo.wasm", "FIFO"), ("/socket", "socket")] {
        let error = image.find(name).unwrap_err();
        assert_eq!(error.kind().exit_code(), 126, "{error}");
        assert!(error.message().contains(words), "{error}");
    }
    // A device comes by way of a mount, since who runs the tests may make none.
    let spec = specs::from(specs::ctr(), |spec| {
        spec["mounts"] = json!([{ "destination": "/tty", "type": "bind", "source": "/dev/null", "options": ["bind"] }]);
    });
    let rootfs = Rootfs::of_bundle(image.bundle.path(), &spec).unwrap();
    let error = rootfs.find_program("/tty", &Variables::default(), Path::new("/"), None).unwrap_err();
    assert!(error.kind() == ErrorKind::NotWasm && error.message().contains("device"), "{error}");
}

#[test]
fn links_inside_are_followed_inside() {
    let image = Image::new()
        .with("opt/app/v2/server.wasm", MODULE, 0o644)
        .link("opt/app/current", "v2")
        .link("server", "/opt/app/current/server.wasm")
        .link("up", "../../opt/app/current/../v2/server.wasm");
    for name in ["/server", "/up", "/opt/app/current/server.wasm", "opt/../server"] {
        assert_eq!(image.found(name), wasm("/opt/app/v2/server.wasm"), "{name}");
    }
}

#[test]
fn programs_may_be_in_volumes() {
    let image = Image::new().link("run.wasm", "/volume/app.wasm");
    let host = tempfile::tempdir().unwrap();
    fs::write(host.path().join("app.wasm"), MODULE).unwrap();
    let spec = specs::from(specs::ctr(), |spec| {
        spec["mounts"] = json!([
            { "destination": "/volume", "type": "bind", "source": host.path(), "options": ["rbind", "ro"] },
            { "destination": "/one.wasm", "type": "bind", "source": host.path().join("app.wasm"), "options": ["rbind"] },
        ]);
    });
    let rootfs = Rootfs::of_bundle(image.bundle.path(), &spec).unwrap();
    for (name, path) in
        [("/run.wasm", "/volume/app.wasm"), ("/volume/app.wasm", "/volume/app.wasm"), ("one.wasm", "/one.wasm")]
    {
        let program = rootfs.find_program(name, &Variables::default(), Path::new("/"), None).unwrap();
        assert_eq!((program.path.as_path(), program.kind), (Path::new(path), ProgramKind::Wasm));
    }
}

#[test]
fn an_annotation_may_ask_for_webassembly() {
    let image = Image::new().with("app", MODULE, 0o644).with("bin/sh", b"\x7fELF", 0o755);
    let annotation = Some("run.oci.handler=wasm");
    assert!(image.find_with("/app", None, "/", annotation).is_ok());
    let error = image.find_with("/bin/sh", None, "/", annotation).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotWasm);
    assert!(error.message().contains("run.oci.handler=wasm"), "{error}");
}
