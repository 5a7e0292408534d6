//! Files that a configuration names. Read when it is loaded, so that a mistake is heard of then and
//! not at the first request to the provider.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use crate::files;

/// The longest file: the certificates of whole systems take a quarter of a MiB.
const MAX_PEM: u64 = 4 * 1024 * 1024;
/// What to say of a file that begins like PEM and does not go on so.
const NOT_PEM: &str = "this file is not well-formed PEM";

/// What is wrong with a file: in words, and what to do about it.
pub(super) type Complaint = (String, String);

/// What a file should have in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Content {
    /// PEM certificates.
    Certificates,
    /// A PEM private key.
    PrivateKey,
}

impl Content {
    const fn name_one(self) -> &'static str {
        match self {
            Self::Certificates => "name a file of PEM certificates",
            Self::PrivateKey => "name a PEM file with a private key",
        }
    }
}

/// Files that were looked at. Accounts often share one.
pub(super) struct Files<'s> {
    /// Relative paths start here.
    base: &'s Path,
    /// `~/` stands for this.
    home: Option<&'s Path>,
    seen: HashMap<(PathBuf, Content), Result<PathBuf, Complaint>>,
}

impl<'s> Files<'s> {
    pub(super) fn new(base: &'s Path, home: Option<&'s Path>) -> Self {
        Self {
            base,
            home,
            seen: HashMap::new(),
        }
    }

    /// The full path of a file, once it proved to have such a content.
    pub(super) fn check(&mut self, written: &str, content: Content) -> Result<PathBuf, Complaint> {
        let path = self.resolve(written)?;
        let checked = self
            .seen
            .entry((path.clone(), content))
            .or_insert_with(|| check(&path, content));
        checked.clone()
    }

    fn resolve(&self, written: &str) -> Result<PathBuf, Complaint> {
        match (written.strip_prefix("~/"), self.home) {
            (Some(rest), Some(home)) => Ok(home.join(rest)),
            (Some(_), None) => Err((
                "$HOME is not set".into(),
                "write the path in full, without '~'".into(),
            )),
            (None, _) if written.starts_with('~') => Err((
                "only '~/' is expanded".into(),
                "write the path in full".into(),
            )),
            (None, _) => Ok(self.base.join(written)),
        }
    }
}

fn check(path: &Path, content: Content) -> Result<PathBuf, Complaint> {
    if let Some(pem) = read(path, content)? {
        match content {
            Content::Certificates => certificates(&pem).map(|_| ())?,
            Content::PrivateKey => private_key(&pem).map(|_| ())?,
        }
    }
    // The server leaves its working directory later.
    std::path::absolute(path).map_err(|error| unreadable(&error, content))
}

fn unreadable(error: &std::io::Error, content: Content) -> Complaint {
    let why = without_number(error);
    (
        format!("cannot be read: {why}"),
        content.name_one().to_owned(),
    )
}

/// What is in a file; `None` where this is not the process that can say so.
fn read(path: &Path, content: Content) -> Result<Option<Zeroizing<Vec<u8>>>, Complaint> {
    let complaint = |title: &str| (title.to_owned(), content.name_one().to_owned());
    // Opening a pipe that nobody writes to would block.
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(&error, content))?;
    if !metadata.is_file() {
        return Err(complaint("is not a file"));
    }
    // With room for all of it from the start: a key leaves no copy behind when the buffer grows.
    let size = metadata.len().min(MAX_PEM) + 1;
    let mut pem = Zeroizing::new(Vec::with_capacity(
        usize::try_from(size).unwrap_or_default(),
    ));
    let file = match files::open(path) {
        // Only where this configuration has mistakes elsewhere: those are for the user to hear of.
        Err(error) if files::is_not_named(&error) => return Ok(None),
        opened => opened.map_err(|error| unreadable(&error, content))?,
    };
    file.take(MAX_PEM + 1)
        .read_to_end(&mut pem)
        .map_err(|error| unreadable(&error, content))?;
    if pem.len() as u64 > MAX_PEM {
        return Err(complaint("is larger than 4 MiB"));
    }
    Ok(Some(pem))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Complaint> {
    let damaged = |_| ("is damaged".into(), NOT_PEM.into());
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(damaged)?;
    if found.is_empty() {
        let label = "expected a file with '-----BEGIN CERTIFICATE-----' in it";
        return Err(("has no certificate in it".into(), label.into()));
    }
    Ok(found)
}

/// What PEM files have in them whose key needs a passphrase (RFC 7468 section 11, RFC 1421).
const ENCRYPTED: [&[u8]; 2] = [b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED"];

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, Complaint> {
    let has = |words: &[u8]| pem.windows(words.len()).any(|part| part == words);
    if ENCRYPTED.into_iter().any(has) {
        let label = "name a file with a key that needs no passphrase";
        return Err(("is encrypted".into(), label.into()));
    }
    match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => {
            let label = "expected a file with '-----BEGIN PRIVATE KEY-----' in it";
            Err(("has no private key in it".into(), label.into()))
        }
        Err(_) => Err(("is damaged".into(), NOT_PEM.into())),
    }
}

/// Whether the files, each of which is good by itself, can be used together.
pub(super) fn fit(cert: &Path, key: &Path) -> Result<(), Complaint> {
    let (Some(chain), Some(key)) = (
        read(cert, Content::Certificates)?,
        read(key, Content::PrivateKey)?,
    ) else {
        return Ok(());
    };
    let chain = certificates(&chain)?;
    let key = private_key(&key)?;
    let provider = rustls::crypto::ring::default_provider();
    match CertifiedKey::from_der(chain, key, &provider) {
        Ok(_) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => Err((
            "is not the key of the certificate".into(),
            "name the key that 'https_cert' was made with".into(),
        )),
        Err(_) => Err((
            "cannot be used with the certificate".into(),
            "use an X.509 certificate with an ECDSA, Ed25519 or RSA key".into(),
        )),
    }
}

/// An error of the operating system in words alone.
pub(in crate::config) fn without_number(error: &std::io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    words.to_ascii_lowercase()
}
