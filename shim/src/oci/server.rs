//! How a component that answers HTTP requests is served: where, and within which bounds.

use super::annotations::PREFIX;
use super::environment::Variables;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use wasmrt_model::component::{AccessLog, ServeLimits};
use wasmrt_model::network::{NetworkRule, Protocol, Published};
use wasmrt_model::stdio::Input;
use wasmrt_model::units::{Bytes, Count, Span};
use wasmrt_model::{Error, ErrorKind, Result, RunSpec};
use wasmrt_runtime::{ContainedServer, ServeEvent};

/// The variable that names the port, and the port when it does not.
const PORT: &str = "PORT";
const DEFAULT_PORT: u16 = 8080;

/// What annotations are called that say something of requests.
pub(super) const NAMES: [&str; 7] = [
    "serve.request-timeout",
    "serve.concurrency",
    "serve.queue",
    "serve.max-header-bytes",
    "serve.max-body-bytes",
    "serve.drain-timeout",
    "serve.access-log",
];

/// The bounds of requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    limits: ServeLimits,
    queue: Option<usize>,
    access_log: AccessLog,
}

impl Requests {
    /// Takes an annotation. False when there is none of this name.
    ///
    /// # Errors
    /// `InvalidInput` for values that make no sense.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<bool> {
        match name {
            "serve.request-timeout" => self.limits.request_timeout = value.parse::<Span>()?.0,
            "serve.drain-timeout" => self.limits.drain_timeout = value.parse::<Span>()?.0,
            "serve.concurrency" => {
                self.limits.concurrency = within(value.parse::<Count>()?.0, ServeLimits::CONCURRENCY)?
            }
            "serve.queue" => self.queue = Some(within(value.parse::<Count>()?.0, ServeLimits::QUEUE)?),
            "serve.max-header-bytes" => {
                self.limits.header_bytes = within(value.parse::<Bytes>()?.0, ServeLimits::HEADER_BYTES)?
            }
            "serve.max-body-bytes" => self.limits.body_bytes = value.parse::<Bytes>()?.0,
            "serve.access-log" => self.access_log = value.parse()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The server that a run becomes, and what is left of the run for its instances: they have no input, and no ports of their own.
    ///
    /// # Errors
    /// `InvalidInput` for a PORT that is none, `Denied` where the network rules do not let it listen, `Unsupported` for several addresses.
    pub(crate) fn server(&self, variables: &Variables, run: &mut RunSpec) -> Result<ContainedServer> {
        let addresses = addresses(variables, run)?;
        run.network.publish.clear();
        run.network.allow.retain(|rule| !matches!(rule, NetworkRule::Listen { .. }));
        run.stdio.stdin = Input::Null;
        let mut server = ContainedServer::new(addresses);
        server.limits = self.limits;
        server.limits.queue =
            self.queue.unwrap_or(self.limits.concurrency.saturating_mul(ServeLimits::WAITING_FOR_EACH));
        server.access_log = self.access_log;
        server.voice = crate::words::VOICE;
        server.words = words;
        Ok(server)
    }
}

/// Where it listens: where an annotation says, else at its port on all addresses that the rules allow.
fn addresses(variables: &Variables, run: &RunSpec) -> Result<Vec<SocketAddr>> {
    match run.network.publish.as_slice() {
        [] => {}
        [Published::Port(port)] => return Ok(vec![port.host]),
        _ => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "annotation {PREFIX}network.listen: a component that answers requests is served at one address"
                ),
            )
            .with_hint("leave the others out"));
        }
    }
    let port = match variables.get(PORT) {
        None | Some("") => DEFAULT_PORT,
        Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, format!("PORT={} is no port", port.escape_debug()))
                .with_hint(format!("a component that answers requests is served at it; without it, at {DEFAULT_PORT}"))
        })?,
    };
    let all = [IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)];
    let all = all.map(|address| SocketAddr::new(address, port));
    let allowed: Vec<_> =
        all.into_iter().filter(|address| run.network.allows_listen(*address, Protocol::Tcp)).collect();
    if allowed.is_empty() {
        return Err(Error::new(
            ErrorKind::Denied,
            format!("the component answers requests, and no network rule lets it listen at port {port}"),
        )
        .with_hint(format!("annotation {PREFIX}network.listen=0.0.0.0:{port} would allow it")));
    }
    Ok(allowed)
}

fn words(event: &ServeEvent) -> Option<String> {
    match event {
        ServeEvent::Listening { address, .. } => Some(format!("wasmrt: listening on http://{address}\n")),
        ServeEvent::WorkerDied { how, pause } => Some(format!(
            "wasmrt: the process that serves requests died ({how}); it is started again in {} ms\n",
            pause.as_millis()
        )),
        ServeEvent::Stopping => Some("wasmrt: stopping\n".to_owned()),
        _ => None,
    }
}

fn within(number: u64, range: RangeInclusive<u32>) -> Result<usize> {
    if !u32::try_from(number).is_ok_and(|number| range.contains(&number)) {
        let (least, most) = (range.start(), range.end());
        return Err(Error::new(ErrorKind::InvalidInput, format!("it is a number from {least} to {most}")));
    }
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use wasmrt_model::network::PublishedPort;

    fn run(rules: &[&str], listen: &[&str]) -> RunSpec {
        let mut run = RunSpec::default();
        run.network.allow = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        let published = |address: &&str| {
            let host: SocketAddr = address.parse().unwrap();
            Published::Port(PublishedPort { host, guest: host.port(), protocol: Protocol::Tcp })
        };
        run.network.publish = listen.iter().map(published).collect();
        run
    }

    fn served(rules: &[&str], listen: &[&str], env: &[&str]) -> Result<Vec<String>> {
        let env: Vec<String> = env.iter().map(|entry| (*entry).to_owned()).collect();
        let mut run = run(rules, listen);
        let server = Requests::default().server(&Variables::read(&env).unwrap(), &mut run)?;
        assert!(run.network.publish.is_empty());
        assert!(!run.network.allow.iter().any(|rule| matches!(rule, NetworkRule::Listen { .. })));
        assert_eq!(run.stdio.stdin, Input::Null);
        Ok(server.addresses.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_port_is_what_the_environment_says() {
        assert_eq!(served(&["listen=*", "connect=*"], &[], &[]).unwrap(), ["[::]:8080", "0.0.0.0:8080"]);
        assert_eq!(served(&["listen=*"], &[], &["PORT=81"]).unwrap(), ["[::]:81", "0.0.0.0:81"]);
        assert_eq!(served(&["listen=*"], &[], &["PORT="]).unwrap(), ["[::]:8080", "0.0.0.0:8080"]);
        for wrong in ["PORT=0", "PORT=http", "PORT=65536", "PORT=-1"] {
            assert_eq!(served(&["listen=*"], &[], &[wrong]).unwrap_err().kind(), ErrorKind::InvalidInput, "{wrong}");
        }
    }

    #[test]
    fn rules_and_the_annotation_say_where() {
        assert_eq!(served(&["listen=0.0.0.0:8080"], &[], &[]).unwrap(), ["0.0.0.0:8080"]);
        for rules in [&[][..], &["connect=*"], &["listen=0.0.0.0:80"]] {
            let error = served(rules, &[], &[]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
            assert!(error.to_string().contains("wasmrt.dev/network.listen=0.0.0.0:8080"), "{error}");
        }
        assert_eq!(served(&[], &["127.0.0.1:90"], &["PORT=81"]).unwrap(), ["127.0.0.1:90"]);
        let two = served(&["listen=*"], &["0.0.0.0:90", "0.0.0.0:91"], &[]);
        assert_eq!(two.unwrap_err().kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn annotations_bound_requests() {
        let mut requests = Requests::default();
        for (name, value) in NAMES.iter().zip(["2s", "8", "3", "4k", "1m", "5s", "json"]) {
            assert!(requests.set(name, value).unwrap(), "{name}");
        }
        assert!(!requests.set("serve.threads", "1").unwrap());
        let server = requests.server(&Variables::default(), &mut run(&["listen=*"], &[])).unwrap();
        let limits = server.limits;
        assert_eq!(limits.request_timeout, Duration::from_secs(2));
        assert_eq!((limits.concurrency, limits.queue), (8, 3));
        assert_eq!(limits.drain_timeout, Duration::from_secs(5));
        assert_eq!(server.access_log, AccessLog::Json);
        for (name, value) in [
            ("serve.concurrency", "0"),
            ("serve.queue", "2000000"),
            ("serve.max-header-bytes", "1"),
            ("serve.access-log", "on"),
            ("serve.max-body-bytes", "x"),
        ] {
            assert_eq!(requests.set(name, value).unwrap_err().kind(), ErrorKind::InvalidInput, "{name}");
        }
    }
}
