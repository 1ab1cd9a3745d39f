//! One request: its bounds, an instance of its own, its answer.

use super::super::body::{Look, Polled, Seen, length};
use super::super::ending;
use super::super::state::{self, Place, State};
use super::Server;
use super::log::{Asked, named};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use wasmrt_model::backend::Ending;
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::{Error as HttpError, WasiHttpView};

/// What a guest sends back.
type Sent = Result<Response<HyperOutgoingBody>, ErrorCode>;

/// Why there is no answer of the guest's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    /// It has no host, or one that is no text.
    NoHost,
    /// Its head is larger than it may be.
    HeaderTooLarge,
    /// Its body is.
    BodyTooLarge,
    /// Too many requests run and wait.
    Busy,
    /// The guest took too long.
    TimedOut,
    /// The guest ended, or returned, without an answer.
    Failed,
}

impl Refused {
    fn status(self) -> (StatusCode, &'static str) {
        match self {
            Self::NoHost => (StatusCode::BAD_REQUEST, "the request names no host\n"),
            Self::HeaderTooLarge => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the head of the request is too large\n")
            }
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "the body of the request is too large\n"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "too many requests are under way\n"),
            Self::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "there was no answer in time\n"),
            Self::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "the application failed\n"),
        }
    }

    fn response(self) -> Response<HyperOutgoingBody> {
        let (status, text) = self.status();
        let body = Full::new(Bytes::from_static(text.as_bytes())).map_err(|never: Infallible| match never {});
        let mut response = Response::new(body.boxed_unsync());
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain"));
        if matches!(self, Self::BodyTooLarge | Self::HeaderTooLarge) {
            // What is left of the request is not read.
            response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
        }
        response
    }
}

/// Answers one request, whatever comes of it.
pub(super) async fn answer(
    server: Arc<Server>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Seen<HyperOutgoingBody, Teller>>, Infallible> {
    let asked = Asked::new(peer, &request);
    let without_body = request.method() == http::Method::HEAD;
    let failed = Arc::new(AtomicBool::new(false));
    let (response, failed) = match respond(&server, request, &failed).await {
        Ok(response) => (response, failed),
        Err(refused) => (refused.response(), Arc::default()),
    };
    let status = response.status().as_u16();
    let promised = if without_body { Some(0) } else { promised(response.headers()) };
    let teller = Teller { server, asked, status, bytes: 0, promised, complete: false, failed };
    Ok(response.map(|body| Seen::new(body, teller)))
}

/// How long a response says that it is.
fn promised(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn respond(
    server: &Arc<Server>,
    request: Request<Incoming>,
    failed: &Arc<AtomicBool>,
) -> Result<Response<HyperOutgoingBody>, Refused> {
    let deadline = Instant::now() + server.limits.request_timeout;
    check(server, &request)?;
    let slot = slot(server, deadline).await?;
    let too_large = Arc::new(AtomicBool::new(false));
    let left = server.limits.body_bytes;
    let bound = Bound { left, too_large: Arc::clone(&too_large) };
    let request = request.map(|body| Seen::new(body, bound));
    let (sender, receiver) = oneshot::channel();
    let work = Work { server: Arc::clone(server), deadline, slot, failed: Arc::clone(failed) };
    let guest = Running(Some(tokio::spawn(run(work, request, sender))));
    let answered = receiver.await;
    if too_large.load(Ordering::Acquire) {
        return Err(Refused::BodyTooLarge);
    }
    match answered {
        Ok(Ok(response)) => {
            guest.go_on();
            Ok(response)
        }
        Ok(Err(_)) => {
            guest.go_on();
            Err(Refused::Failed)
        }
        // It is gone, and nothing was sent.
        Err(_) => Err(guest.ended().await),
    }
}

/// Refuses what is too large or makes no sense, before anything is spent on it.
fn check(server: &Server, request: &Request<Incoming>) -> Result<(), Refused> {
    if head_bytes(request.uri(), request.headers()) > server.limits.header_bytes {
        return Err(Refused::HeaderTooLarge);
    }
    if request.body().size_hint().lower() > server.limits.body_bytes {
        return Err(Refused::BodyTooLarge);
    }
    let host = request.headers().get(header::HOST).map(|host| host.to_str().is_ok());
    if request.uri().authority().is_none() && host != Some(true) {
        return Err(Refused::NoHost);
    }
    Ok(())
}

/// A request line and its headers as they are written: with a colon, a space and a line's end.
fn head_bytes(uri: &http::Uri, headers: &HeaderMap) -> usize {
    let target = uri.path_and_query().map_or(1, |target| target.as_str().len());
    headers.iter().fold(target, |sum, (name, value)| {
        sum.saturating_add(name.as_str().len()).saturating_add(value.len()).saturating_add(4)
    })
}

/// Waits for its turn.
async fn slot(server: &Server, deadline: Instant) -> Result<OwnedSemaphorePermit, Refused> {
    if let Ok(slot) = Arc::clone(&server.slots).try_acquire_owned() {
        return Ok(slot);
    }
    let waiting = Waiting::new(server);
    if waiting.ahead >= server.limits.queue {
        return Err(Refused::Busy);
    }
    match timeout_at(deadline, Arc::clone(&server.slots).acquire_owned()).await {
        Ok(Ok(slot)) => Ok(slot),
        _ => Err(Refused::Busy),
    }
}

/// A request that waits.
struct Waiting<'a> {
    server: &'a Server,
    ahead: usize,
}

impl<'a> Waiting<'a> {
    fn new(server: &'a Server) -> Self {
        Self { server, ahead: server.waiting.fetch_add(1, Ordering::AcqRel) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.server.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A guest at work. It is ended when nobody waits for its answer any more.
struct Running(Option<JoinHandle<Refused>>);

impl Running {
    /// It has answered: it may finish what it does.
    fn go_on(mut self) {
        self.0 = None;
    }

    /// Why it has not.
    async fn ended(mut self) -> Refused {
        match self.0.take() {
            Some(task) => task.await.unwrap_or(Refused::Failed),
            None => Refused::Failed,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// What an instance works with, beside its request.
struct Work {
    server: Arc<Server>,
    deadline: Instant,
    slot: OwnedSemaphorePermit,
    /// Raised, before the answer's body can end, when the guest does not come to a good end.
    failed: Arc<AtomicBool>,
}

/// Lets an instance of its own answer the request. What is returned counts only when nothing was sent.
async fn run(work: Work, request: Request<Seen<Incoming, Bound>>, sender: oneshot::Sender<Sent>) -> Refused {
    let Work { server, deadline, slot: _slot, failed: has_failed } = work;
    let _ticks = server.ticker.tick();
    let (method, target) = (request.method().clone(), request.uri().clone());
    let failed = |what: &dyn std::fmt::Display| {
        has_failed.store(true, Ordering::Release);
        server.log.say(&format!("{}: {what}", named(&method, &target)));
        Refused::Failed
    };
    let mut store = match state::store(&server.engine, &server.plan, &server.streams, Place::Server) {
        Ok(store) => store,
        Err(error) => return failed(&error),
    };
    // Others on this thread get their turn at each tick, and so does the deadline.
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    let network = Arc::clone(store.data().network().network());
    let called = network.until_over(call(&server, &mut store, request, sender));
    let ended = timeout_at(deadline, called).await;
    let _or_cut_off = timeout_at(deadline, store.data().network().last_writes()).await;
    for line in store.data().refusals() {
        if server.refused.add(|| line.clone()) {
            server.log.denied(&named(&method, &target), &line);
        }
    }
    let ending = match ended {
        Ok(Ok(())) => return failed_unless_sent(),
        Ok(Err(error)) => ending::of(error, &mut store),
        Err(_) => {
            failed(&format_args!("it was ended after {:?}", server.limits.request_timeout));
            return Refused::TimedOut;
        }
    };
    match ending {
        // Not the way of a proxy, but a way to say that all is done.
        Ending::Exit(0) => failed_unless_sent(),
        Ending::Exit(code) => failed(&format_args!("the guest exited with {code}")),
        Ending::Trap(trap) => {
            let place =
                trap.backtrace.iter().find_map(|frame| frame.name.as_deref()).unwrap_or("a function without a name");
            failed(&format_args!("trap: {trap}, in {place}"))
        }
        Ending::Limit(limit) => failed(&format_args!("limit reached: {}", limit.as_str())),
        Ending::Failed(error) => failed(&error),
        other => failed(&format_args!("the guest ended: {other:?}")),
    }
}

/// Whoever asks has no answer, so the guest has given none.
fn failed_unless_sent() -> Refused {
    Refused::Failed
}

async fn call(
    server: &Server,
    store: &mut Store<State>,
    request: Request<Seen<Incoming, Bound>>,
    sender: oneshot::Sender<Sent>,
) -> wasmtime::Result<()> {
    let request = store.data_mut().http().new_incoming_request(Scheme::Http, request)?;
    let outparam = store.data_mut().http().new_response_outparam(sender)?;
    let proxy = server.proxy.instantiate_async(&mut *store).await?;
    proxy.wasi_http_incoming_handler().call_handle(&mut *store, request, outparam).await
}

/// Ends the body of a request at its bound.
struct Bound {
    left: u64,
    too_large: Arc<AtomicBool>,
}

impl Look for Bound {
    fn polled(&mut self, polled: Polled, _: &mut Context<'_>) -> Polled {
        let Poll::Ready(Some(Ok(frame))) = &polled else { return polled };
        match self.left.checked_sub(length(frame)) {
            Some(left) => {
                self.left = left;
                polled
            }
            None => {
                self.left = 0;
                self.too_large.store(true, Ordering::Release);
                Poll::Ready(Some(Err(HttpError::HttpRequestBodySize(None))))
            }
        }
    }
}

/// Tells of a request when the body of its response has ended.
pub(super) struct Teller {
    server: Arc<Server>,
    asked: Asked,
    status: u16,
    bytes: u64,
    /// After as many bytes nobody asks whether there are more.
    promised: Option<u64>,
    complete: bool,
    failed: Arc<AtomicBool>,
}

impl Look for Teller {
    fn polled(&mut self, polled: Polled, _: &mut Context<'_>) -> Polled {
        match &polled {
            Poll::Ready(Some(Ok(frame))) => self.bytes = self.bytes.saturating_add(length(frame)),
            Poll::Ready(None) => {
                // What a guest left behind when it failed is no complete answer, although nothing more will come.
                if self.failed.load(Ordering::Acquire) {
                    return Poll::Ready(Some(Err(HttpError::HttpResponseIncomplete)));
                }
                self.complete = true;
            }
            _ => {}
        }
        polled
    }

    /// A body that has nothing left is not always asked once more.
    fn dropped(&mut self, at_end: bool) {
        let at_end = at_end || self.promised == Some(self.bytes);
        let complete = self.complete || at_end && !self.failed.load(Ordering::Acquire);
        self.server.log.access(&self.asked, self.status, self.bytes, complete);
    }
}
