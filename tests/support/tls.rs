//! A browser whose user has compared a certificate's fingerprint with what `pizauth info` says,
//! and trusts exactly that one.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, ring as rustls_ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
};
use sha2::{Digest, Sha256};
use url::Url;

use super::Pizauth;
use super::browser::{Page, get, read_page};
use super::wait::DEADLINE;

/// A connection over TLS.
pub type Secure = StreamOwned<ClientConnection, TcpStream>;

/// Trusts one certificate.
#[derive(Debug)]
struct Trust {
    fingerprint: String,
    provider: CryptoProvider,
}

/// A certificate's SHA-256 fingerprint, as people see it.
pub fn fingerprint(certificate: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(certificate) {
        write!(text, "{byte:02X}:").unwrap();
    }
    text.trim_end_matches(':').to_owned()
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if fingerprint(certificate) == self.fingerprint {
            return Ok(ServerCertVerified::assertion());
        }
        Err(Error::General("another certificate".into()))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// A session that trusts the certificate with this fingerprint.
pub fn session(trusted: &str) -> ClientConnection {
    let provider = rustls_ring::default_provider();
    let trust = Trust {
        fingerprint: trusted.to_owned(),
        provider: provider.clone(),
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(trust))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}

/// A connection to `address`.
#[track_caller]
pub fn connect(address: &str, trusted: &str) -> Secure {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    StreamOwned::new(session(trusted), stream)
}

/// Sends a request, and reads the response to the connection's end, which must be a proper one.
#[track_caller]
pub fn ask(mut stream: Secure, request: &str) -> Page {
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    read_page(response)
}

/// Fetches an https URL; `localhost` is the IPv4 address.
#[track_caller]
pub fn visit(user: &Pizauth, url: &str) -> Page {
    visit_with(&user.fingerprint(), url)
}

/// The same, without asking the server for what to trust.
#[track_caller]
pub fn visit_with(trusted: &str, url: &str) -> Page {
    let parsed = Url::parse(url).unwrap();
    assert_eq!(parsed.scheme(), "https");
    let port = parsed.port().unwrap();
    let address = match parsed.host_str().unwrap() {
        "[::1]" => (Ipv6Addr::LOCALHOST, port).into(),
        _ => std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
    };
    ask(connect(&address.to_string(), trusted), &get(url))
}

/// A certificate for `localhost` and its key in PEM format, and the certificate's fingerprint.
pub fn pem_pair() -> (String, String, String) {
    pem_pair_with(|_| ())
}

/// The same, of a certificate that is changed before it is signed.
pub fn pem_pair_with(
    change: impl FnOnce(&mut rcgen::CertificateParams),
) -> (String, String, String) {
    let kind = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let random = SystemRandom::new();
    let text = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
    let key = Key(EcdsaKeyPair::from_pkcs8(kind, text.as_ref(), &random).unwrap());
    let mut params = rcgen::CertificateParams::default();
    params.serial_number = Some(vec![1].into());
    params.subject_alt_names = vec![rcgen::SanType::DnsName("localhost".try_into().unwrap())];
    change(&mut params);
    let certificate = params.self_signed(&key).unwrap();
    (
        pem("CERTIFICATE", certificate.der()),
        pem("PRIVATE KEY", text.as_ref()),
        fingerprint(certificate.der()),
    )
}

fn pem(label: &str, bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let lines: Vec<_> = lines.collect();
    let text = lines.join("\n");
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

struct Key(EcdsaKeyPair);

impl rcgen::PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature = self.0.sign(&SystemRandom::new(), message).unwrap();
        Ok(signature.as_ref().to_vec())
    }
}
