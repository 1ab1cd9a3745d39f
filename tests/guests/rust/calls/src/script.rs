//! Reads the script, calls the host, prints what came of it.
//!
//! Each argument is one line: `[NAME=]VERB WORDS...`. A line prints itself, ` => ` and its result: `ok` and what the host gave, or
//! the name of the error number. Nothing that differs between runs is printed: no descriptor numbers, no times, no inodes. A line
//! that makes no sense ends the program with code 64, since then the case is wrong and not the host.

use crate::abi::{self, errno};
use crate::words::{Complaint, Words, integer, shown};
use crate::{EDITION, host};
use std::collections::HashMap;
use std::io::Write;

/// What a line came to.
type Answer = Result<String, Complaint>;

/// Runs the arguments as a script.
pub fn main() {
    let mut names = HashMap::new();
    for line in std::env::args().skip(1) {
        let answer = carry_out(&line, &mut names).unwrap_or_else(|complaint| {
            eprintln!("{line}: {complaint}");
            std::process::exit(64);
        });
        println!("{line} => {answer}");
        let _ = std::io::stdout().flush();
    }
}

fn carry_out(line: &str, names: &mut HashMap<String, i32>) -> Answer {
    let (name, call) = match line.split_once(' ').unwrap_or((line, "")).0.split_once('=') {
        Some((name, _)) => (Some(name), &line[name.len() + 1..]),
        None => (None, line),
    };
    let (verb, rest) = call.split_once(' ').unwrap_or((call, ""));
    if verb == "until" {
        return repeat_until_it_fails(rest, names);
    }
    let mut words = Words::new(rest, names);
    let mut opened = -1;
    let answer = call_host(verb, &mut words, &mut opened)?;
    words.finish()?;
    if let Some(name) = name {
        names.insert(name.to_owned(), opened);
    }
    Ok(answer)
}

/// `until LIMIT CALL`: makes the call again and again until it fails or LIMIT is reached.
fn repeat_until_it_fails(rest: &str, names: &mut HashMap<String, i32>) -> Answer {
    let (limit, call) = rest.split_once(' ').ok_or("until takes a number and a call")?;
    for count in 0..integer(limit)? {
        let answer = carry_out(call, names)?;
        if !answer.starts_with("ok") {
            return Ok(format!("{answer} after {count}"));
        }
    }
    Ok(format!("ok {limit} times"))
}

fn at<T>(reference: &T) -> i32 {
    std::ptr::from_ref(reference) as usize as i32
}

fn at_mut<T>(reference: &mut T) -> i32 {
    std::ptr::from_mut(reference) as usize as i32
}

/// Room for the host to write to.
fn room(bytes: &mut [u8]) -> i32 {
    bytes.as_mut_ptr() as usize as i32
}

fn bytes_at(bytes: &[u8]) -> i32 {
    bytes.as_ptr() as usize as i32
}

fn length(bytes: &[u8]) -> i32 {
    bytes.len() as i32
}

/// `ok`, or the error.
fn plain(number: i32) -> Answer {
    Ok(errno(number))
}

/// `ok` and more, or the error.
fn with(number: i32, more: impl FnOnce() -> String) -> Answer {
    Ok(if number == 0 { format!("ok {}", more()).trim_end().to_owned() } else { errno(number) })
}

#[allow(clippy::too_many_lines, reason = "one arm for each function of the interface")]
fn call_host(verb: &str, words: &mut Words<'_>, opened: &mut i32) -> Answer {
    let (mut count, mut wide) = (0u32, 0u64);
    // SAFETY: every pointer given to the host is that of a buffer that lives through the call, but in `raw`, whose purpose it is to
    // pass what the script says; the sandbox bounds the damage to this program.
    unsafe {
        match verb {
            "args_get" => strings(host::args_sizes_get, host::args_get),
            "environ_get" => strings(host::environ_sizes_get, host::environ_get),
            "args_sizes_get" | "environ_sizes_get" => {
                let (mut number, mut size) = (0u32, 0u32);
                let call = if verb == "args_sizes_get" { host::args_sizes_get } else { host::environ_sizes_get };
                with(call(at_mut(&mut number), at_mut(&mut size)), || format!("{number} {size}"))
            }
            "clock_res_get" => {
                let number = host::clock_res_get(words.number()? as i32, at_mut(&mut wide));
                with(number, || if wide > 0 { String::new() } else { "zero".to_owned() })
            }
            "clock_time_get" => {
                let number = host::clock_time_get(words.number()? as i32, 1, at_mut(&mut wide));
                with(number, || if wide > 0 { String::new() } else { "zero".to_owned() })
            }
            "random_get" => {
                let mut buffer = vec![0u8; words.number()? as usize];
                let number = host::random_get(room(&mut buffer), length(&buffer));
                let varied = buffer.len() < 16 || buffer.iter().any(|byte| *byte != 0);
                with(number, || if varied { String::new() } else { "zeros".to_owned() })
            }
            "sched_yield" => plain(host::sched_yield()),
            "proc_raise" => plain(host::proc_raise(words.number()? as i32)),
            "proc_exit" => host::proc_exit(words.number()? as i32),
            "fd_advise" => {
                plain(host::fd_advise(words.fd()?, words.number()?, words.number()?, words.number()? as i32))
            }
            "fd_allocate" => plain(host::fd_allocate(words.fd()?, words.number()?, words.number()?)),
            "fd_close" => plain(host::fd_close(words.fd()?)),
            "fd_datasync" => plain(host::fd_datasync(words.fd()?)),
            "fd_sync" => plain(host::fd_sync(words.fd()?)),
            "fd_fdstat_get" => {
                let mut stat = [0u64; 3];
                let number = host::fd_fdstat_get(words.fd()?, at_mut(&mut stat));
                with(number, || {
                    let [kind, _, low, high, ..] = stat[0].to_le_bytes();
                    format!(
                        "{} {}",
                        abi::file_type(kind),
                        flag_names(abi::DESCRIPTOR, u64::from(u16::from_le_bytes([low, high])))
                    )
                })
            }
            "fd_fdstat_set_flags" => {
                plain(host::fd_fdstat_set_flags(words.fd()?, words.flags(abi::DESCRIPTOR)? as i32))
            }
            "fd_fdstat_set_rights" => plain(host::fd_fdstat_set_rights(
                words.fd()?,
                words.flags(abi::RIGHTS)? as i64,
                words.flags(abi::RIGHTS)? as i64,
            )),
            "fd_filestat_get" => {
                let mut stat = [0u64; 8];
                let number = host::fd_filestat_get(words.fd()?, at_mut(&mut stat));
                with(number, || filestat(&stat))
            }
            "fd_times" => {
                let mut stat = [0u64; 8];
                let number = host::fd_filestat_get(words.fd()?, at_mut(&mut stat));
                with(number, || times(&stat))
            }
            "fd_filestat_set_size" => plain(host::fd_filestat_set_size(words.fd()?, words.number()?)),
            "fd_filestat_set_times" => plain(host::fd_filestat_set_times(
                words.fd()?,
                words.number()?,
                words.number()?,
                words.flags(abi::TIMES)? as i32,
            )),
            "fd_read" | "fd_pread" => {
                let fd = words.fd()?;
                let mut buffer = vec![0u8; words.number()? as usize];
                let vector = [room(&mut buffer), length(&buffer)];
                let number = if verb == "fd_read" {
                    host::fd_read(fd, at(&vector), 1, at_mut(&mut count))
                } else {
                    host::fd_pread(fd, at(&vector), 1, words.number()?, at_mut(&mut count))
                };
                with(number, || shown(&buffer[..count as usize]))
            }
            "fd_write" | "fd_pwrite" => {
                let fd = words.fd()?;
                let text = words.string()?;
                let vector = [bytes_at(&text), length(&text)];
                let number = if verb == "fd_write" {
                    host::fd_write(fd, at(&vector), 1, at_mut(&mut count))
                } else {
                    host::fd_pwrite(fd, at(&vector), 1, words.number()?, at_mut(&mut count))
                };
                with(number, || count.to_string())
            }
            "fd_write_v" => {
                let fd = words.fd()?;
                let mut texts = Vec::new();
                while let Ok(text) = words.string() {
                    texts.push(text);
                }
                let vectors: Vec<[i32; 2]> = texts.iter().map(|text| [bytes_at(text), length(text)]).collect();
                let pointer = vectors.as_ptr() as usize as i32;
                let number = host::fd_write(fd, pointer, vectors.len() as i32, at_mut(&mut count));
                with(number, || count.to_string())
            }
            // Writes SIZE bytes in pieces of 64 KiB and says how many went through before the first refusal.
            "fill" => {
                let (fd, size, block) = (words.fd()?, words.number()? as u64, vec![b'x'; 64 * 1024]);
                while wide < size {
                    let piece = (size - wide).min(block.len() as u64) as i32;
                    let vector = [bytes_at(&block), piece];
                    let number = host::fd_write(fd, at(&vector), 1, at_mut(&mut count));
                    if number != 0 || count == 0 {
                        return Ok(format!("{} after {wide}", errno(number)));
                    }
                    wide += u64::from(count);
                }
                Ok(format!("ok {wide}"))
            }
            // Reads to the end and says how many bytes there were.
            "drain" => {
                let (fd, mut block) = (words.fd()?, vec![0u8; 64 * 1024]);
                loop {
                    let vector = [room(&mut block), length(&block)];
                    let number = host::fd_read(fd, at(&vector), 1, at_mut(&mut count));
                    if number != 0 || count == 0 {
                        return with(number, || wide.to_string());
                    }
                    wide += u64::from(count);
                }
            }
            "fd_prestat_get" => {
                let mut stat = [0u32; 2];
                let number = host::fd_prestat_get(words.fd()?, at_mut(&mut stat));
                with(number, || format!("{} {}", if stat[0] & 0xff == 0 { "dir" } else { "other" }, stat[1]))
            }
            "fd_prestat_dir_name" => {
                let fd = words.fd()?;
                let mut buffer = vec![0u8; words.number()? as usize];
                let number = host::fd_prestat_dir_name(fd, room(&mut buffer), length(&buffer));
                with(number, || shown(&buffer))
            }
            "fd_readdir" => {
                let fd = words.fd()?;
                directory(fd, words.number_or(4096)? as usize)
            }
            "fd_renumber" => plain(host::fd_renumber(words.fd()?, words.fd()?)),
            "fd_seek" => {
                let (fd, offset, word) = (words.fd()?, words.number()?, words.word()?);
                let whence =
                    abi::whence(EDITION, word).map_or_else(|| integer(word).map(|number| number as i32), Ok)?;
                let number = host::fd_seek(fd, offset, whence, at_mut(&mut wide));
                with(number, || wide.to_string())
            }
            "fd_tell" => {
                let number = host::fd_tell(words.fd()?, at_mut(&mut wide));
                with(number, || wide.to_string())
            }
            "path_create_directory" | "path_remove_directory" | "path_unlink_file" => {
                let (fd, path) = (words.fd()?, words.string()?);
                let call = match verb {
                    "path_create_directory" => host::path_create_directory,
                    "path_remove_directory" => host::path_remove_directory,
                    _ => host::path_unlink_file,
                };
                plain(call(fd, bytes_at(&path), length(&path)))
            }
            "path_filestat_get" | "path_times" => {
                let (fd, path) = (words.fd()?, words.string()?);
                let follow = i32::from(!words.flag("nofollow"));
                let mut stat = [0u64; 8];
                let number = host::path_filestat_get(fd, follow, bytes_at(&path), length(&path), at_mut(&mut stat));
                with(number, || if verb == "path_times" { times(&stat) } else { filestat(&stat) })
            }
            "path_filestat_set_times" => {
                let (fd, path) = (words.fd()?, words.string()?);
                let (accessed, modified) = (words.number()?, words.number()?);
                let flags = words.flags(abi::TIMES)? as i32;
                let follow = i32::from(!words.flag("nofollow"));
                plain(host::path_filestat_set_times(
                    fd,
                    follow,
                    bytes_at(&path),
                    length(&path),
                    accessed,
                    modified,
                    flags,
                ))
            }
            "path_link" | "path_rename" => {
                let (fd, path) = (words.fd()?, words.string()?);
                let (new_fd, new_path) = (words.fd()?, words.string()?);
                let (from, to) = (bytes_at(&path), bytes_at(&new_path));
                plain(if verb == "path_rename" {
                    host::path_rename(fd, from, length(&path), new_fd, to, length(&new_path))
                } else {
                    let follow = i32::from(words.flag("follow"));
                    host::path_link(fd, follow, from, length(&path), new_fd, to, length(&new_path))
                })
            }
            "path_open" => {
                let (fd, path) = (words.fd()?, words.string()?);
                let oflags = words.flags(abi::OPEN)? as i32;
                let rights = words.flags(abi::RIGHTS)? as i64;
                let follow = i32::from(!words.flag("nofollow"));
                let flags =
                    words.optional().map_or(Ok(0), |word| Words::new(word, &HashMap::new()).flags(abi::DESCRIPTOR))?;
                let number = host::path_open(
                    fd,
                    follow,
                    bytes_at(&path),
                    length(&path),
                    oflags,
                    rights,
                    rights,
                    flags as i32,
                    at_mut(opened),
                );
                plain(number)
            }
            "path_readlink" => {
                let (fd, path) = (words.fd()?, words.string()?);
                let mut buffer = vec![0u8; words.number_or(4096)? as usize];
                let (to, size) = (room(&mut buffer), length(&buffer));
                let number = host::path_readlink(fd, bytes_at(&path), length(&path), to, size, at_mut(&mut count));
                with(number, || shown(&buffer[..count as usize]))
            }
            "path_symlink" => {
                let (target, fd, path) = (words.string()?, words.fd()?, words.string()?);
                plain(host::path_symlink(bytes_at(&target), length(&target), fd, bytes_at(&path), length(&path)))
            }
            "poll_oneoff" => poll(words),
            "sock_accept" => plain(host::sock_accept(words.fd()?, words.number()? as i32, at_mut(opened))),
            "sock_recv" => {
                let fd = words.fd()?;
                let mut buffer = vec![0u8; words.number()? as usize];
                let (vector, mut flags) = ([room(&mut buffer), length(&buffer)], 0u32);
                plain(host::sock_recv(fd, at(&vector), 1, 0, at_mut(&mut count), at_mut(&mut flags)))
            }
            "sock_send" => {
                let (fd, text) = (words.fd()?, words.string()?);
                let vector = [bytes_at(&text), length(&text)];
                plain(host::sock_send(fd, at(&vector), 1, 0, at_mut(&mut count)))
            }
            "sock_shutdown" => plain(host::sock_shutdown(words.fd()?, words.number()? as i32)),
            "raw" => raw(words),
            _ => Err(format!("'{verb}' is no call")),
        }
    }
}

/// The calls that take pointers, with exactly the numbers that the script gives.
unsafe fn raw(words: &mut Words<'_>) -> Answer {
    let verb = words.word()?;
    let mut numbers = Vec::new();
    while let Some(word) = words.optional() {
        numbers.push(integer(word)?);
    }
    let small: Vec<i32> = numbers.iter().map(|number| *number as i32).collect();
    plain(match (verb, small.as_slice()) {
        ("fd_write", &[fd, vectors, count, result]) => host::fd_write(fd, vectors, count, result),
        ("fd_read", &[fd, vectors, count, result]) => host::fd_read(fd, vectors, count, result),
        ("fd_pread", &[fd, vectors, count, _, result]) => host::fd_pread(fd, vectors, count, numbers[3], result),
        ("fd_pwrite", &[fd, vectors, count, _, result]) => host::fd_pwrite(fd, vectors, count, numbers[3], result),
        ("fd_readdir", &[fd, buffer, size, _, result]) => host::fd_readdir(fd, buffer, size, numbers[3], result),
        ("fd_fdstat_get", &[fd, result]) => host::fd_fdstat_get(fd, result),
        ("fd_filestat_get", &[fd, result]) => host::fd_filestat_get(fd, result),
        ("fd_prestat_get", &[fd, result]) => host::fd_prestat_get(fd, result),
        ("fd_prestat_dir_name", &[fd, path, size]) => host::fd_prestat_dir_name(fd, path, size),
        ("fd_seek", &[fd, _, whence, result]) => host::fd_seek(fd, numbers[1], whence, result),
        ("fd_tell", &[fd, result]) => host::fd_tell(fd, result),
        ("random_get", &[buffer, size]) => host::random_get(buffer, size),
        ("clock_time_get", &[clock, result]) => host::clock_time_get(clock, 1, result),
        ("clock_res_get", &[clock, result]) => host::clock_res_get(clock, result),
        ("args_get", &[argv, buffer]) => host::args_get(argv, buffer),
        ("args_sizes_get", &[number, size]) => host::args_sizes_get(number, size),
        ("environ_get", &[environ, buffer]) => host::environ_get(environ, buffer),
        ("environ_sizes_get", &[number, size]) => host::environ_sizes_get(number, size),
        ("path_open", &[fd, path, size, result]) => host::path_open(fd, 1, path, size, 0, 2, 0, 0, result),
        ("path_filestat_get", &[fd, path, size, result]) => host::path_filestat_get(fd, 1, path, size, result),
        ("path_readlink", &[fd, path, size, buffer, room, result]) => {
            host::path_readlink(fd, path, size, buffer, room, result)
        }
        ("path_create_directory", &[fd, path, size]) => host::path_create_directory(fd, path, size),
        ("poll_oneoff", &[subscriptions, events, count, result]) => {
            host::poll_oneoff(subscriptions, events, count, result)
        }
        ("sock_recv", &[fd, vectors, count, result, flags]) => host::sock_recv(fd, vectors, count, 0, result, flags),
        ("sock_send", &[fd, vectors, count, result]) => host::sock_send(fd, vectors, count, 0, result),
        _ => return Err(format!("raw {verb} does not take {} numbers", small.len())),
    })
}

type SizesCall = unsafe extern "C" fn(i32, i32) -> i32;

/// Arguments or environment, whole.
unsafe fn strings(sizes: SizesCall, get: SizesCall) -> Answer {
    let (mut number, mut size) = (0u32, 0u32);
    let code = sizes(at_mut(&mut number), at_mut(&mut size));
    if code != 0 {
        return plain(code);
    }
    let mut pointers = vec![0u32; number as usize];
    let mut buffer = vec![0u8; size as usize];
    let code = get(pointers.as_mut_ptr() as usize as i32, room(&mut buffer));
    with(code, || {
        buffer
            .split_inclusive(|byte| *byte == 0)
            .map(|text| shown(&text[..text.len() - 1]))
            .collect::<Vec<_>>()
            .join(" ")
    })
}

/// All names of a directory, sorted, read through a buffer of this size. A name that does not fit whole is asked for again.
unsafe fn directory(fd: i32, size: usize) -> Answer {
    const HEADER: usize = 24;
    let (mut names, mut cookie) = (Vec::new(), 0i64);
    loop {
        let (mut buffer, mut used) = (vec![0u8; size], 0u32);
        let code = host::fd_readdir(fd, room(&mut buffer), length(&buffer), cookie, at_mut(&mut used));
        if code != 0 {
            return plain(code);
        }
        let entries = &buffer[..used as usize];
        let (mut start, mut whole) = (0, 0);
        while start + HEADER <= entries.len() {
            let word = |offset: usize| {
                u32::from_le_bytes(entries[start + offset..start + offset + 4].try_into().unwrap_or([0; 4]))
            };
            let end = start + HEADER + word(16) as usize;
            if end > entries.len() {
                break;
            }
            cookie = i64::from(word(0)) | i64::from(word(4)) << 32;
            names.push(format!("{}:{}", shown(&entries[start + HEADER..end]), abi::file_type(entries[start + 20])));
            (start, whole) = (end, whole + 1);
        }
        if entries.len() < size {
            names.sort();
            return Ok(format!("ok {}", names.join(" ")));
        }
        if whole == 0 {
            return Ok("ok but the buffer is too small for one name".to_owned());
        }
    }
}

/// `poll_oneoff SUBSCRIPTION...`: `clock:MILLISECONDS`, `read:FD`, `write:FD`; prints which became ready, sorted.
unsafe fn poll(words: &mut Words<'_>) -> Answer {
    let (size, timeout_at, _) = abi::subscription(EDITION);
    let (mut subscriptions, mut count) = (Vec::<u64>::new(), 0usize);
    let mut asked = Vec::new();
    while let Some(word) = words.optional() {
        let (kind, operand) = word.split_once(':').ok_or("a subscription is KIND:NUMBER")?;
        let mut bytes = vec![0u8; size];
        bytes[..8].copy_from_slice(&(count as u64).to_le_bytes());
        let number = integer(operand)?;
        match kind {
            "clock" => {
                // Identifier 1: the monotonic clock. In wasi_unstable it stands 8 bytes later.
                bytes[timeout_at - 8] = 1;
                bytes[timeout_at..timeout_at + 8].copy_from_slice(&(number as u64 * 1_000_000).to_le_bytes());
            }
            "read" | "write" => {
                bytes[8] = if kind == "read" { 1 } else { 2 };
                bytes[16..20].copy_from_slice(&(number as i32).to_le_bytes());
            }
            _ => return Err(format!("'{kind}' is not clock, read or write")),
        }
        subscriptions.extend(bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap_or([0; 8]))));
        asked.push(word);
        count += 1;
    }
    let (mut events, mut ready) = (vec![0u64; 4 * count.max(1)], 0u32);
    let code = host::poll_oneoff(
        subscriptions.as_ptr() as usize as i32,
        events.as_mut_ptr() as usize as i32,
        count as i32,
        at_mut(&mut ready),
    );
    with(code, || {
        let mut shown: Vec<String> = events
            .chunks_exact(4)
            .take(ready as usize)
            .map(|event| {
                let error = i32::from(event[1].to_le_bytes()[0]);
                let what = asked.get(event[0] as usize).copied().unwrap_or("nobody");
                if error == 0 { what.to_owned() } else { format!("{what}={}", errno(error)) }
            })
            .collect();
        shown.sort();
        shown.join(" ")
    })
}

fn filestat(stat: &[u64; 8]) -> String {
    let parts = abi::filestat(EDITION);
    let kind = abi::file_type(byte(stat, parts.file_type));
    let links = if parts.links.1 { word(stat, parts.links.0) } else { word(stat, parts.links.0) & 0xffff_ffff };
    match kind {
        "file" => format!("{kind} size={} links={links}", word(stat, parts.size)),
        // How large a directory or link is, and how often linked, is the file system's business.
        _ => kind.to_owned(),
    }
}

fn times(stat: &[u64; 8]) -> String {
    let parts = abi::filestat(EDITION);
    format!("atim={} mtim={}", word(stat, parts.accessed), word(stat, parts.modified))
}

fn byte(stat: &[u64; 8], offset: usize) -> u8 {
    stat[offset / 8].to_le_bytes()[offset % 8]
}

/// 64 bits from an offset that is a multiple of 4.
fn word(stat: &[u64; 8], offset: usize) -> u64 {
    let low = stat[offset / 8];
    if offset % 8 == 0 { low } else { low >> 32 | stat[offset / 8 + 1] << 32 }
}

fn flag_names(known: abi::Flags, bits: u64) -> String {
    known.iter().filter(|(_, bit)| bits & bit != 0).map(|(name, _)| *name).collect::<Vec<_>>().join(",")
}
