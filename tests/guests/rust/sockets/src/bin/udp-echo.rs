//! Sends datagrams back to where they came from: HOST and PORT (0 for any) say where it listens, COUNT (default 1) how many it serves.
//!
//! SWAPPED_PORTS=true is for WasmEdge 0.14.1, which gives the sender's port with its bytes in the wrong order.
//!
//! Prints `listening on ADDRESS`, then `N bytes from ADDRESS` for each. How it ends: see `exit_code`.

use guest_sockets::{HostPort, exit_code, local_address, receive_from, setting};
use std::io;
use std::process::ExitCode;
use wasmedge_wasi_socket::socket::{AddressFamily, Socket, SocketType};

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("udp-echo: {error}");
            ExitCode::from(exit_code(&error))
        }
    }
}

fn serve() -> io::Result<()> {
    let at = HostPort::from_environment().address()?;
    let swapped = setting("SWAPPED_PORTS", false);
    let count: u64 = setting("COUNT", 1);
    let socket = Socket::new(AddressFamily::from(&at), SocketType::Datagram)?;
    socket.bind(&at)?;
    println!("listening on {}", local_address(&socket)?);
    let mut buffer = vec![0u8; 64 << 10];
    for _ in 0..count {
        let (length, mut from) = receive_from(&socket, &mut buffer)?;
        if swapped {
            from.set_port(from.port().swap_bytes());
        }
        socket.send_to(&buffer[..length], from)?;
        println!("{length} bytes from {from}");
    }
    Ok(())
}
