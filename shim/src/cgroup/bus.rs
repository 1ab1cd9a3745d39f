//! As much of D-Bus as it takes to ask systemd for something and to wait for its answer.
//!
//! The library that makes control groups has a client, too. It never closes a connection, lets what it forks have it, and over systemd's own socket it
//! often waits ten seconds for nothing: it sends its first call right behind the end of the greeting, where systemd may overlook it.

use std::io::{Error as IoError, ErrorKind as IoKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use wasmrt_model::{Error, ErrorKind, Result};

/// Systemd's own socket, which root may use, and the bus.
const SOCKETS: [(&str, bool); 2] = [("/run/systemd/private", false), ("/run/dbus/system_bus_socket", true)];

/// How long an answer may take: systemd may have much to do while a machine starts.
const PATIENCE: Duration = Duration::from_secs(30);

/// No answer of systemd's that is waited for here is as long.
const LONGEST: usize = 1 << 20;

const CALL: u8 = 1;
const ANSWER: u8 = 2;
const REFUSAL: u8 = 3;

/// A value that has a type of its own on the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Flag(bool),
    Number(u64),
    Text(String),
    Bytes(Vec<u8>),
    Processes(Vec<u32>),
}

impl Value {
    fn signature(&self) -> &'static str {
        match self {
            Self::Flag(_) => "b",
            Self::Number(_) => "t",
            Self::Text(_) => "s",
            Self::Bytes(_) => "ay",
            Self::Processes(_) => "au",
        }
    }
}

/// Arguments of a call.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    signature: String,
    body: Encoder,
}

impl Arguments {
    pub(super) fn text(mut self, text: &str) -> Self {
        self.signature.push('s');
        self.body.text(text);
        self
    }

    pub(super) fn flag(mut self, flag: bool) -> Self {
        self.signature.push('b');
        self.body.number(u32::from(flag));
        self
    }

    /// A unit's settings.
    pub(super) fn properties(mut self, properties: &[(&str, Value)]) -> Self {
        self.signature.push_str("a(sv)");
        self.body.array(8, |body| {
            for (name, value) in properties {
                body.align(8);
                body.text(name);
                body.variant(value);
            }
        });
        self
    }

    /// No units beside the one that is asked for.
    pub(super) fn nothing_else(mut self) -> Self {
        self.signature.push_str("a(sa(sv))");
        self.body.array(8, |_| ());
        self
    }
}

/// The way in which values are written, beginning at a multiple of eight bytes.
#[derive(Debug, Default)]
struct Encoder(Vec<u8>);

impl Encoder {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: u32) {
        self.align(4);
        self.0.extend(number.to_le_bytes());
    }

    fn length(&mut self, length: usize) {
        // Nothing that is sent comes near.
        self.number(u32::try_from(length).unwrap_or(u32::MAX));
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    fn signature(&mut self, signature: &str) {
        self.0.push(u8::try_from(signature.len()).unwrap_or(u8::MAX));
        self.0.extend(signature.as_bytes());
        self.0.push(0);
    }

    fn array(&mut self, align: usize, fill: impl FnOnce(&mut Self)) {
        self.number(0);
        let length = self.0.len() - 4;
        self.align(align);
        let start = self.0.len();
        fill(self);
        let bytes = u32::try_from(self.0.len() - start).unwrap_or(u32::MAX).to_le_bytes();
        if let Some(place) = self.0.get_mut(length..length + 4) {
            place.copy_from_slice(&bytes);
        }
    }

    fn variant(&mut self, value: &Value) {
        self.signature(value.signature());
        match value {
            Value::Flag(flag) => self.number(u32::from(*flag)),
            Value::Number(number) => {
                self.align(8);
                self.0.extend(number.to_le_bytes());
            }
            Value::Text(text) => self.text(text),
            Value::Bytes(bytes) => self.array(1, |body| body.0.extend(bytes)),
            Value::Processes(pids) => self.array(4, |body| pids.iter().for_each(|pid| body.number(*pid))),
        }
    }

    fn field(&mut self, code: u8, signature: &str, text: &str) {
        self.align(8);
        self.0.push(code);
        self.signature(signature);
        match signature {
            "g" => self.signature(text),
            _ => self.text(text),
        }
    }
}

/// What is called.
struct Target {
    destination: &'static str,
    path: &'static str,
    interface: &'static str,
}

const SYSTEMD: Target = Target {
    destination: "org.freedesktop.systemd1",
    path: "/org/freedesktop/systemd1",
    interface: "org.freedesktop.systemd1.Manager",
};

const BUS: Target =
    Target { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Missed {
    /// What was asked for was refused: the name of the refusal, and what was said.
    Refused(String, String),
    Io(IoError),
}

impl From<IoError> for Missed {
    fn from(error: IoError) -> Self {
        Self::Io(error)
    }
}

impl From<Missed> for Error {
    fn from(missed: Missed) -> Self {
        match missed {
            Missed::Refused(name, said) => Self::new(ErrorKind::Internal, format!("systemd refuses: {said} ({name})")),
            Missed::Io(source) => Self::io("cannot speak to systemd", source),
        }
    }
}

/// A connection to systemd.
#[derive(Debug)]
pub(super) struct Systemd {
    stream: UnixStream,
    calls: u32,
}

impl Systemd {
    pub(super) fn connect() -> Result<Self> {
        let mut failed = IoError::from(IoKind::NotFound);
        for (socket, is_bus) in SOCKETS {
            match Self::through(socket, is_bus) {
                Ok(systemd) => return Ok(systemd),
                Err(Missed::Io(error)) => failed = error,
                Err(refused) => return Err(refused.into()),
            }
        }
        Err(Missed::Io(failed).into())
    }

    fn through(socket: &str, is_bus: bool) -> Result<Self, Missed> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        // All at once, so that it has ended when it is answered. A user's number is written in the digits of its text.
        let user: String =
            rustix::process::geteuid().as_raw().to_string().bytes().map(|byte| format!("{byte:02x}")).collect();
        stream.write_all(format!("\0AUTH EXTERNAL {user}\r\nBEGIN\r\n").as_bytes())?;
        let mut said = Vec::new();
        while !said.ends_with(b"\r\n") && said.len() < 256 {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            said.extend(byte);
        }
        if !said.starts_with(b"OK") {
            return Err(Missed::Refused("AUTH".to_owned(), String::from_utf8_lossy(&said).trim().to_owned()));
        }
        let mut systemd = Self { stream, calls: 0 };
        if is_bus {
            systemd.ask(&BUS, "Hello", Arguments::default())?;
        }
        Ok(systemd)
    }

    /// Has it do something, and waits until it says that it has, or will.
    pub(super) fn call(&mut self, method: &str, arguments: Arguments) -> Result<(), Missed> {
        self.ask(&SYSTEMD, method, arguments)
    }

    fn ask(&mut self, target: &Target, method: &str, arguments: Arguments) -> Result<(), Missed> {
        self.calls += 1;
        let Arguments { signature, body } = arguments;
        let mut message = Encoder(vec![b'l', CALL, 0, 1]);
        message.length(body.0.len());
        message.number(self.calls);
        message.array(8, |fields| {
            fields.field(1, "o", target.path);
            fields.field(2, "s", target.interface);
            fields.field(3, "s", method);
            fields.field(6, "s", target.destination);
            if !signature.is_empty() {
                fields.field(8, "g", &signature);
            }
        });
        message.align(8);
        message.0.extend(body.0);
        self.stream.write_all(&message.0)?;
        loop {
            let (kind, fields, body) = self.read()?;
            if fields.answers != Some(self.calls) {
                // Signals that nobody has asked for come, too.
                continue;
            }
            match kind {
                ANSWER => return Ok(()),
                REFUSAL => {
                    let said = Decoder(&body, 0).text().unwrap_or_default();
                    return Err(Missed::Refused(fields.error.unwrap_or_default(), said));
                }
                _ => {}
            }
        }
    }

    fn read(&mut self) -> Result<(u8, Fields, Vec<u8>), IoError> {
        let mut head = [0; 16];
        self.stream.read_exact(&mut head)?;
        let mut numbers = Decoder(&head, 4);
        let wrong = || IoError::from(IoKind::InvalidData);
        let mut length = || numbers.number().and_then(|number| usize::try_from(number).ok()).ok_or_else(wrong);
        let (body, _serial, fields) = (length()?, length()?, length()?);
        if head[0] != b'l' || body.max(fields) > LONGEST {
            return Err(wrong());
        }
        // The fields begin where the numbers end, at sixteen.
        let mut all = vec![0; fields.next_multiple_of(8) + body];
        self.stream.read_exact(&mut all)?;
        let body = all.split_off(fields.next_multiple_of(8));
        all.truncate(fields);
        Ok((head[1], Fields::read(&all).ok_or_else(wrong)?, body))
    }
}

/// What is of interest in a message's head.
#[derive(Debug, Default, PartialEq, Eq)]
struct Fields {
    answers: Option<u32>,
    error: Option<String>,
}

impl Fields {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut decoder = Decoder(bytes, 0);
        let mut fields = Self::default();
        while decoder.1 < bytes.len() {
            decoder.align(8);
            let code = decoder.byte()?;
            match decoder.signature()?.as_str() {
                "u" => {
                    let number = decoder.number()?;
                    if code == 5 {
                        fields.answers = Some(number);
                    }
                }
                "s" | "o" => {
                    let text = decoder.text()?;
                    if code == 4 {
                        fields.error = Some(text);
                    }
                }
                "g" => drop(decoder.signature()?),
                _ => return None,
            }
        }
        Some(fields)
    }
}

/// Bytes, and how far they are read.
struct Decoder<'a>(&'a [u8], usize);

impl Decoder<'_> {
    fn align(&mut self, to: usize) {
        self.1 = self.1.next_multiple_of(to);
    }

    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let taken = self.0.get(self.1..self.1.checked_add(count)?)?;
        self.1 += count;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u32> {
        self.align(4);
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn string(&mut self, length: usize) -> Option<String> {
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.byte().map(|_| text)
    }

    fn text(&mut self) -> Option<String> {
        let length = self.number()?;
        self.string(usize::try_from(length).ok()?)
    }

    fn signature(&mut self) -> Option<String> {
        let length = self.byte()?;
        self.string(usize::from(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_the_bus_reads_them() {
        let Arguments { signature, body } = Arguments::default()
            .text("a.scope")
            .properties(&[("PIDs", Value::Processes(vec![7])), ("On", Value::Flag(true)), ("Max", Value::Number(9))])
            .nothing_else();
        assert_eq!(signature, "sa(sv)a(sa(sv))");
        let expected = [
            &b"\x07\0\0\0a.scope\0"[..],
            // The list: its length, up to the end of the last number.
            &[64, 0, 0, 0],
            b"\x04\0\0\0PIDs\0\x02au\0\0\0\0\x04\0\0\0\x07\0\0\0",
            b"\x02\0\0\0On\0\x01b\0\0\0\x01\0\0\0",
            b"\x03\0\0\0Max\0\x01t\0\0\0\0\0\0\x09\0\0\0\0\0\0\0",
            &[0; 8],
        ];
        assert_eq!(body.0.len() % 8, 0);
        assert_eq!(body.0, expected.concat());
    }

    #[test]
    fn answers_are_told_from_what_else_comes() {
        let mut fields = Encoder::default();
        fields.field(6, "s", ":1.5");
        fields.align(8);
        fields.0.push(5);
        fields.signature("u");
        fields.number(3);
        fields.field(4, "s", "org.freedesktop.systemd1.NoSuchUnit");
        fields.field(8, "g", "s");
        let read = Fields::read(&fields.0).unwrap();
        assert_eq!(read, Fields { answers: Some(3), error: Some("org.freedesktop.systemd1.NoSuchUnit".to_owned()) });
        for cut in 1..fields.0.len() {
            // Whatever comes, it ends.
            let _ = Fields::read(&fields.0[..cut]);
        }
        assert!(Fields::read(&[1, 2, b'a', b'y', 0]).is_none());
    }
}
