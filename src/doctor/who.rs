//! Which of the well-known providers an account is at, by the hosts that it names: for advice only.
//!
//! Knows hosts and nothing else; what follows from them is for others to say.

use url::Url;

use crate::config::Account;

/// A provider with rules of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Google,
    Microsoft,
    Fastmail,
    /// Yahoo and AOL, which are one.
    Yahoo,
    Yandex,
    MailRu,
    GitHub,
    GitLab,
    /// Nobody whose rules are known.
    Other,
}

impl Who {
    /// Whom the account asks for tokens.
    pub(super) fn of(account: &Account) -> Self {
        if account.dialect.redirect_uri_on_refresh {
            return Self::GitLab;
        }
        let authority = &account.authority;
        let uris = [
            &authority.token_uri,
            &authority.auth_uri,
            &account.device_uri,
        ];
        let issuer = authority.issuer.as_ref().map(|issuer| &issuer.uri);
        let uris = uris.into_iter().filter_map(Option::as_ref).chain(issuer);
        let mut known = uris.filter_map(Url::host_str).map(Self::at);
        known.find(|who| *who != Self::Other).unwrap_or(Self::Other)
    }

    fn at(host: &str) -> Self {
        match host {
            "accounts.google.com" | "oauth2.googleapis.com" | "www.googleapis.com" => Self::Google,
            "login.microsoftonline.com"
            | "login.microsoftonline.us"
            | "login.partner.microsoftonline.cn"
            | "login.live.com" => Self::Microsoft,
            "api.fastmail.com" => Self::Fastmail,
            "api.login.yahoo.com" | "api.login.aol.com" => Self::Yahoo,
            "oauth.yandex.com" | "oauth.yandex.ru" => Self::Yandex,
            "o2.mail.ru" | "oauth.mail.ru" => Self::MailRu,
            "github.com" => Self::GitHub,
            "gitlab.com" => Self::GitLab,
            _ => Self::Other,
        }
    }

    /// What people call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Google => "Google",
            Self::Microsoft => "Microsoft",
            Self::Fastmail => "Fastmail",
            Self::Yahoo => "Yahoo",
            Self::Yandex => "Yandex",
            Self::MailRu => "Mail.ru",
            Self::GitHub => "GitHub",
            Self::GitLab => "GitLab",
            Self::Other => "the provider",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::account;
    use super::*;

    #[test]
    fn providers_are_known_by_their_hosts() {
        let cases = [
            ("provider = \"google\"; client_secret = \"x\";", Who::Google),
            ("provider = \"microsoft\";", Who::Microsoft),
            ("provider = \"fastmail\";", Who::Fastmail),
            ("provider = \"yahoo\";", Who::Yahoo),
            ("provider = \"aol\";", Who::Yahoo),
            ("provider = \"yandex\";", Who::Yandex),
            ("provider = \"mailru\";", Who::MailRu),
            ("provider = \"github\";", Who::GitHub),
            ("provider = \"gitlab:git.example.com\";", Who::GitLab),
            ("issuer = \"https://accounts.google.com\";", Who::Google),
            ("issuer = \"https://example.com\";", Who::Other),
        ];
        for (more, who) in cases {
            assert_eq!(Who::of(&account(more)), who, "{more}");
        }
    }
}
