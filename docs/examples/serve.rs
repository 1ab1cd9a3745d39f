use std::io::{Read, Write};
use std::net::TcpListener;

fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:8080")?;
    for connection in listener.incoming() {
        let mut connection = connection?;
        connection.read(&mut [0; 4096])?;
        connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")?;
    }
    Ok(())
}
