//! What a configuration knows of its providers, beside what is written in it: the metadata of
//! issuers and the secrets that commands print. Both are fetched when they are first needed, and
//! anew with each configuration. Whoever asks may have to wait.

use std::time::Duration;

use crate::config::{Account, ClientAuth, Config, Issuer, SecretSource};
use crate::oauth::client::Authentication;
use crate::oauth::endpoints::Endpoints;
use crate::oauth::metadata::{self, Metadata, MetadataFault};
use crate::oauth::token::{Failure, FailureKind};
use crate::secret::ClientSecret;
use crate::server::fetched::Fetched;
use crate::server::shell::{self, Command};
use crate::transport::Transport;

/// How long `client_secret_cmd` may take: a password store may ask its user for the key.
const SECRET_LIMIT: Duration = Duration::from_secs(60);

/// What is known of providers under one configuration.
pub(super) struct Provider {
    pub(super) transport: Transport,
    metadata: Fetched<Metadata>,
    secrets: Fetched<ClientSecret>,
}

impl Provider {
    pub(super) fn new(config: &Config) -> Self {
        let accounts = config.accounts.iter();
        let ca_files = accounts.filter_map(|account| account.ca_file.clone());
        Self {
            transport: Transport::new(ca_files),
            metadata: Fetched::default(),
            secrets: Fetched::default(),
        }
    }

    /// An account's endpoints, where that takes no request.
    pub(super) fn endpoints_at_hand(&self, account: &Account) -> Option<Endpoints> {
        Endpoints::written(account).or_else(|| {
            let metadata = self.metadata.at_hand(&metadata_key(account)?)?;
            Endpoints::discovered(account, &metadata).ok()
        })
    }

    /// An account's endpoints.
    ///
    /// # Errors
    /// Where the issuer cannot be asked, or its answer will not do.
    pub(super) fn endpoints(&self, account: &Account) -> Result<Endpoints, Failure> {
        if let Some(endpoints) = Endpoints::written(account) {
            return Ok(endpoints);
        }
        let (Some(issuer), Some(key)) = (&account.authority.issuer, metadata_key(account)) else {
            return Err(misconfigured(
                "the provider's endpoints are not known".into(),
            ));
        };
        let metadata = self.metadata.get(&key, || self.discover(account, issuer))?;
        Endpoints::discovered(account, &metadata).map_err(misconfigured)
    }

    /// Asks at each place where the metadata may be (RFC 8414 section 3, OpenID Connect Discovery
    /// section 4).
    fn discover(&self, account: &Account, issuer: &Issuer) -> Result<Metadata, Failure> {
        let ca_file = account.ca_file.as_deref();
        let found = metadata::search(issuer, |location| {
            let response = self.transport.get(location, ca_file).map_err(passing)?;
            Ok(metadata::parse(issuer, account.dialect, response.answer()))
        });
        found?.map_err(|fault| failure(&fault, issuer))
    }

    /// What proves the account's client.
    ///
    /// # Errors
    /// Where the command that prints the secret does not.
    pub(super) fn authentication(&self, account: &Account) -> Result<Authentication, Failure> {
        Authentication::new(&account.authority.client_auth, |script| {
            let fetch = || run_secret_cmd(account, script).map_err(passing);
            self.secrets.get(&secret_key(account, script), fetch)
        })
    }

    /// Lets go of the secret that the account's command has printed: it is run again when one is
    /// needed. Does not wait for one that is running.
    pub(super) fn forget_secret(&self, account: &Account) {
        if let Some(script) = secret_cmd(account) {
            self.secrets.drop_value(&secret_key(account, script));
        }
    }

    /// Runs the account's command again, since the provider does not know the secret that was
    /// used. Whether there is another one now.
    pub(super) fn renew_secret(&self, account: &Account, used: &Authentication) -> bool {
        let (Some(script), Some(used)) = (secret_cmd(account), used.secret()) else {
            return false;
        };
        self.secrets.forget(&secret_key(account, script), used);
        let renewed = self.authentication(account);
        renewed.is_ok_and(|renewed| renewed.secret().is_some_and(|secret| secret != used))
    }
}

/// Whom to ask, and whom to trust doing so.
fn metadata_key(account: &Account) -> Option<String> {
    let issuer = account.authority.issuer.as_ref()?;
    Some(format!("{} {:?}", issuer.identifier, account.ca_file))
}

/// The command that prints the account's secret, where one does.
fn secret_cmd(account: &Account) -> Option<&str> {
    match &account.authority.client_auth {
        ClientAuth::Post(SecretSource::Command(script))
        | ClientAuth::Basic(SecretSource::Command(script)) => Some(script),
        _ => None,
    }
}

/// The command is told the account, and so may print another secret for each.
fn secret_key(account: &Account, script: &str) -> String {
    format!("{}\n{script}", account.name)
}

/// The first line of what the command prints, as password stores have it.
fn run_secret_cmd(account: &Account, script: &str) -> Result<ClientSecret, String> {
    let finished = shell::pipe(
        &Command {
            option: "client_secret_cmd",
            script: script.into(),
            environment: vec![("PIZAUTH_ACCOUNT", account.name.to_string())],
            limit: SECRET_LIMIT,
        },
        None,
    );
    if finished.ended.code() != Some(0) {
        return Err(format!("client_secret_cmd {}", finished.ended));
    }
    let line = finished.output.split(|&byte| byte == b'\n').next();
    let line = line.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    match line.map(std::str::from_utf8) {
        Some(Ok(secret)) if !secret.is_empty() => Ok(ClientSecret::new(secret.into())),
        Some(Err(_)) => Err("client_secret_cmd printed something that is not UTF-8".into()),
        _ => Err("client_secret_cmd printed nothing in its first line".into()),
    }
}

/// A failure that says nothing of the tokens, and may be gone the next time.
pub(super) fn passing(reason: String) -> Failure {
    Failure {
        kind: FailureKind::Passing { retry_after: None },
        reason,
        rotated: None,
    }
}

fn failure(fault: &MetadataFault, issuer: &Issuer) -> Failure {
    match fault {
        MetadataFault::NotThere => misconfigured(format!(
            "the issuer {} tells nothing of its endpoints: is it right?",
            issuer.identifier
        )),
        MetadataFault::Passing(reason) => passing(reason.clone()),
        MetadataFault::Wrong(reason) => misconfigured(reason.clone()),
    }
}

/// A failure that will not go by itself.
pub(super) fn misconfigured(reason: String) -> Failure {
    Failure {
        kind: FailureKind::Misconfigured,
        reason,
        rotated: None,
    }
}
