//! The one place where a component's wish to reach something is asked about. Without rules everything is refused.
//!
//! Rules are kept by the process that opens sockets, which is asked here for connections of outgoing HTTP requests and nothing else:
//! `wasi:sockets` stays closed, and a component that imports it is not given rules that would not hold for it.

use bytes::Bytes;
use http::uri::Scheme;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::Sleep;
use wasmrt_host::network::{Broker, Failure, Network as _};
use wasmrt_model::network::NetworkRule;
use wasmrt_model::{Error, ErrorKind, ModuleInfo, Result, RunPlan};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error as HttpError, RequestOptions, WasiBody, WasiHttpHooks};

/// What a guest that sets no timeouts of its own waits for at most, for each of them.
const USUAL_TIMEOUT: Duration = Duration::from_secs(600);

/// The interfaces over which a component would reach the network by itself.
const SOCKETS: [&str; 4] =
    ["wasi:sockets/tcp@", "wasi:sockets/udp@", "wasi:sockets/tcp-create-socket@", "wasi:sockets/udp-create-socket@"];

/// Refuses rules that could not be kept.
pub(super) fn check(plan: &RunPlan, info: &ModuleInfo) -> Result<()> {
    if plan.network().is_denied() {
        return Ok(());
    }
    let refused = |what: String| {
        Err(Error::new(ErrorKind::Unsupported, what)
            .with_hint("components reach the network by wasi:http requests, under rules such as connect=HOST:PORT; without rules nothing is reached"))
    };
    if let Some(published) = plan.network().publish.first() {
        return refused(format!("the port {published} cannot be published for a component"));
    }
    let other = plan.network().allow.iter().find(|rule| matches!(rule, NetworkRule::Listen { .. }));
    if let Some(rule) = other {
        return refused(format!("the network rule {rule} cannot hold for a component"));
    }
    let limits = plan.limits();
    let bytes = [("received_bytes", limits.received_bytes), ("sent_bytes", limits.sent_bytes)];
    if let Some((limit, _)) = bytes.iter().find(|(_, limit)| limit.bound().is_some()) {
        return refused(format!("limit {limit} cannot be enforced for a component that has the network"));
    }
    let imports = info.component.as_ref().map(|component| component.imports.as_slice()).unwrap_or_default();
    match imports.iter().find(|name| SOCKETS.iter().any(|sockets| name.starts_with(sockets))) {
        Some(name) => refused(format!("network rules cannot be kept for {name}, which the component imports")),
        None => Ok(()),
    }
}

/// Closes the sockets: no address passes, and no name is looked up.
pub(super) fn apply(builder: &mut WasiCtxBuilder) {
    builder
        .socket_addr_check(|_, _| Box::pin(async { false }))
        .allow_ip_name_lookup(false)
        .allow_tcp(false)
        .allow_udp(false);
}

/// Whom guests ask for connections; None of it without rules.
#[derive(Debug, Clone, Default)]
pub(super) struct Connector {
    broker: Option<Arc<Mutex<Broker>>>,
    /// A permit for each socket that one guest may have at a time.
    sockets: Option<Arc<Semaphore>>,
    /// Whether asking, which may take as long as a name server does, is for threads of its own.
    offload: bool,
}

impl Connector {
    /// Asks over this socket.
    pub(super) fn new(broker: Option<OwnedFd>, offload: bool) -> Self {
        let broker = broker.map(|socket| Arc::new(Mutex::new(Broker::new(socket))));
        Self { broker, sockets: None, offload }
    }

    /// The same for one guest, with a count of its own.
    pub(super) fn for_guest(&self, plan: &RunPlan) -> Self {
        let most = plan.limits().open_sockets.bound().map(|most| usize::try_from(most.0).unwrap_or(usize::MAX));
        let sockets = most.map(|most| Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))));
        Self { sockets, ..self.clone() }
    }

    /// Takes a socket's place among those that the guest may have.
    fn permit(&self) -> Result<Option<OwnedSemaphorePermit>, HttpError> {
        let permit = self.sockets.as_ref().map(|sockets| Arc::clone(sockets).try_acquire_owned()).transpose();
        permit.map_err(|_| HttpError::ConnectionLimitReached)
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Broker) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, HttpError> {
        let broker = Arc::clone(self.broker.as_ref().ok_or(HttpError::HttpRequestDenied)?);
        let ask = move || question(&mut broker.lock().unwrap_or_else(PoisonError::into_inner));
        let answer = if self.offload {
            tokio::task::spawn_blocking(ask).await.map_err(|_| HttpError::ConfigurationError)?
        } else {
            ask()
        };
        answer.map_err(|failure| match failure {
            Failure::Denied(_) => HttpError::HttpRequestDenied,
            Failure::NoName => HttpError::DnsError { rcode: None, info_code: None },
            Failure::System(errno) => HttpError::Connect(std::io::Error::from_raw_os_error(errno)),
            _ => HttpError::DestinationUnavailable,
        })
    }

    /// A connection to the first address of the host that takes one.
    async fn connect(&self, host: String, port: u16) -> Result<TcpStream, HttpError> {
        let addresses: Vec<IpAddr> = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => self.ask(move |broker| broker.resolve(&host)).await?,
        };
        let mut failed = HttpError::DestinationNotFound;
        for address in addresses {
            match self.connect_to(SocketAddr::new(address, port)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn connect_to(&self, peer: SocketAddr) -> Result<TcpStream, HttpError> {
        let socket = self.ask(move |broker| broker.connect(peer)).await?;
        let stream = TcpStream::from_std(socket.into()).map_err(HttpError::Connect)?;
        // It is being connected; when it is writable it has been, or has failed.
        stream.writable().await.map_err(HttpError::Connect)?;
        match stream.take_error() {
            Ok(None) => Ok(stream),
            Ok(Some(error)) | Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                Err(HttpError::ConnectionRefused)
            }
            Ok(Some(error)) | Err(error) => Err(HttpError::Connect(error)),
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
        let permit = self.permit()?;
        let stream = tokio::time::timeout(connect_timeout, self.connect(host, port))
            .await
            .map_err(|_| HttpError::ConnectionTimeout)??;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = Connected { task: tokio::spawn(connection), _permit: permit };
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
    _permit: Option<OwnedSemaphorePermit>,
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

impl WasiHttpHooks for Connector {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _sent: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, HttpError>> + Send> {
        Box::new(self.clone().send(request, options))
    }
}
