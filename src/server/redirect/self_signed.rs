//! Makes a certificate for the loopback names that is signed by itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use jiff::tz::TimeZone;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SignatureAlgorithm,
    SigningKey, date_time_ymd,
};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::clock::Timestamp;

/// How long it is valid. Some systems accept no more than 825 days, and a person has to accept
/// another one each time.
const LIFETIME: Duration = Duration::from_secs(820 * 24 * 3600);

/// For how long it has been valid already: the browser's clock may be another one (`ssh -L`).
const BEFORE: Duration = Duration::from_secs(24 * 3600);

/// Bytes of the serial number, which must not be that of another certificate of the same issuer
/// (RFC 5280 section 4.1.2.2).
const SERIAL: usize = 16;

/// A certificate that was signed by itself.
pub(super) struct Own {
    pub(super) certificate: Vec<u8>,
    /// PKCS #8.
    pub(super) key: Zeroizing<Vec<u8>>,
    pub(super) expires: Timestamp,
}

/// Makes one with a fresh key.
///
/// # Errors
/// Where the system has no random numbers.
pub(super) fn make(now: Timestamp) -> Result<Own, rcgen::Error> {
    let random = SystemRandom::new();
    let key = Key::new(&random)?;
    let expires = now + LIFETIME;
    let params = params(&key, now - BEFORE, expires)?;
    Ok(Own {
        certificate: params.self_signed(&key)?.der().to_vec(),
        key: key.text,
        expires,
    })
}

fn params(
    key: &Key,
    begins: Timestamp,
    expires: Timestamp,
) -> Result<CertificateParams, rcgen::Error> {
    let mut serial = [0; SERIAL];
    key.random
        .fill(&mut serial)
        .map_err(|_| no_random_numbers())?;
    // A positive number, and as long as all others.
    serial[0] = serial[0] & 0x7f | 0x40;
    let mut params = CertificateParams::default();
    params.serial_number = Some(serial.to_vec().into());
    let day = |time: Timestamp| {
        let date = time.to_zoned(TimeZone::UTC).date();
        date_time_ymd(
            date.year().into(),
            date.month().unsigned_abs(),
            date.day().unsigned_abs(),
        )
    };
    params.not_before = day(begins);
    params.not_after = day(expires);
    params.subject_alt_names = vec![
        SanType::DnsName("localhost".try_into()?),
        SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
    ];
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, "pizauth on this machine");
    params
        .distinguished_name
        .push(DnType::CommonName, "localhost");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_identifier_method = KeyIdMethod::PreSpecified(identifier(key));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

/// What tells the key from others (RFC 7093 section 2, the first way).
fn identifier(key: &Key) -> Vec<u8> {
    Sha256::digest(key.der_bytes())[..20].to_vec()
}

fn no_random_numbers() -> rcgen::Error {
    rcgen::Error::RemoteKeyError
}

/// A key on the curve that all browsers know.
struct Key {
    pair: EcdsaKeyPair,
    /// PKCS #8.
    text: Zeroizing<Vec<u8>>,
    random: SystemRandom,
}

impl Key {
    fn new(random: &SystemRandom) -> Result<Self, rcgen::Error> {
        let kind = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let text = EcdsaKeyPair::generate_pkcs8(kind, random).map_err(|_| no_random_numbers())?;
        let text = Zeroizing::new(text.as_ref().to_vec());
        let pair = EcdsaKeyPair::from_pkcs8(kind, &text, random)
            .map_err(|_| rcgen::Error::RemoteKeyError)?;
        Ok(Self {
            pair,
            text,
            random: random.clone(),
        })
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signed = self.pair.sign(&self.random, message);
        let signature = signed.map_err(|_| no_random_numbers())?;
        Ok(signature.as_ref().to_vec())
    }
}
