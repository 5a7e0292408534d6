//! Requests as bytes, and back.

use std::time::Duration;

use zeroize::Zeroizing;

use super::{message, number, plain, quoted, split_line, utf8};
use crate::protocol::{
    LoginMethod, MAX_DUMP, MAX_REQUEST, MAX_TIME, MAX_URL, Request, Wanted, is_account_name,
};
use crate::secret::SecretText;

/// The option of `show` that says how long to wait, in seconds.
const WAIT: &str = "wait";
/// The option of `show` that says how long the token must be valid, in seconds.
const MIN_VALID: &str = "min_valid";

/// How far a request has arrived.
#[derive(Debug, PartialEq, Eq)]
pub enum Framing {
    /// What has arrived is a beginning.
    NeedMore,
    /// This is one request, whole: decode it.
    Whole,
    /// It will never be a request, for this reason; do not read on.
    Bad(String),
}

/// How far the request that begins with all of `received` has arrived.
///
/// It can be called after every read: it looks for the end of the line among the first
/// [`MAX_REQUEST`] bytes, and never looks at the dump which follows a `restore` line.
#[must_use]
pub fn framing(received: &[u8]) -> Framing {
    let head = &received[..received.len().min(MAX_REQUEST)];
    // `contains` searches for a byte many times faster than `position` does.
    if !head.contains(&b'\n') {
        return match received.len() < MAX_REQUEST {
            true => Framing::NeedMore,
            false => Framing::Bad(format!(
                "the request is longer than {MAX_REQUEST} bytes: shorten the account's name"
            )),
        };
    }
    let Some((line, rest)) = split_line(received) else {
        return Framing::NeedMore;
    };
    match announced(line) {
        Err(reason) => Framing::Bad(reason),
        Ok(length) if rest.len() < length => Framing::NeedMore,
        Ok(length) if rest.len() == length => Framing::Whole,
        Ok(_) if !is_verb(line) => Framing::Bad(unknown_verb(line)),
        Ok(_) => Framing::Bad("there is something after the end of the request".to_owned()),
    }
}

/// How many bytes follow this request line.
fn announced(line: &[u8]) -> Result<usize, String> {
    if let Some(digits) = line.strip_prefix(b"restore\t") {
        let length = number(digits).ok_or("the length of the dump is not a number")?;
        return match length {
            0..=MAX_DUMP => Ok(length),
            _ => Err(format!(
                "the dump has {length} bytes, and {MAX_DUMP} is the most that can be restored"
            )),
        };
    }
    if let Some(fields) = line.strip_prefix(b"complete\t") {
        let digits = fields.split(|&byte| byte == b'\t').next();
        let length = digits.and_then(number);
        return match length.ok_or("the length of the URL is not a number")? {
            length @ 0..=MAX_URL => Ok(length),
            length => Err(format!(
                "the URL has {length} bytes, and {MAX_URL} is the most that is read"
            )),
        };
    }
    Ok(0)
}

impl Request {
    /// The request as it is sent; wiped when dropped, since a dump is secret.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Show(wanted) => show(wanted),
            Self::Refresh(account) => message(&["refresh\t", account, "\n"]),
            Self::Revoke(account) => message(&["revoke\t", account, "\n"]),
            Self::Login(account, method) => {
                message(&["login\t", account, "\t", method_name(*method), "\n"])
            }
            Self::AwaitLogin(account, login, patience) => {
                let numbers = format!("\t{login}\t{}\n", patience.as_secs());
                message(&["await\t", account, &numbers])
            }
            Self::Complete(account, url) => {
                let url = url.expose();
                let account = account.as_deref().unwrap_or_default();
                message(&[
                    "complete\t",
                    &url.len().to_string(),
                    "\t",
                    account,
                    "\n",
                    url,
                ])
            }
            Self::Reload => message(&["reload\n"]),
            Self::Status => message(&["status\n"]),
            Self::Info => message(&["info\n"]),
            Self::Dump => message(&["dump\n"]),
            Self::Restore(dump) => {
                let dump = dump.expose();
                message(&["restore\t", &dump.len().to_string(), "\n", dump])
            }
            Self::Replace(format) => message(&["replace\t", &format.to_string(), "\n"]),
            Self::Shutdown => message(&["shutdown\n"]),
        }
    }

    /// Reads a request of which [`framing`] said that it is whole.
    ///
    /// # Errors
    /// Why it is none, for the client to show.
    pub fn decode(received: &[u8]) -> Result<Self, String> {
        let (line, rest) = split_line(received).ok_or("the request has no end")?;
        let text = utf8(line).ok_or("the request is not valid UTF-8")?;
        let (verb, field) = match text.split_once('\t') {
            Some((verb, field)) => (verb, Some(field)),
            None => (text, None),
        };
        let request = match verb {
            "show" => Self::Show(wanted(field)?),
            "refresh" => Self::Refresh(account(verb, field)?),
            "revoke" => Self::Revoke(account(verb, field)?),
            "reload" => alone(verb, field, Self::Reload)?,
            "status" => alone(verb, field, Self::Status)?,
            "info" => alone(verb, field, Self::Info)?,
            "dump" => alone(verb, field, Self::Dump)?,
            "replace" => Self::Replace(format(field)?),
            "shutdown" => alone(verb, field, Self::Shutdown)?,
            "login" => login(field)?,
            "await" => await_login(field)?,
            "restore" => return dump(line, rest),
            "complete" => return complete(field, line, rest),
            _ => return Err(unknown_verb(line)),
        };
        if !rest.is_empty() {
            return Err("there is something after the end of the request".to_owned());
        }
        Ok(request)
    }
}

/// The names of [`LoginMethod`]s.
const METHODS: [(LoginMethod, &str); 2] = [
    (LoginMethod::Configured, "configured"),
    (LoginMethod::Device, "device"),
];

fn method_name(method: LoginMethod) -> &'static str {
    let named = METHODS.iter().find(|(known, _)| *known == method);
    named.map_or("", |(_, name)| name)
}

/// The fields of a `login` after its verb.
fn login(fields: Option<&str>) -> Result<Request, String> {
    let (name, method) = fields
        .and_then(|fields| fields.split_once('\t'))
        .ok_or("'login' needs the name of an account and a method")?;
    let known = METHODS.iter().find(|(_, name)| *name == method);
    let (method, _) = known.ok_or_else(|| {
        let method = quoted(method.as_bytes());
        format!("the server does not know the method '{method}' of 'login'")
    })?;
    Ok(Request::Login(account("login", Some(name))?, *method))
}

/// The fields of an `await` after its verb.
fn await_login(fields: Option<&str>) -> Result<Request, String> {
    let fields: Vec<&str> = fields.unwrap_or_default().split('\t').collect();
    let [name, login, seconds] = fields[..] else {
        return Err("'await' needs an account, the number of a login and a time".to_owned());
    };
    let read = |digits: &str| {
        let digits = plain(digits.as_bytes()).and_then(|digits| digits.parse::<u64>().ok());
        digits.ok_or("the number of a login, or the time to wait for it, is no number")
    };
    let patience = Duration::from_secs(read(seconds)?).min(MAX_TIME);
    let name = account("await", Some(name))?;
    Ok(Request::AwaitLogin(name, read(login)?, patience))
}

/// The URL after a `complete` line, which may name an account.
fn complete(fields: Option<&str>, line: &[u8], rest: &[u8]) -> Result<Request, String> {
    let (_, name) = fields
        .and_then(|fields| fields.split_once('\t'))
        .ok_or("'complete' needs the length of a URL and an account, or nothing in its place")?;
    if rest.len() != announced(line)? {
        return Err("the URL is not as long as it was said to be".to_owned());
    }
    let name = Some(name).filter(|name| !name.is_empty());
    let name = name
        .map(|name| account("complete", Some(name)))
        .transpose()?;
    let url = utf8(rest).ok_or("the URL is not valid UTF-8")?;
    Ok(Request::Complete(name, SecretText::new(url.to_owned())))
}

/// `show`, with what is wanted beside the account only where it is wanted.
fn show(wanted: &Wanted) -> Zeroizing<Vec<u8>> {
    let field = |name: &str, time: Option<Duration>| {
        time.map_or_else(String::new, |time| format!("\t{name}={}", time.as_secs()))
    };
    let wait = field(WAIT, wanted.wait);
    let min_valid = field(
        MIN_VALID,
        Some(wanted.min_valid).filter(|time| !time.is_zero()),
    );
    message(&["show\t", &wanted.account, &wait, &min_valid, "\n"])
}

/// The fields of a `show` after its verb.
fn wanted(fields: Option<&str>) -> Result<Wanted, String> {
    let (name, options) = match fields.and_then(|fields| fields.split_once('\t')) {
        Some((name, options)) => (Some(name), Some(options)),
        None => (fields, None),
    };
    let mut wanted = Wanted::now(&account("show", name)?);
    for option in options.into_iter().flat_map(|options| options.split('\t')) {
        let (name, time) = option
            .split_once('=')
            .ok_or("an option of 'show' has no value")?;
        let time = number(time.as_bytes()).and_then(|seconds| u64::try_from(seconds).ok());
        let time = time
            .map(Duration::from_secs)
            .filter(|time| *time <= MAX_TIME);
        let time =
            time.ok_or_else(|| format!("'{}' of 'show' is no time", quoted(name.as_bytes())))?;
        match name {
            WAIT => wanted.wait = Some(time),
            MIN_VALID => wanted.min_valid = time,
            _ => {
                let name = quoted(name.as_bytes());
                return Err(format!(
                    "the server does not know the option '{name}' of 'show'"
                ));
            }
        }
    }
    Ok(wanted)
}

fn format(field: Option<&str>) -> Result<u32, String> {
    let format = field.and_then(|field| number(field.as_bytes()));
    let format = format.and_then(|format| u32::try_from(format).ok());
    format.ok_or_else(|| "'replace' needs the number of a format".to_owned())
}

/// The verbs that [`Request::decode`] knows.
fn is_verb(line: &[u8]) -> bool {
    let verb = line.split(|&byte| byte == b'\t').next().unwrap_or(line);
    let known: [&[u8]; 13] = [
        b"login",
        b"await",
        b"complete",
        b"replace",
        b"show",
        b"refresh",
        b"revoke",
        b"reload",
        b"status",
        b"info",
        b"dump",
        b"restore",
        b"shutdown",
    ];
    known.contains(&verb)
}

/// A newer client is the likeliest sender of an unknown verb, so the server says what it is.
fn unknown_verb(line: &[u8]) -> String {
    let verb = line.split(|&byte| byte == b'\t').next().unwrap_or(line);
    format!(
        "the server (version {}) does not know the request '{}': \
         if it is older than this client, restart it",
        env!("CARGO_PKG_VERSION"),
        quoted(verb)
    )
}

/// The one field of a request about an account.
fn account(verb: &str, field: Option<&str>) -> Result<String, String> {
    match field {
        None | Some("") => Err(format!("'{verb}' needs the name of an account")),
        Some(field) if field.contains('\t') => Err(format!("'{verb}' takes one account")),
        Some(name) if is_account_name(name) => Ok(name.to_owned()),
        Some(_) => Err("an account's name has no control characters".to_owned()),
    }
}

/// A request without fields.
fn alone(verb: &str, field: Option<&str>, request: Request) -> Result<Request, String> {
    match field {
        None => Ok(request),
        Some(_) => Err(format!("'{verb}' takes nothing after it")),
    }
}

/// The dump after a `restore` line.
fn dump(line: &[u8], rest: &[u8]) -> Result<Request, String> {
    if !line.starts_with(b"restore\t") {
        return Err("'restore' needs the length of the dump".to_owned());
    }
    if rest.len() != announced(line)? {
        return Err("the dump is not as long as it was said to be".to_owned());
    }
    let text = utf8(rest).ok_or("the dump is not valid UTF-8")?;
    Ok(Request::Restore(SecretText::new(text.to_owned())))
}
