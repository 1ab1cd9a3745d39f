//! What `make install` puts where, and that programs find it there.

use crate::build::{Workshop, libraries, output, package, text};
use std::path::Path;
use std::process::Command;

const ADD: &str = r#"(module (func (export "_start")) (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))"#;

fn flags(directory: &Path, what: &[&str]) -> Vec<String> {
    let output = Command::new("pkg-config")
        .args(what)
        .arg("wasmrt")
        .env("PKG_CONFIG_PATH", directory.join("lib/pkgconfig"))
        .output()
        .expect("pkg-config is needed");
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).split_whitespace().map(str::to_owned).collect()
}

#[test]
fn what_is_installed_is_found() {
    let workshop = Workshop::new();
    let prefix = workshop.path("prefix");
    let install = Command::new(package().join("install")).arg(libraries()).env("PREFIX", &prefix).output().unwrap();
    assert!(install.status.success(), "{}", text(&install.stderr));
    for file in [
        "lib/libwasmrt.so",
        "lib/libwasmrt.so.0",
        "lib/libwasmrt.a",
        "include/wasmrt.h",
        "libexec/wasmrt/wasmrt-worker",
    ] {
        assert!(prefix.join(file).is_file(), "{file}");
    }
    assert_eq!(flags(&prefix, &["--modversion"]), [env!("CARGO_PKG_VERSION")]);
    let module = workshop.module("add.wasm", ADD);
    let (call, untrusted) = (workshop.path("call"), workshop.path("untrusted"));
    for (source, program) in [("call.c", &call), ("untrusted.c", &untrusted)] {
        let compiled = Command::new("cc")
            .arg(package().join("examples").join(source))
            .arg("-o")
            .arg(program)
            .args(flags(&prefix, &["--cflags", "--libs"]))
            .status()
            .unwrap();
        assert!(compiled.success());
    }
    let with_library = |program: &Path| {
        let mut command = Command::new(program);
        command.env("LD_LIBRARY_PATH", prefix.join("lib"));
        command
    };
    assert_eq!(output(with_library(&call).arg(&module).args(["40", "2"]), 0), "42\n");
    // This one needs wasmrt-worker, which lies where it was installed.
    output(with_library(&untrusted).arg(&module), 0);
    std::fs::remove_file(prefix.join("libexec/wasmrt/wasmrt-worker")).unwrap();
    output(with_library(&untrusted).arg(&module), 127);

    // Linked into a program, the library looks for it from there.
    std::fs::create_dir(prefix.join("bin")).unwrap();
    let program = prefix.join("bin/untrusted");
    let static_flags = flags(&prefix, &["--static", "--cflags", "--libs"]).into_iter();
    let static_flags = static_flags.map(|flag| if flag == "-lwasmrt" { "-l:libwasmrt.a".to_owned() } else { flag });
    let compiled = Command::new("cc")
        .arg(package().join("examples/untrusted.c"))
        .arg("-o")
        .arg(&program)
        .args(static_flags)
        .status()
        .unwrap();
    assert!(compiled.success());
    std::fs::copy(libraries().join("wasmrt-worker"), prefix.join("libexec/wasmrt/wasmrt-worker")).unwrap();
    output(Command::new(&program).arg(&module), 0);
}

#[test]
fn a_package_is_made_elsewhere_and_names_where_it_will_be() {
    let workshop = Workshop::new();
    let root = workshop.path("root");
    let install = Command::new(package().join("install"))
        .arg(libraries())
        .envs([("PREFIX", "/usr"), ("LIBDIR", "/usr/lib/there"), ("INCLUDEDIR", "/usr/include/here")])
        .env("DESTDIR", &root)
        .output()
        .unwrap();
    assert!(install.status.success(), "{}", text(&install.stderr));
    let file = std::fs::read_to_string(root.join("usr/lib/there/pkgconfig/wasmrt.pc")).unwrap();
    assert!(file.contains("libdir=/usr/lib/there\n") && file.contains("includedir=/usr/include/here\n"), "{file}");
    assert!(!file.contains('@') && !file.contains(&*root.to_string_lossy()), "{file}");
    assert!(root.join("usr/include/here/wasmrt.h").is_file());
    // Where the library looks: ../libexec/wasmrt from where it lies.
    assert!(root.join("usr/lib/libexec/wasmrt/wasmrt-worker").is_file());
}

#[test]
fn the_library_has_its_name_and_exports_nothing_else() {
    let library = libraries().join("libwasmrt.so");
    let dynamic = Command::new("readelf").arg("-d").arg(&library).output().expect("readelf is needed");
    assert!(text(&dynamic.stdout).contains("Library soname: [libwasmrt.so.0]"), "{}", text(&dynamic.stdout));
    let symbols = Command::new("nm").args(["-D", "--defined-only"]).arg(&library).output().expect("nm is needed");
    let mut exported: Vec<String> =
        text(&symbols.stdout).lines().filter_map(|line| line.rsplit(' ').next().map(str::to_owned)).collect();
    let mut declared = crate::header::functions();
    exported.sort();
    declared.sort();
    assert_eq!(exported, declared);
}
