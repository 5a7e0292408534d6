//! What `provider`, `issuer` and `grant` make of an account, and what wins.

use super::*;

fn read(options: &str) -> Config {
    good(&format!(
        "account \"mail\" {{ client_id = \"id\"; {options} }}"
    ))
}

pub(super) fn account_of(options: &str) -> Arc<Account> {
    Arc::clone(&read(options).accounts[0])
}

pub(super) fn uri(uri: Option<&Url>) -> &str {
    uri.map_or("", Url::as_str)
}

pub(super) fn fields(account: &Account) -> Vec<(&str, &str)> {
    let fields = account.authority.auth_uri_fields.iter();
    fields
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect()
}

#[test]
fn what_the_account_sets_wins() {
    let account = account_of(
        r#"provider = "google"; auth_uri = "https://a.example/"; scopes = [];
           redirect_uri = "http://127.0.0.1:9/"; revoke_uri = "https://r.example/";
           device_uri = "https://d.example/"; login_hint = "me";
           auth_uri_fields = {"x": "1", "prompt": "login", "x": "2"};"#,
    );
    let authority = &account.authority;
    assert_eq!(uri(authority.auth_uri.as_ref()), "https://a.example/");
    assert_eq!(
        uri(authority.token_uri.as_ref()),
        "https://oauth2.googleapis.com/token"
    );
    assert_eq!(uri(account.revoke_uri.as_ref()), "https://r.example/");
    assert_eq!(uri(account.device_uri.as_ref()), "https://d.example/");
    assert_eq!(authority.redirect_uri.to_string(), "http://127.0.0.1:9/");
    assert!(authority.scopes.is_empty());
    // Google is not who answers there.
    assert_eq!(authority.issuer, None);
    let expected = [
        ("login_hint", "me"),
        ("access_type", "offline"),
        ("x", "1"),
        ("prompt", "login"),
        ("x", "2"),
    ];
    assert_eq!(fields(&account), expected);
}

#[test]
fn a_field_of_the_preset_can_be_left_out_and_is_never_sent_twice() {
    let account = account_of(
        r#"provider = "google"; auth_uri_fields = {"prompt": "", "empty": ""};
           auth_uri = "https://accounts.google.com/o/oauth2/v2/auth?access_type=online";"#,
    );
    assert_eq!(fields(&account), [("empty", "")]);
    assert!(account.authority.issuer.is_some());
}

/// A token must not go to the preset's server to be revoked where it is from somewhere else.
#[test]
fn the_presets_other_endpoints_are_for_its_own_tokens() {
    let account = account_of(
        r#"provider = "gitlab"; auth_uri = "https://git.example.com/oauth/authorize";
           token_uri = "https://git.example.com/oauth/token";"#,
    );
    assert_eq!(account.revoke_uri, None);
    assert_eq!(account.device_uri, None);
    assert!(account.dialect.redirect_uri_on_refresh);
    let account = account_of(r#"provider = "gitlab"; token_uri = "https://gitlab.com/elsewhere";"#);
    assert!(account.revoke_uri.is_some() && account.device_uri.is_some());
}

#[test]
fn an_issuer_is_asked_and_what_is_written_wins() {
    let account = account_of(r#"issuer = "https://example.com/t";"#);
    let authority = &account.authority;
    let issuer = Issuer {
        identifier: "https://example.com/t".into(),
        uri: Url::parse("https://example.com/t").unwrap(),
        discovery: true,
    };
    assert_eq!(authority.issuer.as_ref(), Some(&issuer));
    assert_eq!((&authority.auth_uri, &authority.token_uri), (&None, &None));

    let account = account_of(
        r#"provider = "google"; issuer = "https://accounts.google.com";
           token_uri = "https://oauth2.googleapis.com/token";"#,
    );
    let authority = &account.authority;
    assert_eq!(authority.auth_uri, None);
    assert!(authority.token_uri.is_some());
    assert_eq!((&account.device_uri, &account.revoke_uri), (&None, &None));
    assert!(authority.issuer.as_ref().unwrap().discovery);
    assert_eq!(authority.scopes, ["https://mail.google.com/"]);
    let preset = [("access_type", "offline"), ("prompt", "consent")];
    assert_eq!(fields(&account), preset);

    let microsoft =
        account_of(r#"issuer = "https://login.microsoftonline.com/organizations/v2.0";"#);
    assert!(microsoft.dialect.issuer_template);
}

#[test]
fn a_device_code_needs_no_browser_that_comes_back() {
    let account = account_of(r#"provider = "microsoft"; grant = "device_code";"#);
    let authority = &account.authority;
    assert_eq!(authority.grant, GrantType::DeviceCode);
    assert_eq!(authority.auth_uri, None);
    assert!(authority.scopes.contains(&"offline_access".to_owned()));
    let by_hand = account_of(&format!(
        r#"grant = "device_code"; scopes = {:?};
           token_uri = "https://login.microsoftonline.com/common/oauth2/v2.0/token";
           device_uri = "https://login.microsoftonline.com/common/oauth2/v2.0/devicecode";"#,
        authority.scopes
    ));
    assert_eq!(by_hand.authority, *authority);
    assert_eq!(by_hand.device_uri, account.device_uri);
}

#[test]
fn client_credentials_ask_for_what_clients_may_have() {
    let secret = r#"grant = "client_credentials"; client_secret_cmd = "pass show x";"#;
    let account = account_of(&format!("{secret} provider = \"microsoft:example.com\";"));
    let authority = &account.authority;
    assert_eq!(authority.scopes, ["https://outlook.office365.com/.default"]);
    assert_eq!(authority.auth_uri, None);
    let command = SecretSource::Command("pass show x".into());
    assert_eq!(authority.client_auth, ClientAuth::Post(command));
    let account = account_of(&format!("{secret} token_uri = \"https://example.com/\";"));
    assert!(account.authority.scopes.is_empty());
}

#[test]
fn https_is_listened_for_where_a_browser_comes_back_by_it() {
    let listen = |options| read(options).https_listen;
    assert_eq!(listen(r#"provider = "google";"#), Listen::Off);
    assert_eq!(listen(r#"provider = "yahoo";"#), Listen::FreePort);
    let redirect = r#"provider = "yandex"; redirect_uri = "https://localhost/x";"#;
    assert_eq!(listen(redirect), Listen::FreePort);
    let device = format!("{redirect} grant = \"device_code\";");
    assert_eq!(listen(&device), Listen::Off);

    let config = load(&Path::new(DATA).join("good-https.conf")).unwrap();
    let at = Listen::At("127.0.0.1:8443".parse().unwrap());
    assert_eq!(config.https_listen, at);
    assert_eq!(config.http_listen, Listen::Off);
    let full = |name| std::path::absolute(Path::new(DATA).join(name)).unwrap();
    let files = HttpsCertificate::Files {
        cert: full("https-cert.pem"),
        key: full("https-key.pem"),
    };
    assert_eq!(config.https_certificate, files);
}
