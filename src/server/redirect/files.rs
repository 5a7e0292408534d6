//! Reads `https_cert` and `https_key`: PEM files of the user's.
//!
//! That they are good and belong together was seen when the configuration was loaded, which can
//! mark the place of a mistake. Whatever is wrong with them still has come about since.

use std::io::{self, Read};
use std::path::Path;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use crate::config::{Access, User};
use crate::console::describe;
use crate::files;

/// The longest file: real ones have a few KiB, and texts beside the certificates.
const MAX_FILE: usize = 256 * 1024;

/// What the certificates may take up together. They must fit into an empty socket's buffer, with
/// the rest of the handshake's answer; four certificates of the largest usual kind do.
const MAX_CHAIN: usize = 10 * 1024;

/// What the files say.
pub(super) struct Files {
    pub(super) certified: CertifiedKey,
    /// The listener's own certificate, before those that it follows from.
    pub(super) first: CertificateDer<'static>,
    /// What a person should know.
    pub(super) warning: Option<String>,
}

/// Reads both files.
///
/// # Errors
/// Where they are of no use; the text is for people.
pub(super) fn read(cert: &Path, key: &Path) -> Result<Files, String> {
    let (cert_shown, key_shown) = (cert.display(), key.display());
    let chain = read_chain(cert)?;
    let Some(first) = chain.first().cloned() else {
        return Err(format!(
            "https_cert: '{cert_shown}' has no certificate in PEM format in it"
        ));
    };
    let text = read_file("https_key", key)?;
    // The error's own text may quote the file.
    let private = PrivateKeyDer::from_pem_slice(&text).map_err(|_| {
        format!("https_key: '{key_shown}' has no private key in PEM format in it that needs no passphrase")
    })?;
    let certified = CertifiedKey::from_der(chain, private, &default_provider()).map_err(|_| {
        format!(
            "https_key: '{key_shown}' cannot be used with the first certificate in '{cert_shown}'"
        )
    })?;
    Ok(Files {
        certified,
        first,
        warning: warning(key),
    })
}

fn read_chain(cert: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = cert.display();
    let text = read_file("https_cert", cert)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("https_cert: '{shown}' is not in PEM format: {error}"))?;
    if chain.iter().map(|it| it.len()).sum::<usize>() > MAX_CHAIN {
        return Err(format!(
            "https_cert: the certificates in '{shown}' take up more than {} KiB: \
             leave out those that browsers have",
            MAX_CHAIN / 1024
        ));
    }
    Ok(chain)
}

fn read_file(option: &str, path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let failed = |error: io::Error| {
        let why = describe(&error);
        format!("{option}: cannot read '{}': {why}", path.display())
    };
    // All the room at once: a `Vec` that grows leaves copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_FILE + 1));
    let file = files::open(path).map_err(failed)?;
    file.take(MAX_FILE as u64 + 1)
        .read_to_end(&mut text)
        .map_err(failed)?;
    if text.len() > MAX_FILE {
        let most = MAX_FILE / 1024;
        return Err(format!(
            "{option}: '{}' is longer than {most} KiB",
            path.display()
        ));
    }
    Ok(text)
}

/// Whether somebody else may have the key.
fn warning(key: &Path) -> Option<String> {
    let access = Access::to(&std::fs::metadata(key).ok()?);
    access.is_exposed(User::of_process()).then(|| {
        format!(
            "https_key: '{0}' is open to other users: run 'chmod 600 {0}'",
            key.display()
        )
    })
}
