//! What comes over the control socket, in both directions.

use std::fmt::Debug;

use pizauth::protocol::{
    self, Framing, LoggedIn, LoginOffer, MAX_TIME, Reply, Request, ServerInfo, Status, framing,
    is_account_name,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::assert_line;

/// What a client sends to the server.
pub(crate) fn control_request(data: &[u8]) {
    let framed = framing(data);
    let decoded = Request::decode(data);
    if let Err(why) = &decoded {
        assert_line(why);
    }
    match framed {
        Framing::Bad(why) => return assert_line(&why),
        Framing::NeedMore => return,
        Framing::Whole => {}
    }
    // A request is never taken for whole before it is.
    for end in (0..data.len()).rev().take(64).chain(0..data.len().min(64)) {
        assert_eq!(
            framing(&data[..end]),
            Framing::NeedMore,
            "after {end} bytes"
        );
    }
    let Ok(request) = decoded else {
        return;
    };
    assert_limits(&request);
    let written = request.encode();
    assert_eq!(framing(&written), Framing::Whole, "{request:?}");
    assert_eq!(Request::decode(&written).as_ref(), Ok(&request));
}

fn assert_limits(request: &Request) {
    assert!(request.time() <= MAX_TIME, "{request:?}");
    let account = match request {
        Request::Show(wanted) => {
            assert!(wanted.min_valid <= MAX_TIME, "{request:?}");
            Some(&wanted.account)
        }
        Request::Refresh(account)
        | Request::Login(account, _)
        | Request::AwaitLogin(account, ..)
        | Request::Revoke(account) => Some(account),
        Request::Complete(account, _) => account.as_ref(),
        _ => None,
    };
    assert!(
        account.is_none_or(|name| is_account_name(name)),
        "{request:?}"
    );
}

/// What a server sends to a client: it may be another user's, at the end of a forwarded socket.
pub(crate) fn control_reply(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data)
        && let Some((is_handover, length)) = protocol::read_handover_head(text)
        && is_handover
    {
        let again = protocol::handover_head(length);
        let again = protocol::read_handover_head(again.trim_end());
        assert_eq!(again, Some((true, length)));
    }
    let reply = match Reply::decode(data) {
        Ok(reply) => reply,
        Err(why) => return assert_line(&why.to_string()),
    };
    // There is one way to write a reply.
    assert_eq!(reply.encode().as_slice(), data);
    // None of its beginnings is one.
    for end in (0..data.len()).rev().take(16) {
        assert!(Reply::decode(&data[..end]).is_err());
    }
    if let Reply::Document(text) = &reply {
        assert_document::<Status>(text.expose());
        assert_document::<ServerInfo>(text.expose());
        assert_document::<LoginOffer>(text.expose());
        assert_document::<LoggedIn>(text.expose());
    }
}

/// What is read of a document is what it says when it is written again.
fn assert_document<T: Serialize + DeserializeOwned + PartialEq + Debug>(text: &str) {
    let Ok(document) = serde_json::from_str::<T>(text) else {
        return;
    };
    let Ok(written) = serde_json::to_string(&document) else {
        panic!("not written again: {document:?}");
    };
    let again = serde_json::from_str::<T>(&written).ok();
    assert_eq!(again.as_ref(), Some(&document));
}
