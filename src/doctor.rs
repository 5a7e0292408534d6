//! `pizauth doctor`: looks at everything that a token depends on, and says what it finds: what is
//! wrong, what that means, and what to do next.
//!
//! Facts are collected at the edge (`look`, `ask`, and the exchange with the server); the rooms
//! between judge them and touch nothing. Works without a server, without a network and with a
//! broken configuration, as far as each goes. Runs no command, sends and prints no secret.

mod ask;
mod discovery;
mod explain;
mod files;
mod finding;
mod listeners;
mod login;
mod look;
mod network;
mod placeholder;
mod providers;
mod redirect;
mod report;
mod scopes;
mod server;
mod skew;
#[cfg(test)]
mod testing;
mod who;

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use self::files::Content;
use self::finding::{Area, Finding};
use self::providers::{Known, key};
use self::redirect::Listening;
use self::who::Who;
use crate::client::time::Clock;
use crate::client::{self, ClientError};
use crate::config::{
    self, Account, Config, ConfigError, FileProblem, GrantType, HttpsCertificate, User,
};
use crate::console::{self, Stdout};
use crate::exit::Exit;
use crate::paths::{self, RuntimePaths};
use crate::protocol::{AccountStatus, Request, ServerInfo, Status};

/// Told to who sits there and waits.
const WAIT: &str =
    "asking the providers: that can take most of a minute where one does not answer\n";

/// Looks at all accounts or at this one, and prints a report, as JSON where that is asked for. The
/// exit code says whether something is wrong.
#[must_use]
pub fn run(account: Option<&str>, as_json: bool) -> Exit {
    let err = &mut io::stderr();
    let patient = Patient::meet();
    if let Some(name) = account
        && !patient.may_have(name)
    {
        let place = patient.config_path.display();
        console::error(err, &format!("there is no account '{name}' in {place}"));
        return Exit::Error;
    }
    if let Err(Some(error)) = &patient.config {
        console::say(err, &error.to_string());
    }
    if io::stderr().is_terminal() {
        console::say(err, WAIT);
    }
    let findings = patient.examine(account);
    let text = match as_json {
        true => report::json(&findings),
        false => report::text(&findings),
    };
    deliver(&text, report::problems(&findings), err)
}

fn deliver(text: &str, problems: usize, err: &mut dyn Write) -> Exit {
    match console::document(text, &mut Stdout, err) {
        Exit::Done if problems > 0 => Exit::Error,
        exit => exit,
    }
}

/// What can be had without asking anyone but the server.
struct Patient {
    paths: RuntimePaths,
    info: Result<ServerInfo, ClientError>,
    /// How the accounts are; `None` where there is no server, or it does not tell.
    status: Option<Status>,
    /// Where a server has its configuration from, unless it is told otherwise.
    default_config: String,
    /// Where this one has it from.
    config_path: PathBuf,
    /// `Err(None)` where there is no telling where it is.
    config: Result<Config, Option<ConfigError>>,
}

impl Patient {
    fn meet() -> Self {
        let info = client::ask::<ServerInfo>(&Request::Info);
        let status = info
            .as_ref()
            .ok()
            .and_then(|_| client::ask(&Request::Status).ok());
        let default = paths::config_file(None);
        let default_config = match &default {
            Ok(path) => path.display().to_string(),
            Err(error) => error.to_string(),
        };
        let served = info.as_ref().ok().map(|info| PathBuf::from(&info.config));
        let path = served.or_else(|| default.ok());
        let config = match &path {
            Some(path) => config::load(path).map_err(Some),
            None => Err(None),
        };
        Self {
            paths: RuntimePaths::find(),
            info,
            status,
            config_path: path.unwrap_or_else(|| PathBuf::from(&default_config)),
            default_config,
            config,
        }
    }

    /// Whether there is an account with this name, as far as can be known.
    fn may_have(&self, name: &str) -> bool {
        let written = self
            .config
            .as_ref()
            .map(|config| find(&config.accounts, name).is_some());
        let served = self
            .status
            .as_ref()
            .map(|status| state_of(status, name).is_some());
        match (written, served) {
            (Ok(written), served) => written || served == Some(true),
            (Err(_), Some(served)) => served,
            (Err(_), None) => true,
        }
    }

    /// All that is found, about this account where one is named.
    fn examine(&self, only: Option<&str>) -> Vec<Finding> {
        let mut findings = self.files();
        findings.extend(server::judge(&self.info, &self.default_config));
        if let (Ok(config), Some(status)) = (&self.config, &self.status) {
            findings.extend(server::accounts(config, status));
        }
        if self.info.is_ok() && self.status.is_none() {
            findings.push(server::no_status());
        }
        findings.extend(self.listeners());
        let accounts = self.accounts(only);
        let metadata = providers::ask(&accounts, &mut findings);
        for account in &accounts {
            findings.extend(self.account(account, &metadata));
        }
        findings.extend(self.logins(only));
        findings
    }

    fn accounts(&self, only: Option<&str>) -> Vec<Arc<Account>> {
        let all = self
            .config
            .as_ref()
            .map(|config| config.accounts.as_slice());
        let wanted = |it: &&Arc<Account>| only.is_none_or(|name| it.name.as_str() == name);
        all.unwrap_or_default()
            .iter()
            .filter(wanted)
            .cloned()
            .collect()
    }

    fn files(&self) -> Vec<Finding> {
        let user = User::of_process();
        let mut findings = self.config_file(user);
        if let Ok(config) = &self.config
            && let HttpsCertificate::Files { key, .. } = &config.https_certificate
        {
            findings.extend(look::file(key).and_then(|key| files::https_key(&key, user)));
        }
        let dir = &self.paths.dir;
        findings.extend(files::runtime_dir(
            &dir.display().to_string(),
            &look::runtime_dir(dir),
            look::origin(&self.paths),
            user,
        ));
        findings
    }

    fn config_file(&self, user: User) -> Vec<Finding> {
        let path = self.config_path.display();
        let area = Area::Configuration;
        let content = match &self.config {
            Ok(config) if config.has_secrets() => Content::Secret,
            Ok(_) => Content::Nothing,
            Err(_) => Content::Unknown,
        };
        let finding = match &self.config {
            Ok(config) => Some(Finding::good(area, good_file(&path.to_string(), config))),
            Err(None) => Some(Finding::problem(area, path.to_string())),
            Err(Some(ConfigError::Mistakes(_))) => {
                let text = format!("{path} has mistakes, and no server starts with it");
                let advice = "correct what 'pizauth check' shows, then run 'pizauth reload'";
                Some(Finding::problem(area, text).advise(advice))
            }
            // What the file's owner and mode say of it is told below.
            Err(Some(ConfigError::File {
                problem: FileProblem::Writable | FileProblem::NotOurs(_),
                ..
            })) => None,
            Err(Some(error)) => Some(Finding::problem(area, error.to_string())),
        };
        let mut findings: Vec<Finding> = finding.into_iter().collect();
        if let Some(file) = look::file(&self.config_path) {
            findings.extend(files::config(&file, user, content));
        }
        let dir = self.config_path.parent().and_then(look::file);
        findings.extend(dir.and_then(|dir| files::config_dir(&dir, user)));
        findings
    }

    fn listeners(&self) -> Vec<Finding> {
        let Ok(info) = &self.info else {
            return Vec::new();
        };
        let is_localhost = |account: &Arc<Account>| {
            let uri = account
                .authority
                .redirect_uri
                .to_string()
                .to_ascii_lowercase();
            account.authority.grant == GrantType::AuthorizationCode && uri.contains("://localhost")
        };
        let config = self.config.as_ref();
        let is_named = config.is_ok_and(|config| config.accounts.iter().any(is_localhost));
        let listeners = look::listeners(info, is_named);
        listeners::judge(&listeners, info.https_fingerprint.as_deref())
    }

    /// What is to be said of an account's configuration.
    fn account(&self, account: &Account, known: &Known) -> Vec<Finding> {
        let who = Who::of(account);
        let metadata = key(account).and_then(|key| known.get(&key));
        let mut findings: Vec<Finding> = placeholder::judge(account).into_iter().collect();
        if let Some(metadata) = metadata {
            findings.extend(discovery::account(account, metadata));
        }
        let (listening, is_fixed) = self.listening(account);
        findings.extend(redirect::judge(account, who, &listening, is_fixed));
        findings.extend(scopes::asked(account, who));
        let state = self.status.as_ref();
        let state = state.and_then(|status| state_of(status, account.name.as_str()));
        let granted = state.and_then(|state| state.granted_scope.as_deref());
        findings.extend(granted.and_then(|granted| scopes::granted(account, who, granted)));
        findings
    }

    /// Where the account's browser can come back to, and whether it will be the same tomorrow.
    fn listening(&self, account: &Account) -> (Listening, bool) {
        let is_https = account.authority.redirect_uri.is_https();
        let planned = self.config.as_ref().ok().map(|config| match is_https {
            true => &config.https_listen,
            false => &config.http_listen,
        });
        let is_fixed = planned.is_some_and(redirect::has_fixed_port);
        let listening = match (&self.info, planned) {
            (Ok(info), _) => {
                let addresses = if is_https {
                    &info.https_listen
                } else {
                    &info.http_listen
                };
                Listening::At(addresses.iter().filter_map(|it| it.parse().ok()).collect())
            }
            (Err(_), Some(listen)) => Listening::planned(listen),
            (Err(_), None) => Listening::Somewhere,
        };
        (listening, is_fixed)
    }

    /// How the accounts that the server has are doing.
    fn logins(&self, only: Option<&str>) -> Vec<Finding> {
        let Some(status) = &self.status else {
            return Vec::new();
        };
        let clock = Clock::read();
        let known: HashMap<&str, &Arc<Account>> = match &self.config {
            Ok(config) => config
                .accounts
                .iter()
                .map(|it| (it.name.as_str(), it))
                .collect(),
            Err(_) => HashMap::new(),
        };
        let wanted = |it: &&AccountStatus| only.is_none_or(|name| it.account == name);
        let judge = |it: &AccountStatus| {
            let account = known
                .get(it.account.as_str())
                .map(|account| account.as_ref());
            login::judge(it, account, &clock)
        };
        status.accounts.iter().filter(wanted).map(judge).collect()
    }
}

fn good_file(path: &str, config: &Config) -> String {
    match config.accounts.as_slice() {
        [one] => format!("{path} has no mistakes, and the account '{}'", one.name),
        all => format!("{path} has no mistakes, and {} accounts", all.len()),
    }
}

fn find<'a>(accounts: &'a [Arc<Account>], name: &str) -> Option<&'a Arc<Account>> {
    accounts.iter().find(|it| it.name.as_str() == name)
}

fn state_of<'a>(status: &'a Status, name: &str) -> Option<&'a AccountStatus> {
    status.accounts.iter().find(|it| it.account == name)
}
