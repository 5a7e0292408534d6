//! What the https listener proves itself with: a certificate that is made here and signed by
//! itself, or the user's own.
//!
//! The key of a self-signed one is in memory only. rustls keeps a copy of either kind, which is
//! not wiped when the process ends.

use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::files;
use super::self_signed::{self, Own};
use crate::clock::{self, Timestamp};
use crate::config::HttpsCertificate;

/// What the listener speaks, besides TLS (RFC 7301): a browser that only knows newer ones is
/// refused, rather than misunderstood.
const PROTOCOL: &[u8] = b"http/1.1";

/// A certificate that is valid for less than this, in seconds, is made anew where it can be: 30
/// days.
const LEFT: i64 = 30 * 24 * 3600;

/// A certificate, ready for use.
pub(in crate::server) struct Certificate {
    tls: Arc<ServerConfig>,
    fingerprint: String,
    /// Where it is pizauth's own.
    own: Option<Own>,
    warning: Option<String>,
}

/// A certificate that pizauth made, for the process that takes over: whoever told the browser to
/// trust it need not do so again.
#[derive(Serialize, Deserialize)]
pub(in crate::server) struct Handed {
    /// Base64, as is the key.
    certificate: String,
    key: Zeroizing<String>,
    expires: i64,
}

impl Certificate {
    /// What `wanted` asks for. `before` is what was there so far.
    ///
    /// # Errors
    /// Where the user's files are of no use, or there are no random numbers; the text is for
    /// people.
    pub(super) fn get(
        wanted: &HttpsCertificate,
        before: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, String> {
        match (wanted, before) {
            // Read again, since certificates are renewed in place.
            (HttpsCertificate::Files { cert, key }, _) => {
                let files = files::read(cert, key)?;
                let tls = server_config(files.certified)?;
                Ok(Arc::new(Self {
                    tls,
                    fingerprint: fingerprint(&files.first),
                    own: None,
                    warning: files.warning,
                }))
            }
            (HttpsCertificate::SelfSigned, Some(before)) if before.is_good() => {
                Ok(Arc::clone(before))
            }
            (HttpsCertificate::SelfSigned, _) => {
                let own = self_signed::make(clock::now().wall)
                    .map_err(|error| format!("no certificate for https can be made: {error}"))?;
                Self::of(own).map(Arc::new)
            }
        }
    }

    pub(super) fn of(own: Own) -> Result<Self, String> {
        let certificate = CertificateDer::from(own.certificate.clone());
        let key = PrivatePkcs8KeyDer::from(own.key.as_slice());
        let key = default_provider()
            .key_provider
            .load_private_key(PrivateKeyDer::from(key).clone_key())
            .map_err(|error| format!("the certificate for https cannot be used: {error}"))?;
        Ok(Self {
            fingerprint: fingerprint(&certificate),
            tls: server_config(CertifiedKey::new(vec![certificate], key))?,
            own: Some(own),
            warning: None,
        })
    }

    /// Whether it is pizauth's own, and will be valid for a while.
    fn is_good(&self) -> bool {
        let left = |own: &Own| own.expires.as_second() - clock::now().wall.as_second();
        self.own.as_ref().is_some_and(|own| left(own) > LEFT)
    }

    pub(super) fn tls(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.tls)
    }

    /// SHA-256, in hexadecimal with colons, as browsers show it.
    pub(in crate::server) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// What a person should know of the user's files.
    pub(in crate::server) fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// What the next process needs to go on with it; `None` where that reads the user's files
    /// itself.
    pub(in crate::server) fn hand_over(&self) -> Option<Handed> {
        let own = self.own.as_ref()?;
        Some(Handed {
            certificate: STANDARD.encode(&own.certificate),
            key: Zeroizing::new(STANDARD.encode(own.key.as_slice())),
            expires: own.expires.as_second(),
        })
    }

    /// What another process has handed over. `None` where that is of no use: another one is made.
    pub(in crate::server) fn take_over(handed: &Handed) -> Option<Arc<Self>> {
        let own = Own {
            certificate: STANDARD.decode(&handed.certificate).ok()?,
            key: Zeroizing::new(STANDARD.decode(handed.key.as_bytes()).ok()?),
            expires: Timestamp::from_second(handed.expires).ok()?,
        };
        Self::of(own).ok().map(Arc::new)
    }
}

/// TLS 1.2 and 1.3 with this certificate. Nothing is remembered of a browser that has gone: each
/// comes once.
fn server_config(certified: CertifiedKey) -> Result<Arc<ServerConfig>, String> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("https cannot be spoken: {error}"))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn fingerprint(certificate: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(certificate) {
        let colon = if text.is_empty() { "" } else { ":" };
        // Writing to a string cannot fail.
        let _ = write!(text, "{colon}{byte:02X}");
    }
    text
}

#[cfg(test)]
mod tests;
