//! An HTTP server on WasmEdge's forks of tokio and hyper: what people port to WebAssembly, with their sockets and their polling.
//!
//! HOST (default 0.0.0.0) and PORT (default 8080) say where. `/health` answers `ok`, `/echo` what was sent, `/wait` a tenth of a second
//! later. After MAX_REQUESTS answers it ends with code 0; it ends with 1 when it cannot listen.

use hyper::server::conn::Http;
use hyper::service::service_fn;
use hyper::{Body, Method, Request, Response, StatusCode};
use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let at = format!("{}:{}", setting("HOST", "0.0.0.0"), setting("PORT", "8080"));
    let last: u64 = setting("MAX_REQUESTS", "0").parse().unwrap_or(0);
    let listener = match TcpListener::bind(&at).await {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("fork-server: {at}: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("listening on {at}");
    serve(listener, last).await
}

/// Serves until so many answers have been given and the connection of the last one has ended; 0 is for ever.
async fn serve(listener: TcpListener, last: u64) -> ! {
    let answered = Arc::new(AtomicU64::new(0));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                eprintln!("fork-server: {error}");
                continue;
            }
        };
        let answered = answered.clone();
        tokio::spawn(async move {
            let count = answered.clone();
            // With a last request to come, no connection is kept: its end is how the answer is known to be out.
            let service = service_fn(move |request| {
                let count = count.clone();
                async move {
                    let answer = answer(request).await;
                    count.fetch_add(1, Ordering::Relaxed);
                    Ok::<_, Infallible>(answer)
                }
            });
            let served = Http::new().http1_keep_alive(last == 0).serve_connection(stream, service).await;
            if let Err(error) = served {
                eprintln!("fork-server: {error}");
            }
            if last > 0 && answered.load(Ordering::Relaxed) >= last {
                // A task that wakes another one is not noticed by this fork until something else happens: the loop cannot be told to stop.
                std::process::exit(0);
            }
        });
    }
}

async fn answer(request: Request<Body>) -> Response<Body> {
    let status = |status| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        response
    };
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/health") => Response::new(Body::from("ok\n")),
        (&Method::POST, "/echo") => match hyper::body::to_bytes(request.into_body()).await {
            Ok(bytes) => Response::new(Body::from(bytes)),
            Err(_) => status(StatusCode::BAD_REQUEST),
        },
        (&Method::GET, "/wait") => {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Response::new(Body::from("ok\n"))
        }
        _ => status(StatusCode::NOT_FOUND),
    }
}
