//! What a guest is given: environment, files, network.

use super::{set, wasmrt_spec_t};
use crate::boundary::{ErrorOut, Text, invalid};
use wasmrt_runtime::model::{Access, Preopen};

/// A variable of the guest's environment. A later value takes the place of an earlier one.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_set_env(
    spec: Option<&mut wasmrt_spec_t>,
    name: Text<'_>,
    value: Text<'_>,
    error: ErrorOut<'_>,
) -> bool {
    set(spec, error, |spec| {
        spec.env.set.insert(name.read("name")?.to_owned(), value.read("value")?.to_owned());
        Ok(())
    })
}

/// A variable of this program's environment that the guest is to have, with its value at the start of the run; left out when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_inherit_env(
    spec: Option<&mut wasmrt_spec_t>,
    name: Text<'_>,
    error: ErrorOut<'_>,
) -> bool {
    set(spec, error, |spec| {
        spec.env.inherit.push(name.read("name")?.to_owned());
        Ok(())
    })
}

/// A file or directory of this machine under a path of the guest; `access` is "ro" or "rw".
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_add_preopen(
    spec: Option<&mut wasmrt_spec_t>,
    host: Text<'_>,
    guest: Text<'_>,
    access: Text<'_>,
    error: ErrorOut<'_>,
) -> bool {
    set(spec, error, |spec| {
        let access = match access.read("access")? {
            "ro" => Access::ReadOnly,
            "rw" => Access::ReadWrite,
            other => return Err(invalid(format!("'{other}' is neither ro nor rw"))),
        };
        spec.preopens.push(Preopen { host: host.path("host")?.into(), guest: guest.read("guest")?.to_owned(), access });
        Ok(())
    })
}

/// Something that the guest may do on the network: "connect=HOST[:PORTS]", "listen=ADDRESS:PORT" or "resolve=NAME". Nothing is allowed by default.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_allow_network(
    spec: Option<&mut wasmrt_spec_t>,
    rule: Text<'_>,
    error: ErrorOut<'_>,
) -> bool {
    set(spec, error, |spec| {
        spec.network.allow.push(rule.read("rule")?.parse()?);
        Ok(())
    })
}

/// A port of this machine that is the guest's: "[ADDRESS:]PORT:GUEST_PORT[/udp]", or "fd://" for sockets that systemd passed on.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_publish_port(
    spec: Option<&mut wasmrt_spec_t>,
    port: Text<'_>,
    error: ErrorOut<'_>,
) -> bool {
    set(spec, error, |spec| {
        spec.network.publish.push(port.read("port")?.parse()?);
        Ok(())
    })
}
