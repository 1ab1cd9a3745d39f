//! `wasi:sockets/ip-name-lookup`. Which names may be asked for is known to whoever is asked.

use super::{SocketsView, borrowed, code, handle, kept};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use url::Host;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{self, ResolveAddressStream};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress};
use wasmtime_wasi::p2::{DynPollable, Network as NetworkHandle, Pollable, SocketResult, subscribe};

/// A name that is looked up, and as many of its addresses as the guest has had.
struct Lookup {
    answer: Shared<BoxFuture<'static, Result<Arc<[IpAddr]>, ErrorCode>>>,
    told: usize,
}

#[async_trait::async_trait]
impl Pollable for Lookup {
    async fn ready(&mut self) {
        let _answer = self.answer.clone().await;
    }
}

/// What is to be looked up: an address is its own answer. Names are in the letters that name servers know.
fn read(name: &str) -> SocketResult<Host> {
    if let Ok(v6) = name.parse::<Ipv6Addr>() {
        return Ok(Host::Ipv6(v6));
    }
    Host::parse(name).map_err(|_| ErrorCode::InvalidArgument.into())
}

impl ip_name_lookup::Host for SocketsView<'_> {
    fn resolve_addresses(
        &mut self,
        network: Resource<NetworkHandle>,
        name: String,
    ) -> SocketResult<Resource<ResolveAddressStream>> {
        self.check(&network)?;
        let network = Arc::clone(self.network);
        let answer = match read(&name)? {
            Host::Ipv4(address) => futures::future::ready(Ok(Arc::from([IpAddr::V4(address)]))).boxed(),
            Host::Ipv6(address) => futures::future::ready(Ok(Arc::from([IpAddr::V6(address)]))).boxed(),
            Host::Domain(name) => async move {
                // What is waited for is a descriptor, of which a guest has no more than of sockets.
                let _place = network.place("resolve-addresses").ok_or(ErrorCode::TemporaryResolverFailure)?;
                match network.resolve(name).await {
                    Ok(addresses) => Ok(addresses.iter().map(IpAddr::to_canonical).collect()),
                    Err(failure) => Err(code(&network, "resolve-addresses", &failure)),
                }
            }
            .boxed(),
        };
        Ok(handle(&self.table.push(Lookup { answer: answer.shared(), told: 0 })?))
    }
}

impl ip_name_lookup::HostResolveAddressStream for SocketsView<'_> {
    fn resolve_next_address(&mut self, this: Resource<ResolveAddressStream>) -> SocketResult<Option<IpAddress>> {
        let lookup = self.table.get_mut(&borrowed::<Lookup>(&this))?;
        let addresses = match lookup.answer.clone().now_or_never() {
            Some(answer) => answer?,
            None => return Err(ErrorCode::WouldBlock.into()),
        };
        let next = addresses.get(lookup.told).copied();
        lookup.told += usize::from(next.is_some());
        Ok(next.map(IpAddress::from))
    }

    fn subscribe(&mut self, this: Resource<ResolveAddressStream>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.table, borrowed::<Lookup>(&this))
    }

    fn drop(&mut self, this: Resource<ResolveAddressStream>) -> wasmtime::Result<()> {
        self.table.delete(kept::<Lookup>(&this))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_addresses_and_from_neither() {
        let read = |name: &str| read(name).ok().map(|host| host.to_string());
        assert_eq!(read("127.0.0.1").as_deref(), Some("127.0.0.1"));
        assert_eq!(read("::1").as_deref(), Some("[::1]"));
        assert_eq!(read("[::1]").as_deref(), Some("[::1]"));
        assert_eq!(read("Example.COM").as_deref(), Some("example.com"));
        assert_eq!(read("b\u{fc}cher.example").as_deref(), Some("xn--bcher-kva.example"));
        for name in ["", "a b", "example.com:80", "/etc/hosts", "[::1", "1.2.3.4.5", "a\0b"] {
            assert_eq!(read(name), None, "{name}");
        }
    }
}
