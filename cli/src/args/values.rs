//! The forms of single values, where the model does not know them already.

use clap::builder::{OsStringValueParser, PossibleValuesParser, RangedI64ValueParser, TypedValueParser};
use clap_complete::Shell;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use wasmrt_model::component::ServeLimits;
use wasmrt_model::network::Published;
use wasmrt_model::stdio::{Input, Output};
use wasmrt_model::units::Bytes;
use wasmrt_model::{Access, AotPolicy, Clock, EngineChoice, Error, ErrorKind, IsolationLevel, Preopen, Random, Result};

/// One environment variable: `NAME=VALUE`, or `NAME` for the host's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Variable {
    /// This value.
    Set(String, String),
    /// What the host has under this name.
    Inherit(String),
}

impl FromStr for Variable {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let variable = match text.split_once('=') {
            Some((name, value)) => Self::Set(name.to_owned(), value.to_owned()),
            None => Self::Inherit(text.to_owned()),
        };
        match &variable {
            Self::Set(name, _) | Self::Inherit(name) if name.is_empty() => {
                Err(invalid(format!("'{text}' is not an environment variable: there is no name")))
            }
            _ => Ok(variable),
        }
    }
}

/// The size of a request's head.
pub(crate) fn header_bytes(text: &str) -> Result<Bytes> {
    let bounds = ServeLimits::HEADER_BYTES;
    let (least, most) = (Bytes(u64::from(*bounds.start())), Bytes(u64::from(*bounds.end())));
    let bytes: Bytes = text.parse()?;
    if (least..=most).contains(&bytes) {
        return Ok(bytes);
    }
    Err(invalid(format!("the head of a request may have {least} to {most}, not {bytes}")))
}

/// A number within these bounds.
pub(crate) fn count(bounds: RangeInclusive<u32>) -> RangedI64ValueParser<u32> {
    RangedI64ValueParser::new().range(i64::from(*bounds.start())..=i64::from(*bounds.end()))
}

/// Where a report goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReportTarget {
    /// To standard error, on one line.
    Stderr,
    /// To this file.
    File(PathBuf),
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}

/// `HOST[::GUEST[::ro|rw]]`.
pub(crate) fn directory(text: &str) -> Result<Preopen> {
    let wrong = |why: &str| {
        invalid(format!("'{text}' is not a directory: {why}"))
            .with_hint("the forms are HOST, HOST::GUEST, HOST::GUEST::ro and HOST::GUEST::rw")
    };
    let parts: Vec<&str> = text.split("::").collect();
    let (host, guest, access) = match parts.as_slice() {
        [host] => (*host, *host, Access::ReadWrite),
        [host, guest] => (*host, *guest, Access::ReadWrite),
        [host, guest, "ro"] => (*host, *guest, Access::ReadOnly),
        [host, guest, "rw"] => (*host, *guest, Access::ReadWrite),
        [_, _, access] => return Err(wrong(&format!("'{access}' is neither ro nor rw"))),
        _ => return Err(wrong("there are too many '::'")),
    };
    if host.is_empty() || guest.is_empty() {
        return Err(wrong("a path is empty"));
    }
    Ok(Preopen { host: host.into(), guest: guest.to_owned(), access })
}

/// A positive number of processors. It is only checked: nothing here can enforce it.
pub(crate) fn cpus(text: &str) -> Result<String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(text.to_owned()),
        _ => Err(invalid(format!("'{text}' is not a number of processors such as 0.5 or 2"))),
    }
}

/// `real` or seconds since 1970.
pub(crate) fn clock(text: &str) -> Result<Clock> {
    match text {
        "real" => Ok(Clock::Real),
        _ => text
            .parse()
            .map(|unix_seconds| Clock::Fixed { unix_seconds })
            .map_err(|_| invalid(format!("'{text}' is neither 'real' nor a whole number of seconds since 1970"))),
    }
}

/// `real` or a seed.
pub(crate) fn random(text: &str) -> Result<Random> {
    match text {
        "real" => Ok(Random::Real),
        _ => text
            .parse()
            .map(|seed| Random::Fixed { seed })
            .map_err(|_| invalid(format!("'{text}' is neither 'real' nor a whole number to take as a seed"))),
    }
}

/// `inherit`, `null` or a file to read. A file of such a name is `./null`.
pub(crate) fn input() -> impl TypedValueParser<Value = Input> {
    OsStringValueParser::new().map(|text| match text.to_str() {
        Some("inherit") => Input::Inherit,
        Some("null") => Input::Null,
        _ => Input::File(text.into()),
    })
}

/// `inherit`, `null` or a file to write. A file of such a name is `./null`.
pub(crate) fn output() -> impl TypedValueParser<Value = Output> {
    OsStringValueParser::new().map(|text| match text.to_str() {
        Some("inherit") => Output::Inherit,
        Some("null") => Output::Null,
        _ => Output::File(text.into()),
    })
}

/// `json` or a file. A file of that name is `./json`.
pub(crate) fn report() -> impl TypedValueParser<Value = ReportTarget> {
    OsStringValueParser::new().map(|text| match text.to_str() {
        Some("json") => ReportTarget::Stderr,
        _ => ReportTarget::File(text.into()),
    })
}

/// An engine's name, or `auto`.
pub(crate) fn engine() -> impl TypedValueParser<Value = EngineChoice> {
    PossibleValuesParser::new(["auto", "wasmedge", "wasmtime", "wasmer"]).try_map(|text| text.parse::<EngineChoice>())
}

/// An isolation level's name.
pub(crate) fn isolation() -> impl TypedValueParser<Value = IsolationLevel> {
    PossibleValuesParser::new(["process", "in-process"]).try_map(|text| text.parse::<IsolationLevel>())
}

/// When to compile.
pub(crate) fn aot() -> impl TypedValueParser<Value = AotPolicy> {
    PossibleValuesParser::new(["auto", "always", "cached", "never"]).try_map(|text| text.parse::<AotPolicy>())
}

/// An optimisation level.
pub(crate) fn optimize() -> impl TypedValueParser<Value = u8> {
    PossibleValuesParser::new(["0", "1", "2", "3"]).try_map(|text| text.parse::<u8>())
}

/// A shell that there are completions for.
pub(crate) fn shell() -> impl TypedValueParser<Value = Shell> {
    PossibleValuesParser::new(["bash", "zsh", "fish"]).try_map(|text| text.parse::<Shell>())
}

/// A listener: a port of the machine that is the same to the guest.
pub(crate) fn listener(text: &str) -> Result<Published> {
    if text == "fd://" {
        return text.parse();
    }
    let wrong = || {
        invalid(format!("'{text}' is no listener")).with_hint("the forms are 127.0.0.1:8080, [::1]:8080/udp and fd://")
    };
    let (address, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let address: std::net::SocketAddr = address.parse().map_err(|_| wrong())?;
    if address.port() == 0 {
        return Err(wrong()
            .with_hint("with a port that the system chooses, say which one it is to the guest: -p ADDRESS:0:PORT"));
    }
    format!("{address}:{}/{protocol}", address.port()).parse()
}
