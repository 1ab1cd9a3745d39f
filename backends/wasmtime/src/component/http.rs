//! Outgoing requests of `wasi:http`, over connections that another process opens under the rules.

use super::network::{Network, system};
use super::quota::Place;
use bytes::Bytes;
use http::uri::Scheme;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::Sleep;
use wasmrt_host::network::Failure;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error as HttpError, RequestOptions, WasiBody, WasiHttpHooks};

mod metered;

use metered::Metered;

/// What a guest that sets no timeouts of its own waits for at most, for each of them.
const USUAL_TIMEOUT: Duration = Duration::from_secs(600);

/// The requests of one guest.
#[derive(Clone)]
pub(super) struct Requests {
    network: Arc<Network>,
}

impl Requests {
    pub(super) fn new(network: Arc<Network>) -> Self {
        Self { network }
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

    async fn connect_to(&self, peer: SocketAddr) -> Result<TcpStream, Failure> {
        let socket = self.network.start_connecting(peer).await?;
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
        if uri.scheme() == Some(&Scheme::HTTPS) {
            return Err(HttpError::InternalError(Some(
                "https is not offered: requests go out as http only".to_owned(),
            )));
        }
        let authority = uri.authority().ok_or(HttpError::HttpRequestUriInvalid)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(80);
        let timeout = |chosen: Option<Duration>| chosen.unwrap_or(USUAL_TIMEOUT);
        let connect_timeout = timeout(options.and_then(|options| options.connect_timeout));
        let first_byte = timeout(options.and_then(|options| options.first_byte_timeout));
        let between = timeout(options.and_then(|options| options.between_bytes_timeout));
        let place = self.network.sockets.take().ok_or(HttpError::ConnectionLimitReached)?;
        let stream = tokio::time::timeout(connect_timeout, self.connect(host, port))
            .await
            .map_err(|_| HttpError::ConnectionTimeout)??;
        let stream = Metered::new(stream, Arc::clone(&self.network));
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = Connected { task: tokio::spawn(connection), _place: place };
        // A server is told what comes after its name.
        let (mut parts, body) = request.into_parts();
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        parts.uri = target.parse().map_err(|_| HttpError::HttpRequestUriInvalid)?;
        let sent = sender.send_request(http::Request::from_parts(parts, body));
        let response = tokio::time::timeout(first_byte, sent).await.map_err(|_| HttpError::ConnectionReadTimeout)??;
        let response = response.map(|body| Paced::new(body, between).boxed_unsync());
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

/// The body of a response, whose parts may not be further apart than this.
struct Paced {
    body: Incoming,
    between: Duration,
    patience: Pin<Box<Sleep>>,
}

impl Paced {
    fn new(body: Incoming, between: Duration) -> Self {
        Self { body, between, patience: Box::pin(tokio::time::sleep(between)) }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            let next = tokio::time::Instant::now() + self.between;
            self.patience.as_mut().reset(next);
            return Poll::Ready(frame.map(|frame| frame.map_err(HttpError::from)));
        }
        self.patience.as_mut().poll(context).map(|()| Some(Err(HttpError::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
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
