//! Files that a configuration names. Read when it is loaded, so that a mistake is heard of then and
//! not at the first request to the provider.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::files;

/// The longest file of certificates: the bundles of whole systems take a quarter of a MiB.
const MAX_CERTIFICATES: u64 = 4 * 1024 * 1024;

/// What is wrong with a file: in words, and what to do about it.
pub(super) type Complaint = (String, String);

/// Files that were looked at. Accounts often share one.
pub(super) struct Files<'s> {
    /// Relative paths start here.
    base: &'s Path,
    /// `~/` stands for this.
    home: Option<&'s Path>,
    seen: HashMap<PathBuf, Result<PathBuf, Complaint>>,
}

impl<'s> Files<'s> {
    pub(super) fn new(base: &'s Path, home: Option<&'s Path>) -> Self {
        Self {
            base,
            home,
            seen: HashMap::new(),
        }
    }

    /// The full path of a file of PEM certificates, once it proved to be one.
    pub(super) fn certificates(&mut self, written: &str) -> Result<PathBuf, Complaint> {
        let path = self.resolve(written)?;
        let checked = self
            .seen
            .entry(path.clone())
            .or_insert_with(|| check(&path));
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

fn check(path: &Path) -> Result<PathBuf, Complaint> {
    let unreadable = |error: std::io::Error| {
        let why = without_number(&error);
        (
            format!("cannot be read: {why}"),
            "name a file of PEM certificates".to_owned(),
        )
    };
    // Opening a pipe that nobody writes to would block.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err((
            "is not a file".into(),
            "name a file of PEM certificates".into(),
        ));
    }
    let mut pem = Vec::new();
    let file = match files::open(path) {
        // Only where this configuration has mistakes elsewhere: those are for the user to hear of.
        Err(error) if files::is_not_named(&error) => return Ok(path.to_owned()),
        opened => opened.map_err(unreadable)?,
    };
    file.take(MAX_CERTIFICATES + 1)
        .read_to_end(&mut pem)
        .map_err(unreadable)?;
    if pem.len() as u64 > MAX_CERTIFICATES {
        return Err((
            "is larger than 4 MiB".into(),
            "name a file of PEM certificates".into(),
        ));
    }
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        if certificate.is_err() {
            return Err((
                "is damaged".into(),
                "this file is not well-formed PEM".into(),
            ));
        }
        count += 1;
    }
    if count == 0 {
        let label = "expected a file with '-----BEGIN CERTIFICATE-----' in it";
        return Err(("has no certificate in it".into(), label.into()));
    }
    // The server leaves its working directory later.
    std::path::absolute(path).map_err(unreadable)
}

/// An error of the operating system in words alone.
pub(in crate::config) fn without_number(error: &std::io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    words.to_ascii_lowercase()
}
