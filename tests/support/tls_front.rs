//! TLS in front of a provider that has none, with a certificate of the tests' own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/tls")
        .join(name)
}

/// What a `ca_file` must name for the certificate to be trusted.
pub fn ca_file() -> PathBuf {
    data("ca.pem")
}

/// Passes what comes to a free port by TLS on to `behind`, a request for each connection. Returns
/// where it listens.
pub fn in_front_of(behind: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = Arc::new(config());
    let accept = move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let pass = move || {
                // Whoever breaks off is the test's affair.
                let _ = pass_on(StreamOwned::new(connection, stream), behind);
            };
            thread::Builder::new().spawn(pass).unwrap();
        }
    };
    thread::Builder::new().spawn(accept).unwrap();
    address
}

fn config() -> ServerConfig {
    let chain = CertificateDer::pem_file_iter(data("cert.pem")).unwrap();
    let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(data("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth();
    config.with_single_cert(chain, key).unwrap()
}

fn pass_on(
    mut client: StreamOwned<ServerConnection, TcpStream>,
    behind: SocketAddr,
) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while !super::attack::is_whole(&request) {
        match client.read(&mut chunk)? {
            0 => return Ok(()),
            count => request.extend_from_slice(&chunk[..count]),
        }
    }
    let mut server = TcpStream::connect(behind)?;
    server.write_all(&request)?;
    let mut response = Vec::new();
    server.read_to_end(&mut response)?;
    client.write_all(&response)?;
    client.conn.send_close_notify();
    client.flush()
}
