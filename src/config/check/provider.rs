//! Names of providers: what to say of one that is none.

use super::super::diagnostic::quoted;
use super::super::providers::{NoProvider, Provider, names};
use super::uris::{Fault, fault};

/// Finds the provider that `text` names.
pub(super) fn find(text: &str) -> Result<Provider, Fault> {
    Provider::find(text).map_err(|why| match why {
        NoProvider::Unknown(nearest) => unknown(nearest),
        NoProvider::NoMail => fault(
            "has no preset for Zoho",
            "for its mail, let your mail program use a password that Zoho makes for it",
        )
        .note("nothing says that Zoho's IMAP and SMTP servers accept OAuth2")
        .note("for Zoho's other services, set 'auth_uri', 'token_uri' and 'scopes'"),
        NoProvider::BadTenant => fault(
            "names no tenant of Microsoft's",
            "after \"microsoft:\" comes the tenant's id (a GUID) or one of its domains",
        ),
        NoProvider::BadHost => fault(
            "names no host",
            "after \"gitlab:\" comes a host, for example \"gitlab:git.example.com\"",
        ),
        NoProvider::OnlyOne(name) => {
            let title = format!(
                "has more than one part, but there is only one {}",
                quoted(name)
            );
            fault(title, format!("write \"{name}\""))
        }
    })
}

fn unknown(nearest: Option<&'static str>) -> Fault {
    let label = nearest.map_or_else(
        || "leave this out, and set 'issuer', or 'auth_uri' and 'token_uri'".into(),
        |known| format!("did you mean \"{known}\"?"),
    );
    let known: Vec<&str> = names().collect();
    fault("names no provider that is known", label).note(format!(
        "known are {}, microsoft:TENANT and gitlab:HOST",
        known.join(", ")
    ))
}
