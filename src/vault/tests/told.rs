//! How states and effects are written in the table of all steps.

use crate::vault::device::login::{DeviceLogin, Poll};
use crate::vault::token::{Access, Attempt, Failures, Login, Renewal, TokenState};
use crate::vault::transition::Effect;

/// A state in a few words, secrets included.
pub(super) fn told(state: &TokenState) -> String {
    let access = |access: &Access| {
        format!(
            "{} until {}",
            access.token.expose(),
            access.expires.as_millis() / 1000
        )
    };
    let carrying =
        |carried: &Option<Access>| carried.as_ref().map_or(String::new(), |a| access(a) + " ");
    match state {
        TokenState::Empty => "empty".into(),
        TokenState::Preparing(preparing) => format!(
            "preparing {}{:?}",
            carrying(&preparing.carried),
            preparing.grant
        ),
        TokenState::Pending(pending) => {
            let carried = carrying(&pending.carried);
            match &pending.login {
                Login::Browser(request) => format!("pending {carried}{}", request.state.expose()),
                Login::Device(login) => format!("{carried}{}", told_device(login)),
            }
        }
        TokenState::Exchanging(exchanging) => {
            format!("exchanging {}", carrying(&exchanging.carried))
                .trim_end()
                .into()
        }
        TokenState::Active(active) => {
            let renewal = active.renewal.as_ref().map_or(String::new(), told_renewal);
            format!("active {}{renewal}", access(&active.access))
        }
        TokenState::Expired(renewal) => format!("expired{}", told_renewal(renewal)),
    }
}

fn told_device(login: &DeviceLogin) -> String {
    let poll = match login.poll {
        Poll::Next { at, failures } => {
            format!("next at {}, failures {failures}", at.as_millis() / 1000)
        }
        Poll::InFlight { failures } => format!("asked, failures {failures}"),
    };
    let every = login.interval.as_secs();
    format!("code {} every {every} ({poll})", login.device_code.expose())
}

fn told_renewal(renewal: &Renewal) -> String {
    let counted = |failures: Failures| {
        let probing = if failures.probing { " probing" } else { "" };
        let over = if failures.streak < failures.count {
            " over"
        } else {
            ""
        };
        format!("failures {}{over}{probing}", failures.count)
    };
    let attempt = match renewal.attempt {
        Attempt::Idle => "idle".into(),
        Attempt::InFlight(failures) => format!("in flight, {}", counted(failures)),
        Attempt::Backoff {
            until, failures, ..
        } => {
            let until = until.as_millis() / 1000;
            format!("backoff until {until}, {}", counted(failures))
        }
        Attempt::Halted => "halted".into(),
    };
    let token = renewal.refresh_token();
    format!(
        " ({} {attempt})",
        token.map_or("itself", |token| token.expose())
    )
}

pub(super) fn told_effect(effect: &Effect) -> String {
    match effect {
        Effect::Exchange(exchange) => format!(
            "exchange '{}' with '{}'",
            exchange.code.expose(),
            exchange.verifier.expose()
        ),
        effect => format!("{effect:?}").to_lowercase(),
    }
}
