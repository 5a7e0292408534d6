//! The listeners that the browser comes back to: whether it would find them.
//!
//! Judges what came of connecting; connects to nothing.

use std::net::SocketAddr;

use super::finding::{Area, Finding};

/// A listener that the server says it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) address: SocketAddr,
    pub(super) is_https: bool,
    /// Why it cannot be connected to.
    pub(super) unreachable: Option<String>,
    /// The same port on the loopback address of the other family, where it is none of the server's
    /// and somebody else listens there.
    pub(super) taken_by_another: Option<SocketAddr>,
}

/// Judges the listeners, of which the one for https has this certificate.
pub(super) fn judge(listeners: &[Listener], fingerprint: Option<&str>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = listeners.iter().map(reached).collect();
    findings.extend(listeners.iter().filter_map(taken));
    if let Some(fingerprint) = fingerprint {
        let text = format!("the certificate for https has the SHA-256 fingerprint {fingerprint}");
        findings.push(Finding::good(Area::Listeners, text));
    }
    findings
}

fn reached(listener: &Listener) -> Finding {
    let Listener {
        address, is_https, ..
    } = listener;
    let scheme = if *is_https { "https" } else { "http" };
    match &listener.unreachable {
        None => Finding::good(Area::Listeners, format!("{scheme}://{address} can be reached")),
        Some(why) => Finding::problem(
            Area::Listeners,
            format!("{scheme}://{address} cannot be reached, and so no browser comes back: {why}"),
        )
        .advise("let programs on this machine connect to that address (a firewall?), or log in with 'pizauth login --paste'"),
    }
}

fn taken(listener: &Listener) -> Option<Finding> {
    let other = listener.taken_by_another?;
    let text = format!(
        "another program listens at {other}, and a browser that takes 'localhost' for that address ends up there"
    );
    let advice = format!(
        "set '{}' to another port, or write 127.0.0.1 in 'redirect_uri' where the provider takes it",
        if listener.is_https {
            "https_listen"
        } else {
            "http_listen"
        }
    );
    Some(Finding::problem(Area::Listeners, text).advise(advice))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict::{Good, Problem};
    use super::super::testing::assert_one;
    use super::*;

    #[test]
    fn listeners() {
        let good = Listener {
            address: "127.0.0.1:7".parse().unwrap(),
            is_https: false,
            unreachable: None,
            taken_by_another: None,
        };
        let judge = |listener: &Listener| judge(std::slice::from_ref(listener), None);
        assert_one(&judge(&good), Good, "http://127.0.0.1:7 can be reached");
        let shadowed = Listener {
            taken_by_another: "[::1]:7".parse().ok(),
            ..good.clone()
        };
        assert_one(&judge(&shadowed)[1..], Problem, "http_listen");
        let closed = Listener {
            unreachable: Some("connection refused".into()),
            is_https: true,
            ..good
        };
        assert_one(&judge(&closed), Problem, "https://127.0.0.1:7 cannot");
        assert_one(&super::judge(&[], Some("AB:CD")), Good, "AB:CD");
    }
}
