//! A file tool: each argument is one step, `verb:operand:operand`, carried out in order. Every step prints one line, and a
//! failing one the kind of its error, so that a test reads what happened where.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::time::{Duration, SystemTime};

fn main() {
    let mut failed = 0;
    for step in std::env::args().skip(1) {
        let parts: Vec<&str> = step.split(':').collect();
        match carry_out(&parts) {
            Ok(answer) => println!("{step} -> {answer}"),
            Err(complaint) => {
                failed += 1;
                println!("{step} -> failed: {:?}", complaint.kind());
            }
        }
    }
    std::process::exit(if failed == 0 { 0 } else { 1 });
}

fn carry_out(parts: &[&str]) -> std::io::Result<String> {
    let done = || Ok("done".to_owned());
    match parts {
        ["write", path, text] => fs::write(path, text).and_then(|()| done()),
        ["read", path] => fs::read_to_string(path),
        ["append", path, text] => {
            OpenOptions::new().append(true).open(path)?.write_all(text.as_bytes())?;
            done()
        }
        ["create-new", path] => File::create_new(path).and_then(|_| done()),
        ["patch", path, offset, text] => {
            let mut file = OpenOptions::new().read(true).write(true).open(path)?;
            file.seek(SeekFrom::Start(number(offset)?))?;
            file.write_all(text.as_bytes())?;
            Ok(format!("at {}", file.stream_position()?))
        }
        ["tail", path, count] => {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::End(-i64::try_from(number(count)?).unwrap_or(i64::MAX)))?;
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            Ok(text)
        }
        ["truncate", path, size] => {
            OpenOptions::new().write(true).open(path)?.set_len(number(size)?)?;
            done()
        }
        ["rename", from, to] => fs::rename(from, to).and_then(|()| done()),
        ["link", from, to] => fs::hard_link(from, to).and_then(|()| done()),
        ["symlink", target, path] => symlink(target, path).and_then(|()| done()),
        ["readlink", path] => fs::read_link(path).map(|target| target.display().to_string()),
        ["copy", from, to] => fs::copy(from, to).map(|count| format!("{count} bytes")),
        ["mkdir", path] => fs::create_dir(path).and_then(|()| done()),
        ["mkdirs", path] => fs::create_dir_all(path).and_then(|()| done()),
        ["rmdir", path] => fs::remove_dir(path).and_then(|()| done()),
        ["rm", path] => fs::remove_file(path).and_then(|()| done()),
        ["rmtree", path] => fs::remove_dir_all(path).and_then(|()| done()),
        ["stat", path] => fs::metadata(path).map(|metadata| describe(&metadata)),
        ["lstat", path] => fs::symlink_metadata(path).map(|metadata| describe(&metadata)),
        ["touch", path, seconds] => {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(number(seconds)?);
            let times = fs::FileTimes::new().set_accessed(time).set_modified(time);
            OpenOptions::new().write(true).open(path)?.set_times(times)?;
            done()
        }
        ["mtime", path] => {
            let modified = fs::metadata(path)?.modified()?;
            Ok(modified.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()).to_string())
        }
        ["sync", path] => File::open(path)?.sync_all().and_then(|()| done()),
        ["list", path] => {
            let entries = fs::read_dir(path)?.collect::<std::io::Result<Vec<_>>>()?;
            let mut names: Vec<_> =
                entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            Ok(names.join(" "))
        }
        ["fill", path, size] => {
            let (mut file, mut left) = (File::create(path)?, number(size)?);
            let block = [b'x'; 64 * 1024];
            while left > 0 {
                let now = usize::try_from(left).unwrap_or(block.len()).min(block.len());
                file.write_all(&block[..now])?;
                left -= now as u64;
            }
            done()
        }
        _ => Err(std::io::ErrorKind::Unsupported.into()),
    }
}

fn describe(metadata: &fs::Metadata) -> String {
    let kind = match metadata.file_type() {
        kind if kind.is_dir() => return "directory".to_owned(),
        kind if kind.is_symlink() => "link",
        kind if kind.is_file() => "file",
        _ => "other",
    };
    format!("{kind} of {} bytes", metadata.len())
}

fn number(text: &str) -> std::io::Result<u64> {
    text.parse().map_err(|_| std::io::ErrorKind::InvalidInput.into())
}

/// The standard library offers symbolic links on WASI only to nightly compilers.
fn symlink(target: &str, path: &str) -> std::io::Result<()> {
    extern "C" {
        fn symlink(target: *const std::ffi::c_char, path: *const std::ffi::c_char) -> std::ffi::c_int;
    }
    let (target, path) = (std::ffi::CString::new(target)?, std::ffi::CString::new(path)?);
    // SAFETY: both strings end in NUL and live through the call.
    if unsafe { symlink(target.as_ptr(), path.as_ptr()) } == 0 {
        return Ok(());
    }
    Err(std::io::Error::last_os_error())
}
