//! What is sent for a device code, and what comes back.

use super::*;
use crate::config::ClientAuth;
use crate::oauth::testing::{authentication, authority, secret};

mod answers;
mod hostile;
mod polls;

const JSON: &str = "application/json; charset=utf-8";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

fn answer<'a>(status: u16, content_type: &'a str, body: &'a [u8]) -> Answer<'a> {
    Answer {
        status,
        content_type: Some(content_type),
        retry_after: None,
        body,
    }
}

fn yandex() -> Dialect {
    Dialect {
        yandex: true,
        ..Dialect::default()
    }
}

fn asked(client_auth: ClientAuth, dialect: Dialect) -> TokenRequest {
    let authority = authority(client_auth);
    authorization_request(&authority, &authentication(&authority), dialect)
}

fn polled(client_auth: ClientAuth, dialect: Dialect) -> TokenRequest {
    let authority = authority(client_auth);
    let code = DeviceCode::new("d/1 +".into());
    poll_request(&authority, &authentication(&authority), dialect, &code)
}

const SCOPE: &str = "scope=https%3A%2F%2Fmail.example%2FIMAP.All%20offline_access";
const CLIENT: &str = "client_id=id%3Awith%2Fodd%20chars";

#[test]
fn a_code_is_asked_for() {
    let rfc = Dialect::default();
    let public = asked(ClientAuth::None, rfc);
    assert_eq!(public.form.expose(), format!("{SCOPE}&{CLIENT}"));
    assert!(public.authorization.is_none());
    let post = asked(ClientAuth::Post(secret("s")), rfc);
    assert_eq!(
        post.form.expose(),
        format!("{SCOPE}&{CLIENT}&client_secret=s")
    );
    let basic = asked(ClientAuth::Basic(secret("s")), rfc);
    assert_eq!(basic.form.expose(), SCOPE);
    assert!(basic.authorization.is_some());
}

#[test]
fn yandex_gets_the_identifier_in_the_body_and_no_secret() {
    for client_auth in [
        ClientAuth::Post(secret("s")),
        ClientAuth::Basic(secret("s")),
    ] {
        let request = asked(client_auth, yandex());
        assert_eq!(request.form.expose(), format!("{SCOPE}&{CLIENT}"));
        assert!(request.authorization.is_none());
    }
}

#[test]
fn without_scopes_none_are_named_and_a_resource_is() {
    let mut authority = authority(ClientAuth::None);
    authority.scopes.clear();
    authority.resource = Some("https://api.example/".into());
    let authentication = authentication(&authority);
    let rfc = Dialect::default();
    let resource = "resource=https%3A%2F%2Fapi.example%2F";
    let request = authorization_request(&authority, &authentication, rfc);
    assert_eq!(request.form.expose(), format!("{resource}&{CLIENT}"));
    let code = DeviceCode::new("d".into());
    let request = poll_request(&authority, &authentication, rfc, &code);
    assert!(request.form.expose().contains(resource));
}

#[test]
fn polls_name_the_code() {
    let rfc = Dialect::default();
    let grant =
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=d%2F1%20%2B";
    let public = polled(ClientAuth::None, rfc);
    assert_eq!(public.form.expose(), format!("{grant}&{CLIENT}"));
    let basic = polled(ClientAuth::Basic(secret("s")), rfc);
    assert_eq!(basic.form.expose(), grant);
    assert!(basic.authorization.is_some());
    let post = polled(ClientAuth::Post(secret("s")), yandex());
    assert_eq!(
        post.form.expose(),
        format!("grant_type=device_code&code=d%2F1%20%2B&{CLIENT}&client_secret=s")
    );
    assert!(!format!("{public:?}").contains("d%2F1"));
}
