//! What the standard library has no way to say: the interface's own calls.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use wasi::sockets::instance_network::instance_network;
use wasi::sockets::ip_name_lookup::{ResolveAddressStream, resolve_addresses};
use wasi::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress};
use wasi::sockets::tcp::{ShutdownType, TcpSocket};
use wasi::sockets::tcp_create_socket::create_tcp_socket;

/// Binds, connects from there, and reads to the end what comes of a text: the address that the connection came from, and the text.
pub fn tcp_from(local: &str, peer: &str, text: &str) -> std::io::Result<String> {
    let network = instance_network();
    let socket = create_tcp_socket(IpAddressFamily::Ipv4).map_err(failed)?;
    socket.start_bind(&network, address(local)?).map_err(failed)?;
    done(&socket, TcpSocket::finish_bind)?;
    let bound = socket.local_address().map_err(failed)?;
    socket.start_connect(&network, address(peer)?).map_err(failed)?;
    let (input, output) = done(&socket, TcpSocket::finish_connect)?;
    let same = if shown(socket.local_address().map_err(failed)?) == shown(bound) { "the same" } else { "another" };
    output.blocking_write_and_flush(text.as_bytes()).map_err(|_| ErrorKind::BrokenPipe)?;
    socket.shutdown(ShutdownType::Send).map_err(failed)?;
    let mut came = Vec::new();
    while let Ok(more) = input.blocking_read(4096) {
        came.extend(more);
    }
    drop((input, output));
    Ok(format!("{} from {same} port", String::from_utf8_lossy(&came)))
}

/// A name that is being asked for. The answer may take as long as it likes.
pub fn start_resolving(name: &str) -> std::io::Result<ResolveAddressStream> {
    resolve_addresses(&instance_network(), name).map_err(failed)
}

/// Whether the answer is there, a refusal included.
pub fn is_resolved(answer: &ResolveAddressStream) -> bool {
    !matches!(answer.resolve_next_address(), Err(ErrorCode::WouldBlock))
}

fn done<T>(socket: &TcpSocket, finish: impl Fn(&TcpSocket) -> Result<T, ErrorCode>) -> std::io::Result<T> {
    loop {
        match finish(socket) {
            Err(ErrorCode::WouldBlock) => socket.subscribe().block(),
            finished => return finished.map_err(failed),
        }
    }
}

fn address(text: &str) -> std::io::Result<IpSocketAddress> {
    let Ok(SocketAddr::V4(v4)) = text.parse() else { return Err(ErrorKind::InvalidInput.into()) };
    let [a, b, c, d] = v4.ip().octets();
    Ok(IpSocketAddress::Ipv4(Ipv4SocketAddress { port: v4.port(), address: (a, b, c, d) }))
}

fn shown(address: IpSocketAddress) -> String {
    format!("{address:?}")
}

fn failed(code: ErrorCode) -> Error {
    match code {
        ErrorCode::AccessDenied => ErrorKind::PermissionDenied.into(),
        other => Error::other(format!("{other:?}")),
    }
}
