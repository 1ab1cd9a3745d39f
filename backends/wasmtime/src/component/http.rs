//! Outgoing requests of `wasi:http`, over connections that another process opens under the rules.

mod metered;
mod tls;

use super::body::{Look, Polled, Seen};
use super::network::{Network, system};
use super::quota::Place;
use http::uri::Scheme;
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use metered::Metered;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tls::Spoken;
pub(super) use tls::Trust;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::Sleep;
use wasmrt_host::network::Failure;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error as HttpError, RequestOptions, WasiBody, WasiHttpHooks};

/// What a guest that sets no timeouts of its own waits for at most, for each of them.
const USUAL_TIMEOUT: Duration = Duration::from_secs(600);

/// The requests of one guest.
#[derive(Clone)]
pub(super) struct Requests {
    network: Arc<Network>,
    trust: Arc<Trust>,
}

impl Requests {
    pub(super) fn new(network: Arc<Network>, trust: Arc<Trust>) -> Self {
        Self { network, trust }
    }

    /// What a failure is to the guest.
    fn failed(&self, failure: &Failure) -> HttpError {
        self.network.note("outgoing request", failure);
        match failure {
            Failure::Denied(_) => HttpError::HttpRequestDenied,
            Failure::NoName => HttpError::DnsError { rcode: None, info_code: None },
            Failure::System(errno) => {
                let error = std::io::Error::from_raw_os_error(*errno);
                match error.kind() {
                    std::io::ErrorKind::ConnectionRefused => HttpError::ConnectionRefused,
                    _ => HttpError::Connect(error),
                }
            }
            _ => HttpError::DestinationUnavailable,
        }
    }

    /// A connection to the first address of the host that takes one.
    async fn connect(&self, host: String, port: u16) -> Result<TcpStream, HttpError> {
        let addresses: Vec<IpAddr> = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => self.network.resolve(host).await.map_err(|failure| self.failed(&failure))?,
        };
        let mut failed = HttpError::DestinationNotFound;
        for address in addresses {
            match self.connect_to(SocketAddr::new(address, port)).await {
                Ok(stream) => return Ok(stream),
                Err(failure) => failed = self.failed(&failure),
            }
        }
        Err(failed)
    }

    /// The same, with a server that is whom the URL names where it is to be.
    async fn open(&self, host: String, port: u16, secure: bool) -> Result<Spoken, HttpError> {
        let stream = Metered::new(self.connect(host.clone(), port).await?, Arc::clone(&self.network));
        if !secure {
            return Ok(Spoken::Plain(stream));
        }
        if self.trust.is_empty() {
            self.network.note_line(|| {
                "outgoing request: this machine has no certificates by which a server could be known; SSL_CERT_FILE names a file of them".to_owned()
            });
        }
        self.trust.connect(stream, host).await
    }

    async fn connect_to(&self, peer: SocketAddr) -> Result<TcpStream, Failure> {
        let socket = self.network.start_connecting(None, peer).await?;
        let stream = TcpStream::from_std(socket.into()).map_err(|error| system(&error))?;
        // It is being connected; when it is writable it has been, or has failed.
        stream.writable().await.map_err(|error| system(&error))?;
        match stream.take_error() {
            Ok(None) => Ok(stream),
            Ok(Some(error)) | Err(error) => Err(system(&error)),
        }
    }

    async fn send(self, request: http::Request<WasiBody>, options: Option<RequestOptions>) -> Result<Sent, HttpError> {
        let uri = request.uri();
        let usual_port = tls::port(uri.scheme()).ok_or(HttpError::HttpRequestUriInvalid)?;
        let secure = uri.scheme() == Some(&Scheme::HTTPS);
        let authority = uri.authority().ok_or(HttpError::HttpRequestUriInvalid)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(usual_port);
        let timeout = |chosen: Option<Duration>| chosen.unwrap_or(USUAL_TIMEOUT);
        let connect_timeout = timeout(options.and_then(|options| options.connect_timeout));
        let first_byte = timeout(options.and_then(|options| options.first_byte_timeout));
        let between = timeout(options.and_then(|options| options.between_bytes_timeout));
        let place = self.network.place("outgoing request").ok_or(HttpError::ConnectionLimitReached)?;
        let stream = tokio::time::timeout(connect_timeout, self.open(host, port, secure))
            .await
            .map_err(|_| HttpError::ConnectionTimeout)??;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = Connected { task: tokio::spawn(connection), _place: place };
        // A server is told what comes after its name.
        let (mut parts, body) = request.into_parts();
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        parts.uri = target.parse().map_err(|_| HttpError::HttpRequestUriInvalid)?;
        let sent = sender.send_request(http::Request::from_parts(parts, body));
        let response = tokio::time::timeout(first_byte, sent).await.map_err(|_| HttpError::ConnectionReadTimeout)??;
        let response = response.map(|body| Seen::new(body, Pace::new(between)).boxed_unsync());
        Ok((response, Box::new(connection)))
    }
}

/// A connection that is driven by a task of its own, for as long as somebody waits for its end.
struct Connected {
    task: JoinHandle<Result<(), hyper::Error>>,
    _place: Place,
}

impl Future for Connected {
    type Output = Result<(), HttpError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.task).poll(context).map(|ended| match ended {
            Ok(ended) => ended.map_err(HttpError::from),
            Err(_) => Err(HttpError::ConnectionTerminated),
        })
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ends the body of a response whose parts are further apart than this.
struct Pace {
    between: Duration,
    patience: Pin<Box<Sleep>>,
}

impl Pace {
    fn new(between: Duration) -> Self {
        Self { between, patience: Box::pin(tokio::time::sleep(between)) }
    }
}

impl Look for Pace {
    fn polled(&mut self, polled: Polled, context: &mut Context<'_>) -> Polled {
        if polled.is_ready() {
            let next = tokio::time::Instant::now() + self.between;
            self.patience.as_mut().reset(next);
            return polled;
        }
        self.patience.as_mut().poll(context).map(|()| Some(Err(HttpError::ConnectionReadTimeout)))
    }
}

/// A response that is being received, and what goes on receiving its body.
type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), HttpError>> + Send>);

impl WasiHttpHooks for Requests {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _sent: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, HttpError>> + Send> {
        Box::new(self.clone().send(request, options))
    }
}
