//! Certificates of both kinds, and files that are of no use.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::*;

const DAY: i64 = 24 * 3600;

fn made() -> Arc<Certificate> {
    Certificate::get(&HttpsCertificate::SelfSigned, None).unwrap()
}

#[test]
fn it_is_made_for_as_long_as_all_systems_accept() {
    let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
    let own = self_signed::make(now).unwrap();
    let days = (own.expires.as_second() - now.as_second()) / DAY;
    assert_eq!(days, 820);
    // Both dates are in it, in the order in which it has them (RFC 5280 section 4.1.2.5.1).
    let text = String::from_utf8_lossy(&own.certificate).into_owned();
    let begin = text.find("261121000000Z").unwrap();
    let end = text.find("290219000000Z").unwrap();
    assert!(begin < end);
    assert!(text.contains("localhost") && text.contains("pizauth on this machine"));
}

#[test]
fn the_fingerprint_is_written_as_browsers_do() {
    let fingerprint = made().fingerprint().to_owned();
    assert_eq!(fingerprint.len(), 32 * 3 - 1);
    assert!(fingerprint.split(':').all(|byte| byte.len() == 2));
    assert_eq!(fingerprint, fingerprint.to_uppercase());
    assert!(super::fingerprint(b"").starts_with("E3:B0:C4:42:98:FC:1C:14:"));
}

#[test]
fn no_two_are_alike() {
    assert_ne!(made().fingerprint(), made().fingerprint());
}

#[test]
fn it_is_kept_and_handed_over_until_it_is_old() {
    let wanted = HttpsCertificate::SelfSigned;
    let first = made();
    let kept = Certificate::get(&wanted, Some(&first)).unwrap();
    assert!(Arc::ptr_eq(&first, &kept));
    let text = serde_json::to_string(&first.hand_over().unwrap()).unwrap();
    let mut handed: Handed = serde_json::from_str(&text).unwrap();
    let taken = Certificate::take_over(&handed).unwrap();
    assert_eq!(taken.fingerprint(), first.fingerprint());
    let kept = Certificate::get(&wanted, Some(&taken)).unwrap();
    assert_eq!(kept.fingerprint(), first.fingerprint());
    handed.expires = clock::now().wall.as_second() + 29 * DAY;
    let old = Certificate::take_over(&handed).unwrap();
    let new = Certificate::get(&wanted, Some(&old)).unwrap();
    assert_ne!(new.fingerprint(), first.fingerprint());
    handed.key = Zeroizing::new("AAAA".into());
    assert!(Certificate::take_over(&handed).is_none());
}

/// A directory with PEM files in it, which goes with it.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let name = format!("pizauth-pem-{}-{name}", std::process::id());
        let dir = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&dir.0).unwrap();
        dir
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn pem(label: &str, bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .map(|at| &text[at..text.len().min(at + 64)])
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// A certificate and its key.
fn pair() -> (String, String) {
    let own = self_signed::make(clock::now().wall).unwrap();
    (
        pem("CERTIFICATE", &own.certificate),
        pem("PRIVATE KEY", &own.key),
    )
}

fn get(cert: &Path, key: &Path) -> Result<Arc<Certificate>, String> {
    let wanted = HttpsCertificate::Files {
        cert: cert.into(),
        key: key.into(),
    };
    Certificate::get(&wanted, None)
}

#[test]
fn files_are_used_and_read_again() {
    let dir = Dir::new("used");
    let (first, key) = pair();
    let (other, _) = pair();
    // Others may follow it, and text may be beside it.
    let chain = format!("Some text\n{first}{other}");
    let (cert, key) = (dir.write("cert", &chain), dir.write("key", &key));
    let before = get(&cert, &key).unwrap();
    assert_eq!(before.warning(), None);
    assert!(before.hand_over().is_none());
    let (renewed, new_key) = pair();
    dir.write("cert", &renewed);
    dir.write("key", &new_key);
    let after = get(&cert, &key).unwrap();
    assert_ne!(before.fingerprint(), after.fingerprint());
    // Both in one file are fine, too.
    let both = dir.write("both", &(renewed + &new_key));
    let same = get(&both, &both).unwrap();
    assert_eq!(same.fingerprint(), after.fingerprint());
}

#[test]
fn a_key_that_is_open_to_others_is_warned_of() {
    let dir = Dir::new("open");
    let (cert, key) = pair();
    let (cert, key) = (dir.write("cert", &cert), dir.write("key", &key));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let certificate = get(&cert, &key).unwrap();
    let warning = certificate.warning().unwrap();
    assert!(warning.contains("chmod 600"), "{warning}");
}

#[test]
fn files_that_are_of_no_use_are_told_apart() {
    let dir = Dir::new("bad");
    let (cert_text, key_text) = pair();
    let cert = dir.write("cert", &cert_text);
    let key = dir.write("key", &key_text);
    let other = dir.write("other", &pair().1);
    let empty = dir.write("empty", "");
    let rubbish = dir.write("rubbish", &pem("CERTIFICATE", b"rubbish"));
    let rubbish_key = dir.write("rubbish-key", &pem("PRIVATE KEY", b"rubbish"));
    let encrypted = dir.write("encrypted", &pem("ENCRYPTED PRIVATE KEY", b"rubbish"));
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: \
               AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let old = dir.write("old", old);
    let long = dir.write("long", &"x".repeat(300 * 1024));
    let many = dir.write("many", &cert_text.repeat(40));
    let none = dir.0.join("none");
    for (cert, key, why) in [
        (&none, &key, "https_cert: cannot read"),
        (&cert, &none, "https_key: cannot read"),
        (&cert, &dir.0, "https_key: cannot read"),
        (&empty, &key, "no certificate in PEM"),
        (&key, &key, "no certificate in PEM"),
        (&rubbish, &key, "cannot be used with the first certificate"),
        (&cert, &empty, "no private key in PEM"),
        (&cert, &cert, "no private key in PEM"),
        (&cert, &rubbish_key, "cannot be used"),
        (&cert, &other, "cannot be used with the first certificate"),
        (&cert, &encrypted, "needs no passphrase"),
        (&cert, &old, "needs no passphrase"),
        (&long, &key, "longer than"),
        (&many, &key, "take up more than"),
    ] {
        let error = get(cert, key).err().unwrap();
        assert!(error.contains(why), "'{error}' instead of '{why}'");
    }
}
