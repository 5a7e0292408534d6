//! What `pizauth info` prints: this program's facts and, where one runs, the server's.
//!
//! Needs neither a server nor a configuration.

use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use super::status::{pretty, unreadable};
use super::time::Clock;
use super::{ClientError, ask, fail};
use crate::console::{self, one_line};
use crate::exit::Exit;
use crate::paths::{PathError, RuntimePaths, config_file, control_socket};
use crate::protocol::{Request, ServerInfo};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Prints the facts. That there is no server is one of them, and not an error.
pub(super) fn run(as_json: bool, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
    let facts = Facts {
        config: config_file(None),
        paths: RuntimePaths::find(),
        socket: control_socket(),
        server: ask(&Request::Info),
    };
    let text = match as_json {
        true => facts.json(),
        false => Ok(facts.text(&Clock::read())),
    };
    match text {
        Ok(text) => console::document(&text, out, err),
        Err(error) => fail(&error, err),
    }
}

struct Facts {
    config: Result<PathBuf, PathError>,
    paths: RuntimePaths,
    /// Where the server was looked for.
    socket: PathBuf,
    /// The server's own facts as it sent them, so that JSON has those which this version does not
    /// know.
    server: Result<Value, ClientError>,
}

impl Facts {
    fn json(&self) -> Result<String, ClientError> {
        let mut facts = json!({
            "version": VERSION,
            "config": self.config.as_ref().ok().map(|path| path.to_string_lossy()),
            "runtime_dir": self.paths.dir.to_string_lossy(),
            "socket": self.socket.to_string_lossy(),
            "server": self.server.as_ref().ok(),
        });
        match &self.server {
            Ok(_) | Err(ClientError::NotRunning) => {}
            Err(error) => facts["server_error"] = error.to_string().into(),
        }
        pretty(&facts)
    }

    fn text(&self, clock: &Clock) -> String {
        let mut text = String::new();
        let config = match &self.config {
            Ok(path) => path.to_string_lossy().into_owned(),
            Err(error) => error.to_string(),
        };
        line(&mut text, "version", VERSION);
        line(&mut text, "configuration", &config);
        line(
            &mut text,
            "runtime directory",
            &self.paths.dir.to_string_lossy(),
        );
        line(&mut text, "socket", &self.socket.to_string_lossy());
        match self.server.as_ref().map(ServerInfo::deserialize) {
            Ok(Ok(server)) => server_text(&mut text, &server, &config, clock),
            Ok(Err(_)) => line(&mut text, "server", &unreadable().to_string()),
            Err(ClientError::NotRunning) => line(&mut text, "server", "not running"),
            Err(error) => line(&mut text, "server", &error.to_string()),
        }
        text
    }
}

fn server_text(text: &mut String, server: &ServerInfo, config: &str, clock: &Clock) {
    line(text, "server", &format!("running, pid {}", server.pid));
    line(text, "  version", &server.version);
    line(text, "  started", &clock.tell(&server.started_at));
    if server.config != config {
        line(text, "  configuration", &server.config);
    }
    listeners(text, server);
    line(text, "  accounts", &server.accounts.to_string());
    if let Some(error) = &server.keeping_error {
        line(text, "  tokens not kept", error);
    }
    let (held, missing): (Vec<_>, Vec<_>) = server.protections.iter().partition(|it| it.in_force);
    if !held.is_empty() {
        let names: Vec<&str> = held.iter().map(|it| it.name.as_str()).collect();
        line(text, "  protected by", &names.join(", "));
    }
    for it in missing {
        let reason = it.reason.as_deref().unwrap_or("no reason is known");
        line(text, "  not protected", &format!("{}: {reason}", it.name));
    }
    if server.version != VERSION {
        line(
            text,
            "note",
            &format!(
                "the server is version {} and this client is {VERSION}: \
                 restart the server to have the same",
                server.version
            ),
        );
    }
}

fn listeners(text: &mut String, server: &ServerInfo) {
    match (
        server.http_listen.is_empty(),
        server.https_listen.is_empty(),
    ) {
        (true, true) => line(text, "  listens at", "nowhere"),
        (true, false) => {}
        (false, _) => line(text, "  listens at", &server.http_listen.join(", ")),
    }
    if !server.https_listen.is_empty() {
        line(text, "  https at", &server.https_listen.join(", "));
    }
    if let Some(fingerprint) = &server.https_fingerprint {
        line(text, "  certificate", &format!("SHA-256 {fingerprint}"));
    }
}

fn line(text: &mut String, label: &str, value: &str) {
    let label = format!("{label}:");
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{label:18} {}", one_line(value));
}

#[cfg(test)]
mod tests;
