//! HTTP towards the providers: the only place that knows ureq.
//!
//! Sends a form or asks for a document, and brings back what came. Knows nothing of accounts or
//! tokens, and never follows a redirect: it would carry secrets to somewhere else.

use std::collections::HashMap;
use std::fmt;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use ureq::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, RETRY_AFTER};
use ureq::http::{self, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body, Timeout};
use url::Url;
use zeroize::Zeroizing;

use crate::files;
use crate::oauth::token::{Answer, TokenRequest};

/// The longest answer that is read. Real ones have some KiB.
const MAX_ANSWER: u64 = 1024 * 1024;

/// What is received goes through this, and an answer's headers must fit. By itself ureq takes as
/// much as a quarter of a MiB for each request, and there may be a hundred at once.
const INPUT_BUFFER: usize = 32 * 1024;

/// The longest headers of an answer. Less than the buffer, or an answer with endless headers would
/// only end with the time.
const MAX_HEADERS: usize = 24 * 1024;

/// What is sent goes through this, and a request's headers must fit.
const OUTPUT_BUFFER: usize = 16 * 1024;

/// How long a request may take from the first to the last byte of the answer.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// How long a connection may take to come about.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// How requests are made: one agent for each set of trusted certificates, made when it is first
/// needed, since reading the system's certificates takes longer than all the rest.
pub struct Transport {
    plain: OnceLock<Agent>,
    secure: HashMap<Option<PathBuf>, OnceLock<Agent>>,
}

/// What came back, whatever its status.
pub struct Response {
    status: u16,
    content_type: Option<String>,
    retry_after: Option<String>,
    date: Option<String>,
    body: Zeroizing<Vec<u8>>,
}

impl Response {
    /// The part of it that `oauth` reads.
    #[must_use]
    pub fn answer(&self) -> Answer<'_> {
        Answer {
            status: self.status,
            content_type: self.content_type.as_deref(),
            retry_after: self.retry_after.as_deref(),
            body: &self.body,
        }
    }

    /// The Date header (RFC 9110 section 6.6.1).
    #[must_use]
    pub fn date(&self) -> Option<&str> {
        self.date.as_deref()
    }
}

impl Transport {
    /// One that will be asked to trust these files' certificates, beside the system's.
    pub fn new(ca_files: impl IntoIterator<Item = PathBuf>) -> Self {
        let trusts = ca_files.into_iter().map(Some).chain([None]);
        Self {
            plain: OnceLock::new(),
            secure: trusts.map(|file| (file, OnceLock::new())).collect(),
        }
    }

    /// Sends a form.
    ///
    /// # Errors
    /// What went wrong on the way, in plain words.
    pub fn post(
        &self,
        uri: &Url,
        ca_file: Option<&Path>,
        request: &TokenRequest,
    ) -> Result<Response, String> {
        let mut post = self
            .agent(uri, ca_file)?
            .post(uri.as_str())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = &request.authorization {
            post = post.header(AUTHORIZATION, authorization.expose());
        }
        receive(post.send(request.form.expose().as_bytes()), uri)
    }

    /// Asks for a document.
    ///
    /// # Errors
    /// What went wrong on the way, in plain words.
    pub fn get(&self, uri: &Url, ca_file: Option<&Path>) -> Result<Response, String> {
        let get = self.agent(uri, ca_file)?.get(uri.as_str());
        receive(get.header(ACCEPT, "application/json").call(), uri)
    }

    fn agent(&self, uri: &Url, ca_file: Option<&Path>) -> Result<Agent, String> {
        if uri.scheme() == "http" {
            return Ok(self.plain.get_or_init(|| agent(None)).clone());
        }
        let Some(slot) = self.secure.get(&ca_file.map(Path::to_path_buf)) else {
            // The configuration was changed since this request was ordered.
            return Ok(agent(Some(tls(ca_file)?)));
        };
        if let Some(agent) = slot.get() {
            return Ok(agent.clone());
        }
        let made = agent(Some(tls(ca_file)?));
        Ok(slot.get_or_init(|| made).clone())
    }
}

fn receive(sent: Result<http::Response<Body>, ureq::Error>, uri: &Url) -> Result<Response, String> {
    let host = uri.host_str().unwrap_or("the provider");
    let mut response = sent.map_err(|error| explain(&error, host))?;
    let mut body = Zeroizing::new(Vec::new());
    response
        .body_mut()
        .with_config()
        .limit(MAX_ANSWER)
        .reader()
        .read_to_end(&mut body)
        .map_err(|error| explain_io(&error, host))?;
    let header = |name| {
        let value = response.headers().get(name)?;
        Some(value.to_str().ok()?.to_owned())
    };
    Ok(Response {
        status: response.status().as_u16(),
        content_type: header(CONTENT_TYPE),
        retry_after: header(RETRY_AFTER),
        date: header(DATE),
        body,
    })
}

fn agent(tls: Option<TlsConfig>) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        // A redirect would carry the secrets of the request to somewhere else.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(TIME_LIMIT))
        .timeout_connect(Some(CONNECT_LIMIT))
        // The next request is an hour away: a kept connection would only cost memory.
        .max_idle_connections(0)
        .max_response_header_size(MAX_HEADERS)
        .input_buffer_size(INPUT_BUFFER)
        .output_buffer_size(OUTPUT_BUFFER)
        .user_agent(concat!("pizauth/", env!("CARGO_PKG_VERSION")));
    let config = match tls {
        Some(tls) => config.tls_config(tls),
        // Only what is on this machine is asked in the clear. No proxy could reach that, and each
        // would get to see the secrets.
        None => config.proxy(None),
    };
    Agent::with_parts(config.build(), DefaultConnector::default(), SameThread)
}

fn tls(ca_file: Option<&Path>) -> Result<TlsConfig, String> {
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        log::warn!("the system's trust store: {error}");
    }
    let mut certificates = system.certs;
    if let Some(path) = ca_file {
        certificates.extend(read_certificates(path)?);
    }
    if certificates.is_empty() {
        return Err("the system's trust store has no certificates: install ca-certificates".into());
    }
    let roots = certificates
        .iter()
        .map(|der| Certificate::from_der(der).to_owned());
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::from(roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |error: &dyn fmt::Display| format!("ca_file {}: {error}", path.display());
    let file = files::open(path).map_err(|error| failed(&error))?;
    CertificateDer::pem_reader_iter(BufReader::new(file))
        .collect::<Result<_, _>>()
        .map_err(|error| failed(&error))
}

/// As many addresses as ureq has room for.
const MOST_ADDRESSES: usize = 16;

/// Looks names up on the thread that asks. ureq's own way starts another thread for each look-up,
/// unnamed and unbounded, only to be able to leave it behind; the system's resolver has limits of
/// its own.
#[derive(Debug)]
struct SameThread;

impl Resolver for SameThread {
    fn resolve(
        &self,
        uri: &Uri,
        _config: &ureq::config::Config,
        _timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        use std::net::ToSocketAddrs;
        let host = uri.host().ok_or(ureq::Error::HostNotFound)?;
        let port = uri.port_u16().unwrap_or(match uri.scheme_str() {
            Some("https") => 443,
            _ => 80,
        });
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let mut resolved = self.empty();
        let found = (bare, port).to_socket_addrs().map_err(not_found)?;
        for address in found.take(MOST_ADDRESSES) {
            resolved.push(address);
        }
        if resolved.is_empty() {
            Err(ureq::Error::HostNotFound)
        } else {
            Ok(resolved)
        }
    }
}

/// The resolver's own errors have no number of the system's, and come down to this.
fn not_found(error: std::io::Error) -> ureq::Error {
    match error.raw_os_error() {
        Some(_) => error.into(),
        None => ureq::Error::HostNotFound,
    }
}

/// What went wrong, in plain words.
fn explain(error: &ureq::Error, host: &str) -> String {
    match error {
        ureq::Error::HostNotFound => format!("{host} cannot be found: is the network up?"),
        ureq::Error::ConnectionFailed => format!("no connection to {host}: is the network up?"),
        ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
            format!(
                "no connection to {host} within {} s",
                CONNECT_LIMIT.as_secs()
            )
        }
        ureq::Error::Timeout(_) => {
            format!("{host} did not answer within {} s", TIME_LIMIT.as_secs())
        }
        ureq::Error::BodyExceedsLimit(limit) => {
            format!("the answer of {host} is longer than {limit} bytes")
        }
        ureq::Error::Rustls(error) => explain_tls(error, host),
        ureq::Error::Io(error) => explain_io(error, host),
        error => format!("the request to {host} failed: {error}"),
    }
}

fn explain_io(error: &std::io::Error, host: &str) -> String {
    let inner = error.get_ref();
    if let Some(error) = inner.and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
        return explain(error, host);
    }
    if let Some(error) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return explain_tls(error, host);
    }
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => format!("{host} refuses the connection"),
        _ => format!("the connection to {host} failed: {error}"),
    }
}

fn explain_tls(error: &rustls::Error, host: &str) -> String {
    use rustls::CertificateError as Bad;
    let rustls::Error::InvalidCertificate(bad) = error else {
        return format!("no secure connection to {host}: {error}");
    };
    let why = match bad {
        Bad::UnknownIssuer => {
            "nobody trusted has issued it (a private CA belongs into 'ca_file')".into()
        }
        Bad::Expired | Bad::ExpiredContext { .. } => {
            "it has expired, or the clock of this machine is wrong".into()
        }
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
            "it is not valid yet, or the clock of this machine is wrong".into()
        }
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
            "it is for another name".into()
        }
        other => format!("{other:?}"),
    };
    format!("the certificate of {host} is not accepted: {why}")
}
