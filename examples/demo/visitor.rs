//! Plays the browser and the person in front of it, with the very requests that these would make.

use std::time::Duration;

use ureq::http::Response;
use ureq::{Agent, Body};
use url::{Position, Url};

use super::provider::{Provider, SUGGESTED_USER};
use super::stop::{Trouble, failed};
use super::terminal::Terminal;

/// How long an answer may take: pizauth's listener waits for the provider before it answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// An agent that follows no redirect by itself and uses no proxy: everything is on this machine.
pub(crate) fn agent() -> Agent {
    Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .into()
}

/// Logs in at `url` and comes back to pizauth.
pub(crate) fn log_in(url: &str, provider: &Provider, terminal: &Terminal) -> Result<(), Trouble> {
    let agent = agent();
    let page = text_of(agent.get(url).call(), "the login page")?;
    let ticket = between(&page, "name=\"page\" value=\"", "\"");
    let ticket = ticket.ok_or_else(|| failed("the login page has no form"))?;
    let authorize = &url[..url.find('?').unwrap_or(url.len())];
    terminal.request("GET", authorize, "a login page")?;

    let login = format!("{}/login", provider.issuer());
    let form = [
        ("page", ticket),
        ("user", SUGGESTED_USER),
        ("password", "correct horse"),
        ("decision", "allow"),
    ];
    let response = agent.post(&login).send_form(form).map_err(failed)?;
    let location = location_of(&response)
        .ok_or_else(|| failed("the provider does not send the browser back"))?;
    terminal.request("POST", &login, "name and password, allow")?;

    let page = text_of(agent.get(location.as_str()).call(), "pizauth's page")?;
    let heading = between(&page, "<h1>", "</h1>").unwrap_or_default();
    let shown = format!("{}?code=...", &location[..Position::AfterPath]);
    terminal.request(
        "GET",
        &shown,
        &format!("pizauth: \u{201c}{heading}\u{201d}"),
    )?;
    match heading {
        "You are logged in" => Ok(()),
        _ => Err(failed(format!(
            "pizauth's page does not say that the login worked: {page}"
        ))),
    }
}

fn location_of(response: &Response<Body>) -> Option<Url> {
    let location = response.headers().get("location")?.to_str().ok()?;
    Url::parse(location).ok()
}

fn text_of(answer: Result<Response<Body>, ureq::Error>, what: &str) -> Result<String, Trouble> {
    let not_there = |error: ureq::Error| failed(format!("cannot load {what}: {error}"));
    let mut response = answer.map_err(not_there)?;
    let text = response.body_mut().read_to_string().map_err(not_there)?;
    match response.status().as_u16() {
        200 => Ok(text),
        status => Err(failed(format!("{what} came with status {status}: {text}"))),
    }
}

/// What is between the first `before` and the next `after`.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0)
}
