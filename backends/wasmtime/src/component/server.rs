//! An HTTP server whose answers a component makes: accepts, bounds, hands out instances, drains.
//!
//! Owns connections and their number. What one request does is in `request`, time in `time`, what is told in `log`. Starting and
//! restarting the process that it runs in is the supervisor's.

mod log;
mod request;
mod time;

use super::state::{Place, State};
use super::streams::Standard;
use super::watched::Watched;
use futures::future::{Either, select};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use log::Log;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use time::{Clock, Ticker};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use wasmrt_host::Refusals;
use wasmrt_model::component::{ComponentResources, ServeLimits, ServerSetup};
use wasmrt_model::{Error, Result, RunPlan};
use wasmtime::Engine;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

/// Connections that may be open beside those whose requests run or wait: idle ones, kept alive.
const IDLE_CONNECTIONS: usize = 1_024;

/// hyper reads heads into a buffer of at least this size.
const LEAST_BUFFER: usize = 8 << 10;

/// How long nothing is accepted when the process has no descriptor left.
const BREATH: Duration = Duration::from_millis(20);

/// What all requests share.
struct Server {
    proxy: ProxyPre<State>,
    engine: Engine,
    plan: RunPlan,
    streams: Standard,
    limits: ServeLimits,
    log: Log,
    /// What instances were refused, each line told once.
    refused: Refusals,
    ticker: Ticker,
    /// A permit for each request that runs.
    slots: Arc<Semaphore>,
    /// How many wait for one.
    waiting: AtomicUsize,
}

/// Serves until it is told to stop and what was under way has ended, or the time for that is up.
pub(super) fn serve(
    proxy: ProxyPre<State>,
    engine: &Engine,
    plan: &RunPlan,
    resources: ComponentResources,
    setup: ServerSetup,
) -> Result<()> {
    let ServerSetup { listener, health, limits, access_log, voice, log, stop, threads, .. } = setup;
    let failed = |what: &'static str| move |source| Error::io(what, source);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.max(1))
        .enable_io()
        .enable_time()
        .build()
        .map_err(failed("cannot start the server's threads"))?;
    let ticker = Ticker::start(engine.clone()).map_err(failed("cannot start the server's clock"))?;
    let result = runtime.block_on(async {
        let server = Arc::new(Server {
            proxy,
            engine: engine.clone(),
            plan: plan.clone(),
            streams: Standard::new(resources, Place::Server),
            limits,
            log: Log::new(log, access_log, voice),
            refused: Refusals::default(),
            ticker,
            slots: Arc::new(Semaphore::new(limits.concurrency)),
            waiting: AtomicUsize::new(0),
        });
        let listener = TcpListener::from_std(listener).map_err(failed("cannot listen"))?;
        let stop =
            Watched::new(stop, Interest::READABLE).map_err(|(_, error)| failed("cannot wait for the end")(error))?;
        let (draining, drained) = watch::channel(false);
        if let Some(health) = health {
            let health = TcpListener::from_std(health).map_err(failed("cannot listen for /healthz"))?;
            tokio::spawn(answer_health(health, drained.clone()));
        }
        let connections = limits.concurrency.saturating_add(limits.queue).saturating_add(IDLE_CONNECTIONS);
        let connections = Connections { most: connections, open: Arc::new(Semaphore::new(connections)) };
        {
            let accepting = pin!(accept(&server, &listener, &connections, &drained));
            let told = pin!(stop.readable());
            select(accepting, told).await;
        }
        drop(listener);
        let _nobody_listens = draining.send(true);
        let ended = async {
            connections.all_closed().await;
            let slots = u32::try_from(limits.concurrency).unwrap_or(u32::MAX);
            let _all = server.slots.acquire_many(slots).await;
        };
        if tokio::time::timeout(limits.drain_timeout, ended).await.is_err() {
            server.log.say("requests that were under way did not end in time and are cut off");
        }
        Ok(())
    });
    // Guests that are still there hang on threads that nobody waits for.
    runtime.shutdown_background();
    result
}

/// The connections that are open.
struct Connections {
    most: usize,
    open: Arc<Semaphore>,
}

impl Connections {
    async fn all_closed(&self) {
        let all = u32::try_from(self.most).unwrap_or(u32::MAX);
        let _all = self.open.acquire_many(all).await;
    }
}

/// Accepts for ever.
async fn accept(
    server: &Arc<Server>,
    listener: &TcpListener,
    connections: &Connections,
    drained: &watch::Receiver<bool>,
) {
    loop {
        let Ok(permit) = Arc::clone(&connections.open).acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(_) => {
                // The connection is gone already, or there is no descriptor for it: others will be closed.
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        let server = Arc::clone(server);
        let drained = drained.clone();
        tokio::spawn(async move {
            let _open = permit;
            serve_connection(server, stream, peer, drained).await;
        });
    }
}

async fn serve_connection(server: Arc<Server>, stream: TcpStream, peer: SocketAddr, drained: watch::Receiver<bool>) {
    // Answers are written whole: waiting for more to send would only hold them up.
    let _without_if_need_be = stream.set_nodelay(true);
    let limits = server.limits;
    let log = Arc::clone(&server);
    let service = service_fn(move |request| request::answer(Arc::clone(&server), peer, request));
    let connection = http1::Builder::new()
        .timer(Clock)
        .header_read_timeout(limits.request_timeout)
        .max_buf_size(limits.header_bytes.max(LEAST_BUFFER))
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = until_drained(pin!(connection), drained).await
        && error.is_parse()
    {
        log.log.refused(peer, &error);
    }
}

/// Drives a connection to its end; when the server stops, to the end of the request that is under way.
async fn until_drained<C>(mut connection: Pin<&mut C>, mut drained: watch::Receiver<bool>) -> Result<(), hyper::Error>
where
    C: Future<Output = Result<(), hyper::Error>> + Graceful,
{
    let stopped = pin!(async move {
        let _or_the_server_is_gone = drained.wait_for(|draining| *draining).await;
    });
    match select(connection.as_mut(), stopped).await {
        Either::Left((ended, _)) => ended,
        Either::Right(((), _)) => {
            connection.as_mut().end_after_this();
            connection.await
        }
    }
}

/// A connection that can be told to take no further request.
trait Graceful {
    fn end_after_this(self: Pin<&mut Self>);
}

impl<I, B, S> Graceful for http1::Connection<I, S>
where
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn end_after_this(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Answers `/healthz` for ever: 200 while requests are taken, 503 from the moment that they are not.
async fn answer_health(listener: TcpListener, drained: watch::Receiver<bool>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let drained = drained.clone();
        let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let (status, text) = match (request.uri().path(), *drained.borrow()) {
                ("/healthz", false) => (http::StatusCode::OK, "ok\n"),
                ("/healthz", true) => (http::StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
                _ => (http::StatusCode::NOT_FOUND, "there is /healthz here, and nothing else\n"),
            };
            let mut response = http::Response::new(Full::new(bytes::Bytes::from_static(text.as_bytes())));
            *response.status_mut() = status;
            std::future::ready(Ok::<_, Infallible>(response))
        });
        tokio::spawn(
            http1::Builder::new()
                .timer(Clock)
                .header_read_timeout(Duration::from_secs(10))
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service),
        );
    }
}
