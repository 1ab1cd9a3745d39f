//! The one place where a component's wish to reach something is asked about. Without rules everything is refused.

use std::future::Future;
use wasmrt_model::{Error, ErrorKind, ModuleInfo, Result, RunPlan};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi_http::{Error as HttpError, RequestOptions, WasiBody, WasiHttpHooks};

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

/// A response that is being received, and what goes on receiving its body.
type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), HttpError>> + Send>);

/// Outgoing HTTP requests: all of them are refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outgoing;

impl WasiHttpHooks for Outgoing {
    fn send_request(
        &mut self,
        _request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _sent: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, HttpError>> + Send> {
        Box::new(async { Err(HttpError::HttpRequestDenied) })
    }
}
