//! What changes with the configuration, all at once: the configuration itself, and what is made of
//! it.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Config;
use crate::server::provider::Provider;

/// What changes with the configuration.
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) provider: Provider,
    /// The redirect listeners, which the redirect thread takes from; here to be handed on.
    redirect: Mutex<Vec<Arc<TcpListener>>>,
}

impl Settings {
    pub(super) fn new(config: Config, redirect: Vec<Arc<TcpListener>>) -> Arc<Self> {
        let provider = Provider::new(&config);
        Arc::new(Self {
            config,
            provider,
            redirect: Mutex::new(redirect),
        })
    }

    pub(super) fn redirect(&self) -> Vec<Arc<TcpListener>> {
        let redirect = self.redirect.lock();
        redirect.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets go of the redirect listeners: somebody may still hold these settings for as long as a
    /// request to a provider takes.
    pub(super) fn close(&self) {
        let redirect = self.redirect.lock();
        redirect.unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What is put into redirect URIs that name no port.
    pub(super) fn redirect_port(&self) -> u16 {
        self.redirect_addresses()
            .first()
            .map_or(0, SocketAddr::port)
    }

    /// Where the redirect listener listens.
    pub(super) fn redirect_addresses(&self) -> Vec<SocketAddr> {
        let redirect = self.redirect();
        let addresses = redirect.iter().map(|listener| listener.local_addr());
        addresses.filter_map(Result::ok).collect()
    }
}
