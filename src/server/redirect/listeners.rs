//! The redirect listeners of both schemes, and the certificate of the secure one: opening them,
//! and keeping of those that are there what another configuration asks for, too.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustls::ServerConfig;
use serde::{Deserialize, Serialize};

use super::bind::bind;
use super::certificate::Certificate;
use crate::config::{Config, Listen};
use crate::console::describe;
use crate::vault::reload::Moved;

type Sockets = Vec<Arc<TcpListener>>;

/// All redirect listeners. Copies are of the same sockets.
#[derive(Clone, Default)]
pub(in crate::server) struct Listeners {
    http: Sockets,
    https: Sockets,
    /// There exactly where there are `https` sockets.
    certificate: Option<Arc<Certificate>>,
}

/// What a configuration says of the listeners, to tell whether another one says the same. Nothing
/// says the same as the default.
#[derive(Default, Serialize, Deserialize)]
pub(in crate::server) struct Said {
    http_listen: String,
    https_listen: String,
}

impl Said {
    pub(in crate::server) fn by(config: &Config) -> Self {
        Self {
            http_listen: format!("{:?}", config.http_listen),
            https_listen: format!("{:?}", config.https_listen),
        }
    }
}

impl Listeners {
    /// Listeners that another process has handed over.
    pub(in crate::server) fn inherited(
        http: Vec<TcpListener>,
        https: Vec<TcpListener>,
        certificate: Option<Arc<Certificate>>,
    ) -> Self {
        let shared = |sockets: Vec<TcpListener>| sockets.into_iter().map(Arc::new).collect();
        Self {
            http: shared(http),
            https: shared(https),
            certificate,
        }
    }

    /// The listeners that `config` asks for: those that are there already where they fit, which
    /// `said` tells, the configuration before this one. Says which ones are elsewhere now.
    ///
    /// # Errors
    /// Where an address cannot be had, or the certificate is of no use. Nothing is changed then,
    /// and the text is for people.
    pub(in crate::server) fn adapt(
        &self,
        said: &Said,
        config: &Config,
    ) -> Result<(Self, Moved), String> {
        let now = Said::by(config);
        // Before any is opened: what is wrong with it is more likely to be the user's mistake.
        let certificate = match config.https_listen {
            Listen::Off => None,
            _ => Some(Certificate::get(
                &config.https_certificate,
                self.certificate.as_ref(),
            )?),
        };
        let http = Change {
            option: "http_listen",
            listen: &config.http_listen,
            same: said.http_listen == now.http_listen,
        };
        let https = Change {
            option: "https_listen",
            listen: &config.https_listen,
            same: said.https_listen == now.https_listen,
        };
        let (http, http_moved) = http.sockets(&self.http, &self.https)?;
        let (https, https_moved) = https.sockets(&self.https, &self.http)?;
        if let Some(address) = addresses(&http).iter().find(|it| has(&https, **it)) {
            return Err(format!(
                "http_listen and https_listen cannot both have {address}"
            ));
        }
        let adapted = Self {
            http,
            https,
            certificate,
        };
        let moved = Moved {
            http: http_moved,
            https: https_moved,
        };
        Ok((adapted, moved))
    }

    /// Where the browser is waited for.
    pub(in crate::server) fn entrances(&self) -> Vec<Entrance> {
        let tls = self.certificate.as_ref().map(|it| it.tls());
        let entrance = |tls: Option<Arc<ServerConfig>>| {
            move |socket: &Arc<TcpListener>| Entrance {
                socket: Arc::clone(socket),
                tls: tls.clone(),
            }
        };
        let http = self.http.iter().map(entrance(None));
        http.chain(self.https.iter().map(entrance(tls))).collect()
    }

    /// The sockets for http, and then those for https; to be handed over.
    pub(in crate::server) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.http.iter().chain(&self.https).map(AsFd::as_fd)
    }

    /// How many of the descriptors are for https.
    pub(in crate::server) fn secure_count(&self) -> usize {
        self.https.len()
    }

    /// Where the listener of one scheme listens.
    pub(in crate::server) fn addresses(&self, is_https: bool) -> Vec<SocketAddr> {
        addresses(if is_https { &self.https } else { &self.http })
    }

    pub(in crate::server) fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_deref()
    }
}

/// What is asked for one scheme.
struct Change<'a> {
    option: &'static str,
    listen: &'a Listen,
    /// Whether that is what was asked for before.
    same: bool,
}

impl Change<'_> {
    /// Its own sockets or the `other` scheme's where they fit: this server itself would be in the
    /// way of the same address. Says whether that is elsewhere than before.
    fn sockets(&self, own: &Sockets, other: &Sockets) -> Result<(Sockets, bool), String> {
        match self.listen {
            Listen::At(address) if has(own, *address) => Ok((own.clone(), false)),
            Listen::At(address) if has(other, *address) => Ok((other.clone(), true)),
            _ if self.same => Ok((own.clone(), false)),
            listen => {
                let sockets = bind(self.option, listen).map_err(|error| describe(&error))?;
                Ok((sockets.into_iter().map(Arc::new).collect(), true))
            }
        }
    }
}

fn has(sockets: &Sockets, address: SocketAddr) -> bool {
    addresses(sockets).contains(&address)
}

fn addresses(sockets: &Sockets) -> Vec<SocketAddr> {
    let addresses = sockets.iter().map(|socket| socket.local_addr());
    addresses.filter_map(Result::ok).collect()
}

/// One socket where browsers come in, and what they are to speak there.
pub(in crate::server) struct Entrance {
    socket: Arc<TcpListener>,
    tls: Option<Arc<ServerConfig>>,
}

impl Entrance {
    /// Accepts a connection, which may not block; `None` where it comes from elsewhere.
    pub(super) fn accept(&self) -> io::Result<Option<super::stream::Stream>> {
        let (stream, peer): (TcpStream, SocketAddr) = self.socket.accept()?;
        stream.set_nonblocking(true)?;
        let stream = super::stream::Stream::new(stream, self.tls.clone());
        Ok(peer.ip().is_loopback().then_some(stream))
    }
}

impl AsFd for Entrance {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
