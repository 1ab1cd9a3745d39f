//! The limits, one file each: unit, default and what it does not cover.
//!
//! [`LimitsSpec`] is what was asked for (a field left out means the default), [`Limits`] is what holds. "Unlimited" is a
//! value of its own, spelled out in JSON and on the command line; it is never a missing value.

pub mod call_depth;
pub mod compile_time;
pub mod cpu_time;
pub mod fuel;
pub mod listen_backlog;
pub mod memory_bytes;
pub mod module_bytes;
pub mod open_files;
pub mod open_sockets;
pub mod output_bytes;
pub mod received_bytes;
pub mod sent_bytes;
pub mod table_elements;
pub mod wall_time;
pub mod written_bytes;

use crate::units::{Bytes, Count, Span};
use crate::{Error, ErrorKind, Result};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// A bound, or explicitly none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit<T> {
    /// At most this much.
    At(T),
    /// As much as the machine gives.
    Unlimited,
}

impl<T: Copy + Ord> Limit<T> {
    /// The bound, if there is one.
    #[must_use]
    pub fn bound(self) -> Option<T> {
        match self {
            Self::At(bound) => Some(bound),
            Self::Unlimited => None,
        }
    }

    /// Whether this allows more than `other`.
    #[must_use]
    pub fn exceeds(self, other: Self) -> bool {
        match (self, other) {
            (_, Self::Unlimited) => false,
            (Self::Unlimited, Self::At(_)) => true,
            (Self::At(mine), Self::At(theirs)) => mine > theirs,
        }
    }

    /// The tighter of both.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        if self.exceeds(other) { other } else { self }
    }
}

const UNLIMITED: &str = "unlimited";

impl<T: fmt::Display> fmt::Display for Limit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(bound) => bound.fmt(f),
            Self::Unlimited => f.write_str(UNLIMITED),
        }
    }
}

impl<T: FromStr<Err = Error>> FromStr for Limit<T> {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == UNLIMITED {
            return Ok(Self::Unlimited);
        }
        text.parse().map(Self::At).map_err(|error: Error| {
            Error::new(ErrorKind::InvalidInput, format!("{}, or '{UNLIMITED}'", error.message()))
        })
    }
}

impl<T: Serialize> Serialize for Limit<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::At(bound) => bound.serialize(serializer),
            Self::Unlimited => serializer.serialize_str(UNLIMITED),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Limit<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        if value.as_str() == Some(UNLIMITED) {
            return Ok(Self::Unlimited);
        }
        T::deserialize(value).map(Self::At).map_err(serde::de::Error::custom)
    }
}

impl<T: JsonSchema> JsonSchema for Limit<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Limit_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let bound = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [bound, { "const": UNLIMITED }] })
    }
}

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident: $quantity:ident,)*) => {
        /// What was asked for. A field left out means the default.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct LimitsSpec {
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<Limit<$quantity>>,)*
        }

        /// What holds: every limit has a value.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Limits { $($(#[$doc])* pub $name: Limit<$quantity>,)* }

        impl LimitsSpec {
            /// As upper bounds: one that is left out is none.
            #[must_use]
            pub fn or_unlimited(self) -> Limits {
                Limits { $($name: self.$name.unwrap_or(Limit::Unlimited),)* }
            }

            /// These, and where one is left out, that of `others`.
            #[must_use]
            pub fn or(self, others: Self) -> Self {
                Self { $($name: self.$name.or(others.$name),)* }
            }

            /// These, lowered to upper bounds. What is left out stays so.
            #[must_use]
            pub fn at_most(self, bounds: &Limits) -> Self {
                Self { $($name: self.$name.map(|limit| limit.min(bounds.$name)),)* }
            }
        }

        /// Asks for exactly these.
        impl From<Limits> for LimitsSpec {
            fn from(limits: Limits) -> Self {
                Self { $($name: Some(limits.$name),)* }
            }
        }

        /// The defaults of each limit's own file.
        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $name::DEFAULT,)* }
            }
        }

        impl Limits {
            /// The names of all limits, as in JSON.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name),)*];

            /// No limit at all: the ceiling of somebody who sets none.
            pub const UNLIMITED: Self = Self { $($name: Limit::Unlimited,)* };

            /// The tighter one of each limit.
            #[must_use]
            pub fn min(self, others: Self) -> Self {
                Self { $($name: self.$name.min(others.$name),)* }
            }

            /// What holds for a request under a ceiling: defaults are lowered to the ceiling.
            ///
            /// # Errors
            /// `Denied` when a limit was asked for above the ceiling; `InvalidInput` when one is out of its range.
            pub fn resolve(asked: &LimitsSpec, ceiling: &Self) -> Result<Self> {
                Ok(Self { $($name: {
                    if let Some(Limit::At(value)) = asked.$name {
                        if value < $name::MINIMUM {
                            return Err(Error::new(
                                ErrorKind::InvalidInput,
                                format!(concat!(stringify!($name), " must be at least {}, not {}"), $name::MINIMUM, value),
                            ));
                        }
                    }
                    match asked.$name {
                        Some(asked) if asked.exceeds(ceiling.$name) => return Err(Error::new(
                            ErrorKind::Denied,
                            format!(concat!(stringify!($name), " {} is above the ceiling of {}"), asked, ceiling.$name),
                        )),
                        Some(asked) => asked,
                        None => $name::DEFAULT.min(ceiling.$name),
                    }
                },)* })
            }
        }
    };
}

limits! {
    /// Sum of all linear memories. Default 512 MiB.
    memory_bytes: Bytes,
    /// Sum of all table elements. Default 1 Mi.
    table_elements: Count,
    /// Nested calls; functions with large frames count more than once. Default 32,768.
    call_depth: Count,
    /// Units of fuel, by one cost table on every engine. Default unlimited.
    fuel: Count,
    /// Processor time of the run, user and system. Default unlimited.
    cpu_time: Span,
    /// Wall-clock time of the run. Default unlimited.
    wall_time: Span,
    /// Sum of what is written to stdout and stderr. Default 64 MiB when one of them is captured, else unlimited.
    output_bytes: Bytes,
    /// Files, directories and sockets open at once, stdio included. Default 256.
    open_files: Count,
    /// Sum of what is written to files. Default unlimited.
    written_bytes: Bytes,
    /// Sockets open at once, listeners included. Default 128.
    open_sockets: Count,
    /// Connections that may wait to be accepted, for each listener. Default 128.
    listen_backlog: Count,
    /// Sum of what is received over the network. Default unlimited.
    received_bytes: Bytes,
    /// Sum of what is sent over the network. Default unlimited.
    sent_bytes: Bytes,
    /// Size of the module. Default 256 MiB.
    module_bytes: Bytes,
    /// Wall-clock time of preparing and compiling. Default 120 s.
    compile_time: Span,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unlimited_is_spelled_out() {
        assert_eq!("unlimited".parse::<Limit<Bytes>>().unwrap(), Limit::Unlimited);
        assert_eq!("1k".parse::<Limit<Bytes>>().unwrap(), Limit::At(Bytes(1024)));
        assert!("none".parse::<Limit<Bytes>>().is_err());
        assert_eq!(serde_json::to_string(&Limit::<Bytes>::Unlimited).unwrap(), "\"unlimited\"");
        assert!(serde_json::from_str::<LimitsSpec>("{\"memory\": 1}").is_err());
    }

    #[test]
    fn a_request_above_the_ceiling_is_denied_and_a_default_is_lowered() {
        let ceiling = Limits { memory_bytes: Limit::At(Bytes::mebi(64)), ..Limits::UNLIMITED };
        let resolved = Limits::resolve(&LimitsSpec::default(), &ceiling).unwrap();
        assert_eq!(resolved.memory_bytes, Limit::At(Bytes::mebi(64)));
        for asked in [Limit::At(Bytes::mebi(65)), Limit::Unlimited] {
            let spec = LimitsSpec { memory_bytes: Some(asked), ..LimitsSpec::default() };
            assert_eq!(Limits::resolve(&spec, &ceiling).unwrap_err().kind(), ErrorKind::Denied);
        }
        let spec = LimitsSpec { memory_bytes: Some(Limit::At(Bytes::mebi(64))), ..LimitsSpec::default() };
        assert!(Limits::resolve(&spec, &ceiling).is_ok());
    }

    #[test]
    fn requests_are_put_together_and_lowered_field_by_field() {
        let spec = |fuel, memory_bytes| LimitsSpec { fuel, memory_bytes, ..LimitsSpec::default() };
        let some = |count| Some(Limit::At(Count(count)));
        let both = spec(some(7), None).or(spec(some(9), Some(Limit::Unlimited)));
        assert_eq!(both, spec(some(7), Some(Limit::Unlimited)));
        let bounds = Limits { memory_bytes: Limit::At(Bytes(5)), ..Limits::UNLIMITED };
        assert_eq!(both.at_most(&bounds), spec(some(7), Some(Limit::At(Bytes(5)))));
        assert_eq!(LimitsSpec::default().at_most(&bounds), LimitsSpec::default());
        let other = Limits { fuel: Limit::At(Count(1)), memory_bytes: Limit::At(Bytes(6)), ..Limits::UNLIMITED };
        assert_eq!(bounds.min(other), Limits { fuel: Limit::At(Count(1)), ..bounds });
    }
}
