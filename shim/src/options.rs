//! What containerd passes on of its configuration: the options of a runtime, in any of the shapes that its versions have.

use containerd_shim::protos::protobuf::{CodedInputStream, Message, well_known_types::any::Any};
use containerd_shim::protos::shim::oci::Options as RuncOptions;
use serde::Deserialize;
use std::path::PathBuf;
use wasmrt_model::{Error, ErrorKind, Result};

/// Options of the kind that any runtime may have.
const GENERIC: &str = "runtimeoptions.v1.Options";

/// What of it means something here. The rest is for other runtimes, and passed on whoever runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RuntimeOptions {
    /// Where our own configuration is.
    pub(crate) config_path: Option<PathBuf>,
    /// Whether systemd keeps control groups.
    pub(crate) systemd_cgroup: bool,
}

/// As an operator writes them below `[...runtimes.NAME.options]`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Written {
    systemd_cgroup: bool,
    config_path: Option<PathBuf>,
}

impl RuntimeOptions {
    /// # Errors
    /// `InvalidInput` for what cannot be read.
    pub(crate) fn read(any: Option<&Any>) -> Result<Self> {
        let Some(any) = any.filter(|any| !any.value.is_empty()) else { return Ok(Self::default()) };
        if any.type_url.ends_with(GENERIC) {
            return Self::generic(&any.value);
        }
        let options = RuncOptions::parse_from_bytes(&any.value)
            .map_err(|source| unreadable(&any.type_url).with_source(source))?;
        Ok(Self { config_path: None, systemd_cgroup: options.systemd_cgroup })
    }

    /// Fields: 1 what the configuration is, 2 where it is, 3 the configuration itself.
    fn generic(bytes: &[u8]) -> Result<Self> {
        let wrong = |source| unreadable(GENERIC).with_source(source);
        let mut stream = CodedInputStream::from_bytes(bytes);
        let mut options = Self::default();
        while let Some(tag) = stream.read_raw_tag_or_eof().map_err(wrong)? {
            let (path_field, body_field) = (field_of_bytes(2), field_of_bytes(3));
            if tag == path_field {
                let path = stream.read_string().map_err(wrong)?;
                options.config_path = (!path.is_empty()).then(|| PathBuf::from(path));
            } else if tag == body_field {
                let body = stream.read_bytes().map_err(wrong)?;
                let body = String::from_utf8_lossy(&body).into_owned();
                let written: Written =
                    toml::from_str(&body).map_err(|source| unreadable("options").with_source(source))?;
                options.systemd_cgroup |= written.systemd_cgroup;
                options.config_path = options.config_path.or(written.config_path);
            } else {
                skip(tag, &mut stream).map_err(wrong)?;
            }
        }
        Ok(options)
    }
}

/// The tag of a field that has a length and bytes.
fn field_of_bytes(number: u32) -> u32 {
    number << 3 | 2
}

fn skip(tag: u32, stream: &mut CodedInputStream<'_>) -> Result<(), containerd_shim::protos::protobuf::Error> {
    containerd_shim::protos::protobuf::rt::skip_field_for_tag(tag, stream)
}

fn unreadable(what: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, format!("the runtime's options ({what}) cannot be read"))
        .with_hint("look at the options of this runtime in containerd's configuration")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(type_url: &str, value: &[u8]) -> Any {
        Any { type_url: type_url.to_owned(), value: value.to_vec(), ..Any::default() }
    }

    #[test]
    fn all_shapes_of_options_are_read() {
        assert_eq!(RuntimeOptions::read(None).unwrap(), RuntimeOptions::default());
        let mut runc = RuncOptions::new();
        runc.systemd_cgroup = true;
        runc.binary_name = "runc".to_owned();
        let runc = any("containerd.runc.v1.Options", &runc.write_to_bytes().unwrap());
        assert!(RuntimeOptions::read(Some(&runc)).unwrap().systemd_cgroup);
        let mut generic = vec![0x0a, 1, b'x', 0x12, 6];
        generic.extend(b"/a.cfg");
        let body = b"BinaryName = \"crun\"\nSystemdCgroup = true\n";
        generic.extend([0x1a, u8::try_from(body.len()).unwrap()]);
        generic.extend(body);
        let read = RuntimeOptions::read(Some(&any("runtimeoptions.v1.Options", &generic))).unwrap();
        assert_eq!(read, RuntimeOptions { config_path: Some("/a.cfg".into()), systemd_cgroup: true });
        for wrong in [&[0x12, 200][..], &[0x1a, 2, b'=', b'='], &[0xff]] {
            assert!(RuntimeOptions::read(Some(&any("runtimeoptions.v1.Options", wrong))).is_err());
        }
    }
}
