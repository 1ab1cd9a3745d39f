//! The network around a case: ports, peers that a guest may try to reach, and clients that try to reach the guest.
//!
//! It owns that all of it is on loopback, on ports of the system's choice, and ends with the case. What the guest may do is the case's own
//! business: the rules are in its spec, and what has to come of them in its expectations.

mod clients;
mod conversation;
mod https;
mod peers;
mod ports;
pub mod silent;

pub use clients::Client;
pub use peers::{Does, Peer};

use crate::Result;
use clients::{Cues, Running};
use peers::Standing;
use ports::Port;
use serde::Deserialize;
use std::path::Path;
use std::sync::Arc;

/// How bytes travel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Connections.
    #[default]
    Tcp,
    /// Datagrams.
    Udp,
    /// Connections through a name in the file system.
    Unix,
}

/// What is sent, or has to arrive.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// This.
    Once(String),
    /// This so many times.
    Repeated {
        /// The text.
        text: String,
        /// How many times.
        times: usize,
    },
    /// One behind the other.
    Several(Vec<Text>),
}

impl Text {
    fn bytes(&self, place: &dyn Fn(&str) -> String) -> Vec<u8> {
        match self {
            Self::Once(text) => place(text).into_bytes(),
            Self::Repeated { text, times } => place(text).repeat(*times).into_bytes(),
            Self::Several(texts) => texts.iter().flat_map(|text| text.bytes(place)).collect(),
        }
    }
}

/// What a case asks for of the network.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Ports that the guest will have, `NAME` or `NAME/udp`.
    pub ports: &'a [String],
    /// Who is there.
    pub peers: &'a [Peer],
    /// Who comes.
    pub clients: &'a [Client],
}

impl Wanted<'_> {
    /// Whether there is any network.
    #[must_use]
    pub fn is_something(&self) -> bool {
        !self.ports.is_empty() || !self.peers.is_empty() || !self.clients.is_empty()
    }
}

/// The network of a case, for as long as this lives.
#[derive(Debug)]
pub struct Scene {
    ports: Vec<Port>,
    peers: Vec<Standing>,
    clients: Vec<Client>,
    cues: Arc<Cues>,
}

/// What the network saw of a run.
#[derive(Debug, Default)]
pub struct Seen {
    /// What is not as the case has it.
    pub wrong: Vec<String>,
    /// How often any peer was reached.
    pub reached: u64,
}

impl Scene {
    /// Takes ports and sets up peers; `root` is the case's directory.
    ///
    /// # Errors
    /// What could not be had, or makes no sense.
    pub fn set(wanted: Wanted<'_>, root: &Path) -> Result<Self> {
        let mut ports = wanted.ports.iter().map(|name| Port::reserve(name)).collect::<Result<Vec<_>>>()?;
        let mut peers = Vec::new();
        for peer in wanted.peers {
            let standing = apart(&ports, peer, root)?;
            ports.extend(standing.port().map(|number| Port::of(&peer.name, number)));
            peers.push(standing);
        }
        for (index, port) in ports.iter().enumerate() {
            if ports.iter().skip(index + 1).any(|other| other.name == port.name) {
                return Err(format!("there are two ports called {}", port.name));
            }
        }
        Ok(Self { ports, peers, clients: wanted.clients.to_vec(), cues: Arc::default() })
    }

    /// Whether a client waits for the guest to say something.
    #[must_use]
    pub fn listens(&self) -> bool {
        self.clients.iter().any(|client| client.when.is_some())
    }

    /// Puts ports where they are asked for.
    #[must_use]
    pub fn place(&self, text: &str) -> String {
        placed(&self.ports, text)
    }

    /// Puts names in place of ports again, so that what a guest printed is the same in each run.
    #[must_use]
    pub fn restore(&self, text: &[u8]) -> Vec<u8> {
        self.ports.iter().fold(text.to_vec(), |text, port| port.restore(&text))
    }

    /// Lets clients come.
    ///
    /// # Errors
    /// A client that nobody can follow.
    pub fn start(&self) -> Result<Vec<Running>> {
        let number = |name: &str| self.ports.iter().find(|port| port.name == name).map(|port| port.number);
        self.clients
            .iter()
            .map(|client| {
                let port = number(&client.to).ok_or_else(|| format!("a client goes to {}: no such port", client.to))?;
                Ok(Running::start(client, port, &|text: &str| self.place(text), &self.cues))
            })
            .collect()
    }

    /// The guest has printed this.
    pub fn heard(&self, piece: &[u8]) {
        self.cues.heard(piece);
    }

    /// The run is over: what came of it.
    #[must_use]
    pub fn finish(&mut self, clients: Vec<Running>) -> Seen {
        self.cues.finish();
        let mut seen = Seen::default();
        for client in clients {
            seen.wrong.extend(client.finish().err());
        }
        for peer in &mut self.peers {
            let (reached, wrong) = peer.finish(&|text: &str| placed(&self.ports, text));
            seen.reached += reached;
            seen.wrong.extend(wrong);
        }
        seen
    }
}

/// Sets a peer up on a port whose number nobody else of the case has, of whatever protocol or family: what a guest printed must tell them apart.
fn apart(ports: &[Port], peer: &Peer, root: &Path) -> Result<Standing> {
    // Those in the way stay there, or they would be chosen again.
    let mut in_the_way = Vec::new();
    for _ in 0..100 {
        let standing = Standing::set(peer, root)?;
        if !ports.iter().any(|port| Some(port.number) == standing.port()) {
            return Ok(standing);
        }
        in_the_way.push(standing);
    }
    Err(format!("there is no port for {} that no other has", peer.name))
}

fn placed(ports: &[Port], text: &str) -> String {
    ports.iter().fold(text.to_owned(), |text, port| port.place(&text))
}

impl Drop for Scene {
    fn drop(&mut self) {
        // Clients of a run that could not be started have nobody to wait for.
        self.cues.finish();
    }
}

#[cfg(test)]
mod tests;
