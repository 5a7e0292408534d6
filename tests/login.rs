//! Logging in: from `show`'s URL over the provider and the browser's return to a token.

mod support;

use support::*;

#[test]
fn a_login_brings_a_token() {
    let provider = Provider::start();
    let user = Pizauth::start(&provider.account("a", ""));
    let page = log_in(&provider, &user.url("a"));
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(user.token("a"), provider.last_token());
}
