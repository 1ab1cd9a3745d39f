//! `wasi:sockets`: what a component knows of the network, over sockets that another process opens under the rules.
//!
//! A socket is a record until it is bound or connected; only then somebody is asked for one. All of it is put in the place of wasmtime-wasi's
//! own, which opens sockets itself. The types of its handles stay: they are wasmtime-wasi's names for what is kept here.

mod connection;
mod names;
mod options;
mod tcp;
mod udp;

use super::network::{Network, system};
use super::state::State;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use wasmrt_host::network::Failure;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::sockets::network::{self, ErrorCode, IpAddressFamily};
use wasmtime_wasi::p2::bindings::sockets::{
    instance_network, ip_name_lookup, tcp as tcp_interface, tcp_create_socket, udp as udp_interface, udp_create_socket,
};
use wasmtime_wasi::p2::{Network as NetworkHandle, SocketError, SocketResult};

/// The interfaces of `wasi:sockets`, by whom they are implemented.
struct Sockets;

impl HasData for Sockets {
    type Data<'a> = SocketsView<'a>;
}

/// Puts these sockets in the place of wasmtime-wasi's.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let options = network::LinkOptions::default();
    network::add_to_linker::<State, Sockets>(linker, &options, State::sockets)?;
    instance_network::add_to_linker::<State, Sockets>(linker, State::sockets)?;
    ip_name_lookup::add_to_linker::<State, Sockets>(linker, State::sockets)?;
    tcp_interface::add_to_linker::<State, Sockets>(linker, State::sockets)?;
    tcp_create_socket::add_to_linker::<State, Sockets>(linker, State::sockets)?;
    udp_interface::add_to_linker::<State, Sockets>(linker, State::sockets)?;
    udp_create_socket::add_to_linker::<State, Sockets>(linker, State::sockets)
}

/// One guest's sockets.
pub(super) struct SocketsView<'a> {
    pub(super) table: &'a mut ResourceTable,
    pub(super) network: &'a Arc<Network>,
}

/// The network as a guest holds it. It stands for nothing: what is allowed is asked for each time.
struct Instance;

/// The handle of something under the name that the bindings have for it.
fn handle<N: 'static>(kept: &Resource<impl Send + 'static>) -> Resource<N> {
    Resource::new_own(kept.rep())
}

/// What is kept behind a handle of the bindings.
fn kept<T: 'static>(handle: &Resource<impl Send + 'static>) -> Resource<T> {
    Resource::new_own(handle.rep())
}

/// The same, for what is only looked at.
fn borrowed<T: 'static>(handle: &Resource<impl Send + 'static>) -> Resource<T> {
    Resource::new_borrow(handle.rep())
}

impl network::Host for SocketsView<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn network_error_code(&mut self, error: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        let error = self.table.get(&error)?;
        Ok(error.downcast_ref::<std::io::Error>().map(ErrorCode::from))
    }
}

impl network::HostNetwork for SocketsView<'_> {
    fn drop(&mut self, this: Resource<NetworkHandle>) -> wasmtime::Result<()> {
        self.table.delete(kept::<Instance>(&this))?;
        Ok(())
    }
}

impl instance_network::Host for SocketsView<'_> {
    fn instance_network(&mut self) -> wasmtime::Result<Resource<NetworkHandle>> {
        Ok(handle(&self.table.push(Instance)?))
    }
}

impl SocketsView<'_> {
    /// Whether this is a network: there is but one.
    fn check(&self, network: &Resource<NetworkHandle>) -> SocketResult<()> {
        self.table.get(&borrowed::<Instance>(network))?;
        Ok(())
    }
}

/// What a failure is to the guest. `what` was tried, for the list of what the rules refused.
fn code(network: &Network, what: &str, failure: &Failure) -> ErrorCode {
    network.note(what, failure);
    match failure {
        Failure::Denied(_) => ErrorCode::AccessDenied,
        Failure::System(errno) => ErrorCode::from(std::io::Error::from_raw_os_error(*errno)),
        Failure::NoName => ErrorCode::NameUnresolvable,
        _ => ErrorCode::Unknown,
    }
}

/// The same of the system's own error.
fn of_system(error: &std::io::Error) -> ErrorCode {
    match system(error) {
        Failure::System(errno) => ErrorCode::from(std::io::Error::from_raw_os_error(errno)),
        _ => ErrorCode::Unknown,
    }
}

/// Refuses addresses that sockets of this family do not have: others, and IPv4 addresses in IPv6 clothes.
fn check_family(family: IpAddressFamily, address: SocketAddr) -> SocketResult<()> {
    let fits = match (family, address.ip()) {
        (IpAddressFamily::Ipv4, IpAddr::V4(_)) => true,
        (IpAddressFamily::Ipv6, IpAddr::V6(v6)) => v6.to_ipv4().is_none() || v6.is_loopback() || v6.is_unspecified(),
        _ => false,
    };
    if fits { Ok(()) } else { Err(ErrorCode::InvalidArgument.into()) }
}

/// Refuses what is no peer: none, or none in particular.
fn check_peer(family: IpAddressFamily, peer: SocketAddr) -> SocketResult<()> {
    check_family(family, peer)?;
    if peer.port() == 0 || peer.ip().is_unspecified() { Err(ErrorCode::InvalidArgument.into()) } else { Ok(()) }
}

/// Refuses what stands for many hosts at once.
fn check_unicast(address: SocketAddr) -> SocketResult<()> {
    let many = match address.ip() {
        IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_multicast(),
    };
    if many { Err(ErrorCode::InvalidArgument.into()) } else { Ok(()) }
}

/// An address by which the system is asked to choose.
fn is_any(address: SocketAddr) -> bool {
    address.port() == 0 && address.ip().is_unspecified()
}

/// An address as the system has it.
fn address(found: rustix::io::Result<rustix::net::SocketAddrAny>) -> SocketResult<SocketAddr> {
    let found = found.map_err(std::io::Error::from)?;
    found.try_into().map_err(|_| ErrorCode::InvalidState.into())
}
