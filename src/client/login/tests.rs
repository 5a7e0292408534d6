//! What is told of a login's end, and with which exit code.

use jiff::tz::TimeZone;

use super::super::testing::FakeServer;
use super::*;
use crate::secret::SecretText;

fn document(text: &str) -> Reply {
    Reply::Document(SecretText::new(text.to_owned()))
}

const OFFER: &str = r#"{"account": "work", "login": 7, "url": "https://e.com/",
    "redirect_port": 1420, "device_is_possible": false}"#;
const LOGGED_IN: &str = r#"{"account": "work", "expires_at": "2125-03-10T12:25:00Z",
    "refreshable": true}"#;

fn offer() -> LoginOffer {
    serde_json::from_str(OFFER).unwrap()
}

#[test]
fn the_end_is_told_in_a_sentence() {
    let clock = Clock {
        now: "2025-03-10T12:10:00Z".parse().unwrap(),
        zone: TimeZone::fixed(jiff::tz::offset(1)),
    };
    let mut login = LoggedIn {
        account: "work".into(),
        expires_at: "2025-03-10T13:32:00Z".into(),
        refreshable: true,
        granted_scope: None,
    };
    assert_eq!(
        logged_in(&login, &clock),
        "account 'work' is logged in; its token is good until 14:32 and is refreshed by itself"
    );
    login.refreshable = false;
    assert_eq!(
        logged_in(&login, &clock),
        "account 'work' is logged in; its token is good until 14:32 and cannot be refreshed: \
         log in again then"
    );
}

#[test]
fn every_end_has_its_exit_code() {
    let past = Some("2025-03-10T12:25:00Z");
    let future = Some("2125-03-10T12:25:00Z");
    let refused = || Reply::Error("access_denied".into());
    let cases = [
        (document(LOGGED_IN), None, 0, "is logged in"),
        (document(LOGGED_IN), past, 0, "is logged in"),
        (refused(), None, 1, "ERROR - access_denied"),
        (refused(), future, 1, "ERROR - access_denied"),
        (Reply::Error("expired".into()), past, 3, "ERROR - expired"),
        (
            Reply::TryLater("offline".into()),
            None,
            4,
            "ERROR - offline",
        ),
        (document("{}"), None, 5, "not understood"),
    ];
    for (reply, expires, code, expected) in cases {
        let mut err = Vec::new();
        let exit = ended(&reply, expires, &mut err);
        let err = String::from_utf8(err).unwrap();
        assert_eq!(exit.code(), code, "{err}");
        assert!(err.contains(expected), "{err}");
    }
}

#[test]
fn waiting_goes_on_for_as_long_as_it_takes() {
    let server = FakeServer::start(|listener| {
        let mut requests = Vec::new();
        let later = Reply::TryLater("nobody came".into());
        // A server that is replaced, one that has no room, and the end.
        for reply in [None, Some(later), Some(document(LOGGED_IN))] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            io::Read::read_to_end(&mut stream, &mut request).unwrap();
            requests.extend(request);
            if let Some(reply) = reply {
                stream.write_all(&reply.encode()).unwrap();
            }
        }
        requests
    });
    let mut err = Vec::new();
    let exit = await_end(&server.socket, &offer(), &mut err);
    assert_eq!(exit, Exit::Done);
    assert!(String::from_utf8(err).unwrap().contains("is logged in"));
    assert_eq!(server.received(), b"await\twork\t7\t600\n".repeat(3));
}
