//! Reads the script, calls the host, prints what came of it: the language of `calls`, for sockets.
//!
//! Each argument is one line; without arguments, each line of standard input, carried out as soon as it is read, so that whoever writes them
//! can do something in between. A line is `[NAME=]VERB WORDS...` and prints itself, ` => ` and its result: `ok` and what the host gave, or
//! the name of the error number. A line that makes no sense ends the program with code 64.
//!
//! A name takes the new descriptor, or the port of `localaddr`, `peeraddr` and `recv-from`, which is then printed as `*`.

use crate::abi::{self, errno};
use crate::socket_abi::{self, STORAGE, flags_of, name_of, number_of, octets, shown_address};
use crate::socket_lookup;
use crate::words::{Complaint, Words, integer, shown};
use crate::{SECOND, host};
use std::collections::HashMap;
use std::io::{BufRead, Write};

/// What a line came to.
pub type Answer = Result<String, Complaint>;

/// Runs the arguments or standard input as a script.
pub fn main() {
    let mut names = HashMap::new();
    let mut run = |line: String| {
        let answer = carry_out(&line, &mut names).unwrap_or_else(|complaint| {
            eprintln!("{line}: {complaint}");
            std::process::exit(64);
        });
        println!("{line} => {answer}");
        let _ = std::io::stdout().flush();
    };
    if std::env::args().len() > 1 {
        std::env::args().skip(1).for_each(run);
    } else {
        let lines = std::io::stdin().lock().lines().map_while(Result::ok);
        lines.filter(|line| !line.trim().is_empty()).for_each(&mut run);
    }
}

fn carry_out(line: &str, names: &mut HashMap<String, i32>) -> Answer {
    let (name, call) = match line.split_once(' ').unwrap_or((line, "")).0.split_once('=') {
        Some((name, _)) => (Some(name), &line[name.len() + 1..]),
        None => (None, line),
    };
    let (verb, rest) = call.split_once(' ').unwrap_or((call, ""));
    if verb == "until" {
        let (limit, call) = rest.split_once(' ').ok_or("until takes a number and a call")?;
        for count in 0..integer(limit)? {
            let answer = carry_out(call, names)?;
            if !answer.starts_with("ok") {
                return Ok(format!("{answer} after {count}"));
            }
        }
        return Ok(format!("ok {limit} times"));
    }
    let mut words = Words::new(rest, names);
    let mut line = Line { named: name.is_some(), got: -1 };
    // SAFETY: every pointer given to the host is that of a buffer that lives through the call, but in `raw`, whose purpose it is to pass
    // what the script says; the sandbox bounds the damage to this program.
    let answer = unsafe { line.call(verb, &mut words) }?;
    words.finish()?;
    if let Some(name) = name {
        names.insert(name.to_owned(), line.got);
    }
    Ok(answer)
}

/// Where something lies.
pub fn at<T: ?Sized>(reference: &T) -> i32 {
    std::ptr::from_ref(reference).cast::<u8>() as usize as i32
}

/// Where the host may write.
pub fn at_mut<T: ?Sized>(reference: &mut T) -> i32 {
    std::ptr::from_mut(reference).cast::<u8>() as usize as i32
}

/// A buffer as the interface describes it: where it is and how long. An address looks just the same.
pub fn vector(bytes: &mut [u8]) -> [i32; 2] {
    [at_mut(bytes), bytes.len() as i32]
}

/// `ok`, or the error.
pub fn plain(number: i32) -> Answer {
    Ok(errno(number))
}

/// `ok` and more, or the error.
pub fn with(number: i32, more: impl FnOnce() -> String) -> Answer {
    Ok(if number == 0 { format!("ok {}", more()).trim_end().to_owned() } else { errno(number) })
}

fn how_many(words: &mut Words<'_>) -> Result<usize, Complaint> {
    usize::try_from(words.number()?).map_err(|_| "too many".to_owned())
}

/// One line on its way.
struct Line {
    named: bool,
    got: i32,
}

impl Line {
    /// A port, printed unless a name takes it.
    fn port(&mut self, port: u32) -> String {
        if self.named {
            self.got = port as i32;
            "*".to_owned()
        } else {
            port.to_string()
        }
    }

    unsafe fn call(&mut self, verb: &str, words: &mut Words<'_>) -> Answer {
        let mut count = 0u32;
        match verb {
            "open" => {
                let family = number_of(socket_abi::FAMILY, words.word()?)?;
                let kind = number_of(socket_abi::KIND, words.word()?)?;
                plain(host::sock_open(family, kind, at_mut(&mut self.got)))
            }
            "bind" | "connect" => {
                let (fd, mut to) = (words.fd()?, octets(words.word()?)?);
                let (address, port) = (vector(&mut to), words.number()? as i32);
                let call = if verb == "bind" { host::sock_bind } else { host::sock_connect };
                plain(call(fd, at(&address), port))
            }
            "listen" => plain(host::sock_listen(words.fd()?, words.number()? as i32)),
            "accept" => self.accept(words),
            "send" => {
                let (fd, mut text) = (words.fd()?, words.string()?);
                let flags = words.number_or(0)? as i32;
                let vectors = vector(&mut text);
                with(host::sock_send(fd, at(&vectors), 1, flags, at_mut(&mut count)), || sent(count, &text))
            }
            "send-to" => {
                let (fd, mut to, port) = (words.fd()?, octets(words.word()?)?, words.number()? as i32);
                let mut text = words.string()?;
                let (vectors, address) = (vector(&mut text), vector(&mut to));
                let number = host::sock_send_to(fd, at(&vectors), 1, at(&address), port, 0, at_mut(&mut count));
                with(number, || sent(count, &text))
            }
            "recv" => {
                let (fd, mut buffer) = (words.fd()?, vec![0u8; how_many(words)?]);
                let flags = flags_of(socket_abi::RECEIVE, words.optional().unwrap_or("-"))?;
                let (vectors, mut flags_out) = (vector(&mut buffer), 0u32);
                let number = host::sock_recv(fd, at(&vectors), 1, flags, at_mut(&mut count), at_mut(&mut flags_out));
                with(number, || received(&buffer, count, flags_out))
            }
            "recv-from" => self.receive_from(words),
            "drain" => drain(words),
            "shutdown" => plain(host::sock_shutdown(words.fd()?, number_of(socket_abi::HOW, words.word()?)?)),
            "getsockopt" => get_option(words),
            "setsockopt" => set_option(words),
            "localaddr" => self.address(words, "sock_getlocaladdr"),
            "peeraddr" => self.address(words, "sock_getpeeraddr"),
            "getaddrinfo" => socket_lookup::look_up(words),
            "nonblocking" => {
                let fd = words.fd()?;
                let flags = match words.word()? {
                    "on" => 4,
                    "off" => 0,
                    other => return Err(format!("'{other}' is neither on nor off")),
                };
                plain(host::fd_fdstat_set_flags(fd, flags))
            }
            "fdstat" => {
                let mut stat = [0u64; 3];
                with(host::fd_fdstat_get(words.fd()?, at_mut(&mut stat)), || {
                    let [kind, _, low, high, ..] = stat[0].to_le_bytes();
                    let bits = u64::from(u16::from_le_bytes([low, high]));
                    let flags = abi::DESCRIPTOR.iter().filter(|(_, bit)| bits & bit != 0).map(|(name, _)| *name);
                    format!("{} {}", abi::file_type(kind), flags.collect::<Vec<_>>().join(","))
                })
            }
            "read" => {
                let (fd, mut buffer) = (words.fd()?, vec![0u8; how_many(words)?]);
                let vectors = vector(&mut buffer);
                with(host::fd_read(fd, at(&vectors), 1, at_mut(&mut count)), || received(&buffer, count, 0))
            }
            "write" => {
                let (fd, mut text) = (words.fd()?, words.string()?);
                let vectors = vector(&mut text);
                with(host::fd_write(fd, at(&vectors), 1, at_mut(&mut count)), || sent(count, &text))
            }
            "close" => plain(host::fd_close(words.fd()?)),
            "poll" => poll(words),
            "raw" => {
                let (name, mut numbers) = (words.word()?, Vec::new());
                while let Some(word) = words.optional() {
                    let mut number = Words::new(word, words.names());
                    numbers.push(number.number()? as i32);
                }
                host::raw(name, &numbers)
                    .map_or_else(|| Err(format!("raw {name} does not take {} numbers", numbers.len())), plain)
            }
            _ => Err(format!("'{verb}' is no call")),
        }
    }

    unsafe fn accept(&mut self, words: &mut Words<'_>) -> Answer {
        let fd = words.fd()?;
        let flags = words.optional().map(|word| flags_of(abi::DESCRIPTOR, word)).transpose()?;
        if !SECOND && flags.is_some() {
            return Err("the first edition of accept takes no flags".to_owned());
        }
        let numbers = [fd, flags.unwrap_or(0), at_mut(&mut self.got)];
        let numbers = if SECOND { numbers.to_vec() } else { vec![numbers[0], numbers[2]] };
        host::raw("sock_accept", &numbers).map_or_else(|| Err("the number of parameters".to_owned()), plain)
    }

    /// `recv-from FD BYTES [FLAGS] [SIZE]`: SIZE is that of the room for the address.
    unsafe fn receive_from(&mut self, words: &mut Words<'_>) -> Answer {
        let (fd, mut buffer) = (words.fd()?, vec![0u8; how_many(words)?]);
        let flags = flags_of(socket_abi::RECEIVE, words.optional().unwrap_or("-"))?;
        let size = words.number_or(if SECOND { 128 } else { 16 })?;
        let mut room = vec![0u8; usize::try_from(size).map_err(|_| "too many")?];
        let (vectors, address) = (vector(&mut buffer), vector(&mut room));
        let (mut count, mut flags_out, mut port) = (0u32, 0u32, 0u32);
        let mut numbers = vec![fd, at(&vectors), 1, at(&address), flags, at_mut(&mut count), at_mut(&mut flags_out)];
        if SECOND {
            numbers.insert(5, at_mut(&mut port));
        }
        let number = host::raw("sock_recv_from", &numbers).ok_or("the number of parameters")?;
        with(number, || {
            let text = received(&buffer, count, flags_out);
            match room.len() {
                STORAGE => {
                    let from = shown_address(i32::from(u16::from_le_bytes([room[0], room[1]])), &room[2..]);
                    format!("{text} from {from}:{}", self.port(port))
                }
                // Without a family, only the octets can be told.
                _ if SECOND => format!("{text} from {}:{}", shown(&room), self.port(port)),
                _ => format!("{text} from {}", shown(&room)),
            }
        })
    }

    /// `localaddr FD [SIZE]`, `peeraddr FD [SIZE]`: SIZE is that of the room for the address.
    unsafe fn address(&mut self, words: &mut Words<'_>, call: &str) -> Answer {
        let fd = words.fd()?;
        let size = words.number_or(if SECOND { 128 } else { 16 })?;
        let mut room = vec![0u8; usize::try_from(size).map_err(|_| "too many")?];
        let (address, mut kind, mut port) = (vector(&mut room), 0u32, 0u32);
        let mut numbers = vec![fd, at(&address), at_mut(&mut port)];
        if !SECOND {
            numbers.insert(2, at_mut(&mut kind));
        }
        let number = host::raw(call, &numbers).ok_or("the number of parameters")?;
        with(number, || {
            let (family, octets) = match (SECOND, kind) {
                (true, _) => (i32::from(u16::from_le_bytes([room[0], room[1]])), &room[2..]),
                (false, 4) => (1, &room[..]),
                (false, 6) => (2, &room[..]),
                (false, other) => return format!("type {other}"),
            };
            format!("{}:{}", shown_address(family, octets), self.port(port))
        })
    }
}

/// What a send came to: nothing more if all was taken.
fn sent(count: u32, text: &[u8]) -> String {
    if count as usize == text.len() { String::new() } else { format!("{count} of {}", text.len()) }
}

/// What was received.
fn received(buffer: &[u8], count: u32, flags: u32) -> String {
    let truncated = if flags & 1 == 1 { " truncated" } else { "" };
    format!("{}{truncated}", buffer.get(..count as usize).map_or_else(|| format!("{count} bytes?"), shown))
}

/// `drain FD BYTES`: receives until so many bytes came, or no more.
unsafe fn drain(words: &mut Words<'_>) -> Answer {
    let (fd, wanted) = (words.fd()?, how_many(words)?);
    let (mut buffer, mut total) = (vec![0u8; 64 << 10], 0usize);
    while total < wanted {
        let (vectors, mut count, mut flags) = (vector(&mut buffer), 0u32, 0u32);
        let number = host::sock_recv(fd, at(&vectors), 1, 0, at_mut(&mut count), at_mut(&mut flags));
        if number != 0 {
            return Ok(format!("{} after {total} bytes", errno(number)));
        }
        if count == 0 {
            break;
        }
        total += count as usize;
    }
    Ok(format!("ok {total} bytes"))
}

/// `getsockopt FD LEVEL NAME [SIZE]`: a number, two numbers, or the bytes, by how much the host wrote.
unsafe fn get_option(words: &mut Words<'_>) -> Answer {
    let (fd, level) = (words.fd()?, number_of(socket_abi::LEVEL, words.word()?)?);
    let name = number_of(socket_abi::OPTION, words.word()?)?;
    let timeout = matches!(name, 11 | 12);
    let usual = match name {
        9 => 8,
        _ if timeout => 16,
        _ => 4,
    };
    let mut size = words.number_or(usual)? as u32;
    let mut value = vec![0u8; size as usize];
    let number = host::sock_getsockopt(fd, level, name, at_mut(value.as_mut_slice()), at_mut(&mut size));
    with(number, || {
        value.truncate(size as usize);
        let numbers: Vec<i32> =
            value.chunks_exact(4).map(|four| i32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect();
        match (name, numbers.as_slice()) {
            (1, &[kind]) => name_of(socket_abi::KIND, kind),
            (2, &[error]) => errno(error),
            (_, &[number]) => number.to_string(),
            (9, &[on, seconds]) => format!("{on},{seconds}"),
            (_, &[seconds, _, micros, _]) if timeout => format!("{}ms", seconds * 1000 + micros / 1000),
            _ => shown(&value),
        }
    })
}

/// `setsockopt FD LEVEL NAME VALUE`: a number, `A,B` for two, `Nms` for a time, `text:STRING` for bytes.
unsafe fn set_option(words: &mut Words<'_>) -> Answer {
    let (fd, level) = (words.fd()?, number_of(socket_abi::LEVEL, words.word()?)?);
    let (name, value) = (number_of(socket_abi::OPTION, words.word()?)?, words.word()?);
    let four = |word: &str| integer(word).map(|number| (number as i32).to_le_bytes().to_vec());
    let mut value = if let Some(text) = value.strip_prefix("text:") {
        Words::new(text, &HashMap::new()).string()?
    } else if let Some(time) = value.strip_suffix("ms") {
        let millis = integer(time)?;
        [(millis / 1000).to_le_bytes(), (millis % 1000 * 1000).to_le_bytes()].concat()
    } else if let Some((first, second)) = value.split_once(',') {
        [four(first)?, four(second)?].concat()
    } else {
        four(value)?
    };
    let size = value.len() as i32;
    plain(host::sock_setsockopt(fd, level, name, at_mut(value.as_mut_slice()), size))
}

/// `poll SUBSCRIPTION...`: `clock:MILLISECONDS`, `read:FD`, `write:FD`; prints which became ready, sorted, `+hangup` where the host says so.
unsafe fn poll(words: &mut Words<'_>) -> Answer {
    let (mut subscriptions, mut asked) = (Vec::<[u64; 6]>::new(), Vec::new());
    while let Some(word) = words.optional() {
        let (kind, operand) = word.split_once(':').ok_or("a subscription is KIND:NUMBER")?;
        let number = Words::new(operand, words.names()).number()? as u64;
        let identity = asked.len() as u64;
        subscriptions.push(match kind {
            // The monotonic clock, from now.
            "clock" => [identity, 0, 1, number * 1_000_000, 0, 0],
            "read" => [identity, 1, number & 0xffff_ffff, 0, 0, 0],
            "write" => [identity, 2, number & 0xffff_ffff, 0, 0, 0],
            _ => return Err(format!("'{kind}' is not clock, read or write")),
        });
        asked.push(word);
    }
    let (mut events, mut ready) = (vec![[0u64; 4]; asked.len().max(1)], 0u32);
    let count = asked.len() as i32;
    let number =
        host::poll_oneoff(at(subscriptions.as_slice()), at_mut(events.as_mut_slice()), count, at_mut(&mut ready));
    with(number, || {
        let mut shown: Vec<String> = events
            .iter()
            .take(ready as usize)
            .map(|event| {
                let error = i32::from(event[1] as u16);
                let mut what = asked.get(event[0] as usize).map_or("nobody", |word| *word).to_owned();
                if event[3] & 1 == 1 && !what.starts_with("clock") {
                    what += "+hangup";
                }
                if error == 0 { what } else { format!("{what}={}", errno(error)) }
            })
            .collect();
        shown.sort();
        shown.join(" ")
    })
}
