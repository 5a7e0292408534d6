//! What the server answers: requests turned into calls of the vault, and what comes back into
//! replies. Knows no sockets.

use std::sync::Arc;

use crate::protocol::{Reply, Wanted};
use crate::secret::SecretText;
use crate::server::Server;
use crate::vault::Vault;
use crate::vault::answer::{Refreshed, Refreshing, Shown, WentWrong};
use crate::vault::order::Ticket;
use crate::vault::snapshot::{BadDump, ReadDump, RestoreReport};

/// What came of looking for something.
pub(super) enum Sought {
    /// This, and waiting would not change it.
    Found(Reply),
    /// It may come about. The reply for whoever cannot wait any longer.
    NotYet(Reply),
}

impl Server {
    /// A token; where there is none, a login is started.
    pub(super) fn seek(self: &Arc<Self>, wanted: &Wanted) -> Sought {
        let account = wanted.account.as_str();
        match self.shown(wanted) {
            Some(Shown::Nothing(_)) => sought(account, self.start_login(account, None)),
            shown => sought(account, shown),
        }
    }

    /// A token, for somebody who waits for one: a login that has come to nothing is not started
    /// over again.
    pub(super) fn seek_again(self: &Arc<Self>, wanted: &Wanted) -> Sought {
        let account = wanted.account.as_str();
        match self.shown(wanted) {
            Some(Shown::Nothing(wrong)) => Sought::Found(not_logged_in(account, wrong)),
            shown => sought(account, shown),
        }
    }

    fn shown(self: &Arc<Self>, wanted: &Wanted) -> Option<Shown> {
        self.apply(|vault, now| vault.show(&wanted.account, wanted.min_valid, now.moment))
    }

    /// Starts a refresh, or a login where there is nothing to refresh with.
    pub(super) fn start_refresh(self: &Arc<Self>, account: &str) -> Result<Ticket, Reply> {
        let refreshing = self.apply(|vault, now| vault.refresh(account, now.moment));
        let shown = match refreshing {
            Some(Refreshing::Started(ticket)) => return Ok(ticket),
            Some(Refreshing::Impossible) => self.start_login(account, None),
            Some(Refreshing::Preparing) => Some(Shown::Preparing(None)),
            Some(Refreshing::Exchanging) => Some(Shown::Exchanging),
            None => None,
        };
        match sought(account, shown) {
            Sought::Found(reply) | Sought::NotYet(reply) => Err(reply),
        }
    }

    /// How a refresh ended.
    pub(super) fn seek_refresh(self: &Arc<Self>, account: &str, ticket: &Ticket) -> Sought {
        let Some(refreshed) = self.shared.look(|vault, _| vault.refreshed(ticket)) else {
            return Sought::NotYet(Reply::TryLater(format!(
                "account '{account}' is still being refreshed"
            )));
        };
        Sought::Found(match refreshed {
            Refreshed::Done => Reply::Done(String::new()),
            Refreshed::Passing(reason) => Reply::TryLater(format!(
                "the token of account '{account}' could not be refreshed: {reason}"
            )),
            Refreshed::Refused(reason) => halted(account, Some(reason)),
            // The user has been asked anew, so that there is a URL.
            Refreshed::Gone(_) => match self.seek(&Wanted::now(account)) {
                Sought::Found(reply) | Sought::NotYet(reply) => reply,
            },
        })
    }

    /// Forgets an account's tokens, and the client secret that a command has printed, and has the
    /// tokens revoked at the provider; `tell` gets to know how that ended.
    pub(super) fn revoke(
        self: &Arc<Self>,
        name: &str,
        tell: impl FnOnce(&Self, &Reply) + Send + 'static,
    ) {
        let Some(revoked) = self.apply(|vault, now| vault.revoke(name, now.moment)) else {
            return tell(self, &unknown(name));
        };
        if revoked.held {
            self.persister.revoked();
        }
        let account = Arc::clone(&revoked.account);
        let forget_secret =
            move |server: &Self| server.shared.settings().provider.forget_secret(&account);
        let has_token = revoked.refresh_token.is_some() || revoked.access_token.is_some();
        if !has_token {
            forget_secret(self);
            let reply = Reply::Done(match revoked.held {
                true => format!("the login of account '{name}' is given up; it had no tokens"),
                false => format!("account '{name}' had no tokens"),
            });
            return tell(self, &reply);
        }
        let name = name.to_owned();
        self.revoke_at_provider(revoked, move |server, ended| {
            // It was needed to prove whose tokens these were.
            forget_secret(server);
            tell(server, &revoked_reply(&name, ended));
        });
    }

    pub(super) fn status(&self) -> Reply {
        let status = self.shared.look(Vault::status);
        document(serde_json::to_string(&status))
    }

    pub(super) fn dump(&self) -> Reply {
        match self.shared.look(Vault::snapshot).text() {
            Ok(dump) => Reply::Document(dump),
            Err(error) => Reply::Error(error.to_string()),
        }
    }

    pub(super) fn restore(self: &Arc<Self>, dump: &str) -> Reply {
        match self.restore_dump(dump) {
            Err(error) => Reply::Error(format!("nothing was restored: {error}")),
            Ok(report) => {
                if report.restored > 0 {
                    self.persister.obtained();
                }
                Reply::Done(report.to_string())
            }
        }
    }

    pub(super) fn restore_dump(self: &Arc<Self>, dump: &str) -> Result<RestoreReport, BadDump> {
        let dump = ReadDump::read(dump)?;
        Ok(self.apply(|vault, now| vault.restore(dump, now)))
    }

    pub(super) fn reload_reply(self: &Arc<Self>) -> Reply {
        match self.reload() {
            Ok(_) => Reply::Done(String::new()),
            Err(error) => Reply::Error(format!(
                "{error}\nthe configuration was not reloaded: the old one stays in force"
            )),
        }
    }

    pub(super) fn info(&self) -> Reply {
        document(serde_json::to_string(&self.facts()))
    }
}

pub(super) fn document(json: serde_json::Result<String>) -> Reply {
    match json {
        Ok(json) => Reply::Document(SecretText::new(json)),
        Err(error) => Reply::Error(error.to_string()),
    }
}

/// The tokens are forgotten here in any case.
fn revoked_reply(account: &str, at_provider: Option<Result<(), String>>) -> Reply {
    match at_provider {
        Some(Ok(())) => Reply::Done(format!(
            "the provider has revoked the tokens of account '{account}', and they are forgotten here"
        )),
        None => Reply::Done(format!(
            "the tokens of account '{account}' are forgotten here; the provider was not told, since \
             no 'revoke_uri' is known: its own pages may have a way to end the login"
        )),
        Some(Err(reason)) => Reply::Error(format!(
            "the tokens of account '{account}' are forgotten here, but the provider has not \
             confirmed that they are revoked ({reason}): its own pages may have a way to end the login"
        )),
    }
}

pub(super) fn unknown(account: &str) -> Reply {
    Reply::Error(format!(
        "there is no account '{account}': 'pizauth status' lists them"
    ))
}

fn sought(account: &str, shown: Option<Shown>) -> Sought {
    use Sought::{Found, NotYet};
    let later = |reason: String| NotYet(Reply::TryLater(reason));
    match shown {
        None => Found(unknown(account)),
        Some(Shown::Token(token)) => Found(Reply::Token(token)),
        Some(Shown::Login(place)) => NotYet(Reply::LoginNeeded(place)),
        Some(Shown::Preparing(reason)) => later(format!(
            "the provider of account '{account}' is being asked how to log in: try again{}",
            before(reason)
        )),
        Some(Shown::Obtaining(reason)) => later(format!(
            "the token of account '{account}' is being asked for: try again{}",
            before(reason)
        )),
        Some(Shown::Nothing(_)) => later(format!(
            "no login of account '{account}' can be started just now: try again"
        )),
        Some(Shown::Exchanging) => later(format!(
            "account '{account}' is just being logged in: try again"
        )),
        Some(Shown::Expired(reason)) => later(format!(
            "the token of account '{account}' has expired and is being refreshed{}",
            because(reason)
        )),
        Some(Shown::TooShort(reason)) => later(format!(
            "the token of account '{account}' does not last that long and is being refreshed{}",
            because(reason)
        )),
        Some(Shown::NeverThatLong(lifetime)) => Found(Reply::Error(format!(
            "the provider's tokens for account '{account}' last only {} s: ask for less with \
             --min-valid",
            lifetime.as_secs()
        ))),
        Some(Shown::Halted(reason)) => Found(halted(account, reason)),
    }
}

/// What somebody gets who has waited for a login.
fn not_logged_in(account: &str, wrong: Option<WentWrong>) -> Reply {
    let passing = wrong.as_ref().is_some_and(|wrong| wrong.passing);
    let reason = because(wrong.map(|wrong| wrong.reason));
    let told = format!("account '{account}' has not been logged in{reason}");
    match passing {
        true => Reply::TryLater(told),
        false => Reply::Error(told),
    }
}

fn halted(account: &str, reason: Option<String>) -> Reply {
    Reply::Error(format!(
        "the provider refuses to refresh the token of account '{account}'{}: correct the \
         configuration and run 'pizauth reload'",
        because(reason)
    ))
}

/// What went wrong the last time.
fn before(reason: Option<String>) -> String {
    reason.map_or_else(String::new, |reason| format!(" (the last time: {reason})"))
}

fn because(reason: Option<String>) -> String {
    reason.map_or_else(String::new, |reason| format!(": {reason}"))
}
