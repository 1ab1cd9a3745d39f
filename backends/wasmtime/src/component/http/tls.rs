//! TLS below outgoing requests: whom this machine trusts, and that a server is whom the URL names.
//!
//! Certificates are the caller's to find, before the guest's process may open no files any more; they are read here when the first request
//! needs them, so that a guest which makes none does not wait for it.

use super::metered::Metered;
use http::uri::Scheme;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, crypto::ring};
use wasmtime_wasi_http::Error as HttpError;

/// The only protocol that is spoken.
const PROTOCOL: &[u8] = b"http/1.1";

/// Who vouches for servers.
pub(in super::super) struct Trust {
    certificates: Vec<Vec<u8>>,
    config: OnceLock<Option<Arc<ClientConfig>>>,
}

impl Trust {
    /// These, in DER.
    pub(in super::super) fn new(certificates: Vec<Vec<u8>>) -> Self {
        Self { certificates, config: OnceLock::new() }
    }

    /// Whether there is nobody at all, so that no server can be known.
    pub(super) fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    fn config(&self) -> Result<Arc<ClientConfig>, HttpError> {
        let config = self.config.get_or_init(|| {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(self.certificates.iter().map(|der| CertificateDer::from_slice(der)));
            let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .ok()?;
            let mut config = config.with_root_certificates(roots).with_no_client_auth();
            config.alpn_protocols = vec![PROTOCOL.to_vec()];
            // Guests of one process have nothing in common, also not what a server remembers of them.
            config.resumption = Resumption::disabled();
            Some(Arc::new(config))
        });
        config.clone().ok_or(HttpError::ConfigurationError)
    }

    /// Speaks TLS with a server that has to prove that it has this name, or this address.
    pub(super) async fn connect(&self, stream: Metered, host: String) -> Result<Spoken, HttpError> {
        let name = ServerName::try_from(host).map_err(|_| HttpError::HttpRequestUriInvalid)?;
        let connected = TlsConnector::from(self.config()?).connect(name, stream).await;
        connected.map(|stream| Spoken::Tls(Box::new(stream))).map_err(|error| failed(&error))
    }
}

/// The port of a scheme; None for one that is not spoken.
pub(super) fn port(scheme: Option<&Scheme>) -> Option<u16> {
    match scheme {
        None => Some(80),
        Some(scheme) if *scheme == Scheme::HTTP => Some(80),
        Some(scheme) if *scheme == Scheme::HTTPS => Some(443),
        Some(_) => None,
    }
}

/// What went wrong before the server was known.
fn failed(error: &io::Error) -> HttpError {
    let tls = error.get_ref().and_then(|source| source.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            HttpError::TlsCertificateError
        }
        Some(rustls::Error::AlertReceived(alert)) => {
            HttpError::TlsAlertReceived { alert_id: Some(u8::from(*alert)), alert_message: Some(format!("{alert:?}")) }
        }
        Some(_) => HttpError::TlsProtocolError,
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                HttpError::ConnectionTerminated
            }
            _ => HttpError::TlsProtocolError,
        },
    }
}

/// A connection, with TLS or without.
pub(super) enum Spoken {
    Plain(Metered),
    Tls(Box<TlsStream<Metered>>),
}

macro_rules! either {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Self::Plain($stream) => $call,
            Self::Tls($stream) => $call,
        }
    };
}

impl AsyncRead for Spoken {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_read(context, buffer))
    }
}

impl AsyncWrite for Spoken {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, stream => Pin::new(stream).poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_shutdown(context))
    }
}
