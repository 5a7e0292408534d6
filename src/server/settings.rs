//! What changes with the configuration, all at once: the configuration itself, and what is made of
//! it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{Config, RedirectUri};
use crate::server::provider::Provider;
use crate::server::redirect::Listeners;

/// What changes with the configuration.
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) provider: Provider,
    /// The redirect listeners, which the redirect thread takes from; here to be handed on.
    redirect: Mutex<Listeners>,
}

impl Settings {
    pub(super) fn new(config: Config, redirect: Listeners) -> Arc<Self> {
        let provider = Provider::new(&config);
        Arc::new(Self {
            config,
            provider,
            redirect: Mutex::new(redirect),
        })
    }

    pub(super) fn redirect(&self) -> Listeners {
        let redirect = self.redirect.lock();
        redirect.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets go of the redirect listeners: somebody may still hold these settings for as long as a
    /// request to a provider takes.
    pub(super) fn close(&self) {
        let redirect = self.redirect.lock();
        *redirect.unwrap_or_else(PoisonError::into_inner) = Listeners::default();
    }

    /// What is put into `uri` where it names no port: that of the listener for its scheme.
    pub(super) fn redirect_port(&self, uri: &RedirectUri) -> u16 {
        let addresses = self.redirect().addresses(uri.is_https());
        addresses.first().map_or(0, SocketAddr::port)
    }
}
