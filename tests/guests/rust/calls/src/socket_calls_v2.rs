//! Carries out a script of WasmEdge's socket calls: the second edition, under the first one's names.

#[allow(dead_code, reason = "files have numbers and flags of their own")]
#[path = "abi.rs"]
mod abi;
#[path = "socket_abi.rs"]
mod socket_abi;
#[path = "socket_imports.rs"]
#[macro_use]
mod socket_imports;
#[path = "socket_lookup.rs"]
mod socket_lookup;
#[path = "socket_script.rs"]
mod socket_script;
#[allow(dead_code, reason = "files have numbers and flags of their own")]
#[path = "words.rs"]
mod words;

socket_imports! {
    sock_open = "sock_open" (family, kind, result);
    sock_bind = "sock_bind" (fd, address, port);
    sock_listen = "sock_listen" (fd, backlog);
    sock_connect = "sock_connect" (fd, address, port);
    sock_accept = "sock_accept" (fd, flags, result);
    sock_recv = "sock_recv" (fd, vectors, count, flags, length, flags_out);
    sock_recv_from = "sock_recv_from" (fd, vectors, count, address, flags, port, length, flags_out);
    sock_send = "sock_send" (fd, vectors, count, flags, length);
    sock_send_to = "sock_send_to" (fd, vectors, count, address, port, flags, length);
    sock_getlocaladdr = "sock_getlocaladdr" (fd, address, port);
    sock_getpeeraddr = "sock_getpeeraddr" (fd, address, port);
}

/// Whether accepting takes flags, and addresses come with their family and port.
const SECOND: bool = true;

fn main() {
    socket_script::main();
}
