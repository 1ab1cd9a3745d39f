//! A network in which nobody answers: no address, and no name server. The front-end gets one of its own, so that the machine's stays as it is.

use crate::Result;
use std::path::Path;
use std::process::Command;

/// Everything that is sent leaves by loopback and is for nobody there.
const SCRIPT: &str = r#"
ip link set lo up && ip route add default dev lo && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"
"#;

/// An address that is nobody's, by definition.
const NAME_SERVER: &str = "nameserver 192.0.2.53\n";

/// Whether this machine lets us make such networks.
#[must_use]
pub fn is_possible() -> bool {
    let made = Command::new("unshare").args(["--mount", "--net", "ip", "link", "set", "lo", "up"]).output();
    made.is_ok_and(|made| made.status.success())
}

/// The same command, in a network of its own.
pub(crate) fn within(command: &Command, resolver: &Path) -> Result<Command> {
    std::fs::write(resolver, NAME_SERVER).map_err(|error| format!("{}: {error}", resolver.display()))?;
    let mut wrapped = Command::new("unshare");
    wrapped.args(["--mount", "--net", "sh", "-c", SCRIPT, "sh"]).arg(resolver);
    wrapped.arg(command.get_program()).args(command.get_args());
    Ok(wrapped)
}
