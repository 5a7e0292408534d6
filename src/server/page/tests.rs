//! What every page must be, whatever is put into it.

use super::*;

const NONCE: &str = "dGVzdC1ub25jZQ==";

const ALL: [Page<'static>; 11] = [
    Page::LoggedIn {
        account: "work",
        expires: Some("14:32"),
    },
    Page::Failed {
        account: "work",
        reason: "access_denied: the user said no",
    },
    Page::StillWorking { account: "work" },
    Page::UnknownRequest,
    Page::Welcome,
    Page::NotFound,
    Page::BadRequest("'state' came twice"),
    Page::MethodNotAllowed,
    Page::TimedOut,
    Page::TooLarge,
    Page::Busy,
];

fn text(page: &Page<'_>) -> String {
    String::from_utf8(response(page, NONCE)).unwrap()
}

fn parts(page: &Page<'_>) -> (String, String) {
    let text = text(page);
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.into(), body.into())
}

fn failed(reason: &str) -> String {
    let account = "work";
    parts(&Page::Failed { account, reason }).1
}

#[test]
fn the_head_is_http_and_its_length_is_the_bodys() {
    for page in ALL {
        let bytes = response(&page, NONCE);
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut parsed = httparse::Response::new(&mut headers);
        let head = parsed.parse(&bytes).unwrap().unwrap();
        let length = parsed
            .headers
            .iter()
            .find(|header| header.name == "Content-Length")
            .map(|header| std::str::from_utf8(header.value).unwrap());
        assert_eq!(length, Some((bytes.len() - head).to_string().as_str()));
    }
}

#[test]
fn every_response_has_the_protecting_headers() {
    let wanted = [
        "Content-Type: text/html; charset=utf-8",
        "Connection: close",
        "Cache-Control: no-store",
        "Referrer-Policy: no-referrer",
        "X-Content-Type-Options: nosniff",
        "X-Frame-Options: DENY",
        "Cross-Origin-Opener-Policy: same-origin",
        "Cross-Origin-Resource-Policy: same-origin",
        "Content-Security-Policy: default-src 'none'; style-src 'nonce-dGVzdC1ub25jZQ=='; \
         script-src 'nonce-dGVzdC1ub25jZQ=='; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
    ];
    for page in ALL {
        let (head, _) = parts(&page);
        for header in wanted {
            let found = head.lines().filter(|line| *line == header).count();
            assert_eq!(found, 1, "{header} in the head of {page:?}:\n{head}");
        }
    }
}

#[test]
fn the_status_says_how_it_ended() {
    let of = |page: &Page<'_>| parts(page).0.lines().next().map(str::to_owned).unwrap();
    let found: Vec<String> = ALL.iter().map(of).collect();
    let wanted = [
        "HTTP/1.1 200 OK",
        "HTTP/1.1 400 Bad Request",
        "HTTP/1.1 202 Accepted",
        "HTTP/1.1 400 Bad Request",
        "HTTP/1.1 200 OK",
        "HTTP/1.1 404 Not Found",
        "HTTP/1.1 400 Bad Request",
        "HTTP/1.1 405 Method Not Allowed",
        "HTTP/1.1 408 Request Timeout",
        "HTTP/1.1 431 Request Header Fields Too Large",
        "HTTP/1.1 503 Service Unavailable",
    ];
    assert_eq!(found, wanted);
    assert!(parts(&Page::MethodNotAllowed).0.contains("\r\nAllow: GET"));
    assert!(parts(&Page::Busy).0.contains("\r\nRetry-After: "));
}

#[test]
fn nothing_is_fetched_from_anywhere() {
    for page in ALL {
        let (_, body) = parts(&page);
        for foreign in ["http:", "https:", "src=", "url(", "@import", "<link", "//"] {
            assert!(!body.contains(foreign), "{foreign} in {page:?}");
        }
    }
}

#[test]
fn what_the_policy_forbids_is_not_in_a_page() {
    for page in ALL {
        let (_, body) = parts(&page);
        let tags = body.split('<').filter_map(|text| text.split('>').next());
        for tag in tags {
            assert!(!tag.contains(" style="), "<{tag}> in {page:?}");
            assert!(!tag.contains(" on"), "<{tag}> in {page:?}");
        }
        let carriers = body.matches("<script").count() + body.matches("<style").count();
        assert_eq!(body.matches("nonce=\"dGVzdC1ub25jZQ==\"").count(), carriers);
    }
}

#[test]
fn the_title_and_the_heading_say_the_outcome_and_the_account() {
    for page in ALL {
        let (_, body) = parts(&page);
        let between = |from: &str, to: &str| {
            let (_, rest) = body.split_once(from).unwrap();
            rest.split_once(to).unwrap().0.to_owned()
        };
        assert!(body.contains("<html lang=\"en\">"));
        let title = between("<title>", "</title>");
        assert!(title.starts_with(&between("<h1>", "</h1>")), "{title}");
    }
    assert!(text(&ALL[0]).contains("<title>You are logged in: work – pizauth</title>"));
}

#[test]
fn the_query_goes_unless_loading_again_needs_it() {
    for page in ALL {
        let stays = matches!(page, Page::TimedOut | Page::TooLarge | Page::Busy);
        let (_, body) = parts(&page);
        assert_eq!(body.contains("history.replaceState"), !stays, "{page:?}");
        assert_eq!(body.contains("href=\"\""), stays, "{page:?}");
    }
}

#[test]
fn what_is_echoed_is_escaped_everywhere() {
    let evil = "</title><script>alert(\"1\")</script>' onload='x & <b>";
    let pages = [
        Page::LoggedIn {
            account: evil,
            expires: Some(evil),
        },
        Page::Failed {
            account: evil,
            reason: evil,
        },
        Page::StillWorking { account: evil },
        Page::BadRequest(evil),
    ];
    for page in pages {
        let (_, body) = parts(&page);
        assert!(!body.contains("<script>"), "{page:?}");
        assert!(!body.contains("alert(\"1\")"), "{page:?}");
        assert!(!body.contains("<b>"), "{page:?}");
        assert!(!body.contains("' onload='"), "{page:?}");
        assert_eq!(body.matches("</title>").count(), 1, "{page:?}");
        assert!(body.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;"));
        assert!(body.contains("&#39; onload=&#39;x &amp; &lt;b&gt;"));
    }
}

#[test]
fn control_characters_do_not_get_through() {
    let body = failed("a\0b\u{1b}[31mc\r\nd\u{85}e\u{202e}f\u{200b}g");
    assert!(body.contains("a\u{fffd}b\u{fffd}[31mc  d\u{fffd}e\u{fffd}f\u{fffd}g"));
    assert!(failed("👩\u{200d}💻").contains("👩\u{200d}💻"));
}

#[test]
fn a_long_reason_is_whole_and_an_endless_one_is_not() {
    let long = "x".repeat(2048);
    let body = failed(&long);
    assert!(body.contains(&format!("<dd tabindex=\"0\"><bdi>{long}</bdi>")));
    let endless = failed(&"é".repeat(1 << 20));
    assert!(endless.len() < 64 * 1024);
    assert!(endless.contains("éé…</bdi>"));
}

#[test]
fn a_nonce_cannot_break_out() {
    let hostile = "a'\r\nSet-Cookie: x=1\r\n\r\n\"><script>";
    let response = String::from_utf8(response(&Page::Welcome, hostile)).unwrap();
    assert!(!response.contains("\r\nSet-Cookie"));
    assert!(response.contains("style-src 'nonce-aSet-Cookiex=1script';"));
}

#[test]
fn commands_can_be_pasted_into_a_shell() {
    let cases = [
        ("work", "pizauth show work"),
        ("my mail", "pizauth show 'my mail'"),
        ("-u", "pizauth show -- -u"),
    ];
    for (account, wanted) in cases {
        assert_eq!(command("show", account), wanted);
    }
}
