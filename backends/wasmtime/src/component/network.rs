//! The one place where a component's wish to reach something is asked about. Without rules everything is refused.

use wasmrt_model::{Error, ErrorKind, ModuleInfo, Result, RunPlan};
use wasmtime_wasi::WasiCtxBuilder;

/// Refuses rules that could not be kept.
pub(super) fn check(plan: &RunPlan, info: &ModuleInfo) -> Result<()> {
    let _ = info;
    if plan.network().is_denied() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unsupported, "network rules cannot be enforced for components in this version")
        .with_hint("leave them out: without rules every connection is refused"))
}

/// Closes the network: no address passes, and no name is looked up.
pub(super) fn apply(builder: &mut WasiCtxBuilder) {
    builder
        .socket_addr_check(|_, _| Box::pin(async { false }))
        .allow_ip_name_lookup(false)
        .allow_tcp(false)
        .allow_udp(false);
}
