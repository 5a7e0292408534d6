//! The table of options, and what misspelt names are taken for.

use super::*;

#[test]
fn the_table_is_in_the_order_of_the_keys_and_no_name_is_there_twice() {
    let mut names: Vec<&str> = Vec::new();
    for (at, (key, spec)) in OPTIONS.iter().enumerate() {
        assert_eq!(*key as usize, at);
        names.extend(spec.names);
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn names_are_looked_up_per_level() {
    use Lookup::{Elsewhere, Known, Unknown};
    let cases = [
        ("client_id", Place::Account, Known(Key::ClientId)),
        ("client_id", Place::Global, Elsewhere(Place::Account)),
        ("http_listen", Place::Account, Elsewhere(Place::Global)),
        (
            "refresh_retry_interval",
            Place::Account,
            Known(Key::RefreshRetry),
        ),
        ("auth_error_cmd", Place::Global, Known(Key::ErrorNotifyCmd)),
        (
            "clientid",
            Place::Account,
            Unknown(Some((Key::ClientId, "client_id"))),
        ),
        (
            "Client-ID",
            Place::Account,
            Unknown(Some((Key::ClientId, "client_id"))),
        ),
        (
            "tokenuri",
            Place::Account,
            Unknown(Some((Key::TokenUri, "token_uri"))),
        ),
        (
            "auth_notify",
            Place::Global,
            Unknown(Some((Key::AuthNotifyCmd, "auth_notify_cmd"))),
        ),
        ("banana", Place::Account, Unknown(None)),
        ("x", Place::Account, Unknown(None)),
        ("", Place::Account, Unknown(None)),
    ];
    for (name, level, expected) in cases {
        assert_eq!(look_up(name, level), expected, "{name} at {level:?}");
    }
}
