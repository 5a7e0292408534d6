//! What arguments mean, and what is said about wrong ones.

use std::os::unix::ffi::OsStringExt;

use super::*;

fn arguments(words: &[&str]) -> Vec<OsString> {
    let words = std::iter::once("pizauth").chain(words.iter().copied());
    words.map(OsString::from).collect()
}

fn interpreted(words: &[&str]) -> Command {
    interpret(arguments(words)).unwrap()
}

/// The exit code and what is on stdout and stderr where there is nothing to do.
fn refused(arguments: Vec<OsString>) -> (Exit, String, String) {
    let error = interpret(arguments).unwrap_err();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = print(&error, &mut out, &mut err);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (exit, text(out), text(err))
}

fn account(hide_url: bool, account: &str) -> AccountOptions {
    AccountOptions {
        hide_url,
        account: account.to_owned(),
    }
}

fn shown(hide_url: bool, name: &str) -> ShowOptions {
    ShowOptions {
        wait: None,
        min_valid: None,
        format: Format::Token,
        user: None,
        account: account(hide_url, name),
    }
}

fn waiting(wait: Option<u64>, min_valid: Option<u64>) -> ShowOptions {
    ShowOptions {
        wait: wait.map(Duration::from_secs),
        min_valid: min_valid.map(Duration::from_secs),
        ..shown(false, "work")
    }
}

fn formatted(format: Format, user: Option<&str>) -> ShowOptions {
    ShowOptions {
        format,
        user: user.map(str::to_owned),
        ..shown(false, "work")
    }
}

fn login(flag: &str) -> LoginOptions {
    LoginOptions {
        paste: flag == "--paste",
        device: flag == "--device",
        no_browser: flag == "--no-browser",
        account: "work".into(),
    }
}

fn git(account: Option<&str>, operation: &str) -> GitOptions {
    GitOptions {
        account: account.map(str::to_owned),
        operation: operation.to_owned(),
    }
}

#[test]
fn every_command_is_understood() {
    use ClientCommand::*;
    let client: &[(&[&str], ClientCommand)] = &[
        (&["show", "work"], Show(shown(false, "work"))),
        (&["show", "-u", "work"], Show(shown(true, "work"))),
        (&["show", "work", "-u"], Show(shown(true, "work"))),
        (&["show", "--wait", "work"], Show(waiting(Some(30), None))),
        (
            &["show", "--wait=2m", "work"],
            Show(waiting(Some(120), None)),
        ),
        (
            &["show", "work", "--min-valid=90", "--wait=0"],
            Show(waiting(Some(0), Some(90))),
        ),
        (
            &["show", "--min-valid", "1d", "work"],
            Show(waiting(None, Some(86400))),
        ),
        (&["show", "-u", "--", "-u"], Show(shown(true, "-u"))),
        (
            &["show", "--format=header", "work"],
            Show(formatted(Format::Header, None)),
        ),
        (
            &["show", "--format", "xoauth2", "--user", "me", "work"],
            Show(formatted(Format::Xoauth2, Some("me"))),
        ),
        (
            &["show", "work", "--user=a,b", "--format=oauthbearer"],
            Show(formatted(Format::Oauthbearer, Some("a,b"))),
        ),
        (&["refresh", "-u", "work"], Refresh(account(true, "work"))),
        (&["login", "work"], Login(login(""))),
        (&["login", "--paste", "work"], Login(login("--paste"))),
        (&["login", "work", "--device"], Login(login("--device"))),
        (
            &["login", "--no-browser", "work"],
            Login(login("--no-browser")),
        ),
        (&["complete"], Complete(None)),
        (&["complete", "work"], Complete(Some("work".into()))),
        (&["complete", "a=b"], Complete(Some("a=b".into()))),
        (&["git-credential", "get"], GitCredential(git(None, "get"))),
        (
            &["git-credential", "--account", "work", "erase"],
            GitCredential(git(Some("work"), "erase")),
        ),
        (
            &["git-credential", "capability"],
            GitCredential(git(None, "capability")),
        ),
        (&["reload"], Reload),
        (&["status"], Status(false)),
        (&["status", "--json"], Status(true)),
        (&["info"], Info(false)),
        (&["info", "-j"], Info(true)),
        (&["info", "--json"], Info(true)),
        (&["revoke", "a b"], Revoke("a b".into())),
        (&["revoke", "--", "--json"], Revoke("--json".into())),
        (&["dump"], Dump),
        (&["restore"], Restore),
        (&["shutdown"], Shutdown),
    ];
    for (words, expected) in client {
        let Command::Client(command) = interpreted(words) else {
            panic!("{words:?} is for the client");
        };
        assert_eq!(command, *expected);
    }
    assert_eq!(interpreted(&["check"]), Command::Check(None));
    let named = interpreted(&["check", "-c", "my.conf"]);
    assert_eq!(named, Command::Check(Some("my.conf".into())));
    let doctor = |account: Option<&str>, json| Command::Doctor {
        account: account.map(str::to_owned),
        json,
    };
    assert_eq!(interpreted(&["doctor"]), doctor(None, false));
    assert_eq!(
        interpreted(&["doctor", "work"]),
        doctor(Some("work"), false)
    );
    let words = ["doctor", "--json", "work"];
    assert_eq!(interpreted(&words), doctor(Some("work"), true));
    for (name, shell) in [
        ("bash", Shell::Bash),
        ("zsh", Shell::Zsh),
        ("fish", Shell::Fish),
    ] {
        let command = interpreted(&["completions", name]);
        assert_eq!(command, Command::Completions(shell));
    }
}

#[test]
fn the_server_s_options_are_understood() {
    let plain = interpreted(&["server"]);
    assert_eq!(plain, Command::Server(ServerOptions::default()));
    let all = interpreted(&["server", "-dvv", "--replace", "-c", "my.conf", "-v"]);
    let expected = ServerOptions {
        replace: true,
        config: Some("my.conf".into()),
        foreground: true,
        verbosity: 3,
    };
    assert_eq!(all, Command::Server(expected));
}

#[test]
fn a_configuration_file_may_have_any_name() {
    let name = OsString::from_vec(b"\xff.conf".to_vec());
    let mut words = arguments(&["check", "-c"]);
    words.push(name.clone());
    let command = interpret(words).unwrap();
    assert_eq!(command, Command::Check(Some(name.into())));
}

#[test]
fn the_short_cut_for_show_means_the_same() {
    let lines: &[&[&str]] = &[
        &["show", "work"],
        &["show", "-u", "work"],
        &["show", "a b ☃"],
        &["show", "work", "-u"],
        &["show", "--", "work"],
        &["show", "-u", "-u"],
        &["show", "-u"],
        &["show", "-"],
        &["show", "--help"],
        &["show", "-u", "--version"],
        &["show", ""],
        &["show", "a\tb"],
        &["show"],
        &["show", "a", "b"],
        &["show", "--format=token", "work"],
        &["refresh", "work"],
        &[],
    ];
    let taken = lines.iter().filter(|line| {
        let line = arguments(line);
        let plain = plain_show(&line);
        if let Some(command) = &plain {
            assert_eq!(*command, interpret(line).unwrap());
        }
        plain.is_some()
    });
    assert_eq!(taken.count(), 3);
}

#[test]
fn wrong_usage_is_told_on_stderr() {
    let cases: &[(&[&str], &str)] = &[
        (&["shwo", "work"], "'show'"),
        (&["show"], "<ACCOUNT>"),
        (&["show", ""], "not empty"),
        (&["show", "a\nb"], "control characters"),
        (&["show", "a\x1b[2Jb"], "control characters"),
        (&["refresh", "-u", "\u{9b}"], "control characters"),
        (&["show", "a", "b"], "unexpected argument 'b'"),
        (&["show", "-x", "a"], "'-x'"),
        (&["revoke", "-work"], "'-- -w'"),
        (&["show", "--format=json", "a"], "xoauth2"),
        (&["show", "--format=xoauth2", "a"], "--user NAME"),
        (&["show", "--format=oauthbearer", "a"], "--user NAME"),
        (&["show", "--user=me", "a"], "belongs to"),
        (&["show", "--format=header", "--user=me", "a"], "belongs to"),
        (
            &["show", "--format=xoauth2", "--user=a\x01b", "a"],
            "control characters",
        ),
        (&["show", "--format=xoauth2", "--user=", "a"], "not empty"),
        (&["login"], "<ACCOUNT>"),
        (&["login", "--paste", "--device", "a"], "'--device'"),
        (&["login", "--paste", "--no-browser", "a"], "'--no-browser'"),
        (
            &["login", "--no-browser", "--device", "a"],
            "'--no-browser'",
        ),
        (&["complete", "a", "b"], "'b'"),
        (&["git-credential"], "<OPERATION>"),
        (&["reload", "now"], "'now'"),
        (&["status", "--jsno"], "'--json'"),
        (&["server", "-c"], "-c"),
        (
            &["completions", "tcsh"],
            "[possible values: bash, zsh, fish]",
        ),
        (&["--bogus"], "--bogus"),
    ];
    for (words, expected) in cases {
        let (exit, out, err) = refused(arguments(words));
        assert_eq!(exit, Exit::Usage, "{words:?}");
        assert_eq!(out, "");
        assert!(err.starts_with("ERROR - "), "{err}");
        assert!(err.contains(expected), "{err:?} lacks {expected:?}");
        assert!(!err.contains(['\x1b', '\u{9b}']), "{err:?}");
    }
}

#[test]
fn the_usage_is_that_of_the_command_which_was_used_wrongly() {
    for (words, expected) in [
        (&["show", "--user=me", "a"][..], "Usage: pizauth show "),
        (&["show", "--format=xoauth2", "a"], "Usage: pizauth show "),
        (
            &["complete", "http://localhost/?code=c&state=s"],
            "Usage: pizauth complete ",
        ),
    ] {
        let (_, _, err) = refused(arguments(words));
        assert!(err.contains(expected), "{err:?} lacks {expected:?}");
    }
}

#[test]
fn a_url_with_a_code_is_no_argument_and_is_not_repeated() {
    for words in [
        &["complete", "http://localhost:1/?code=SECRET&state=s"][..],
        &["complete", "HTTPS://localhost/?error=SECRET"],
        &["complete", "work", "http://localhost:1/?code=SECRET"],
        &["complete", "state=s&code=SECRET"],
        &["complete", "--", "<http://localhost:1/?code=SECRET>"],
        &["complete", "--url", "http://localhost:1/?code=SECRET"],
    ] {
        let (exit, out, err) = refused(arguments(words));
        assert_eq!((exit, &*out), (Exit::Usage, ""), "{words:?}");
        assert!(err.contains("can see the arguments"), "{err}");
        assert!(!err.contains("SECRET"), "{err}");
    }
}

#[test]
fn no_arguments_at_all_print_the_help_on_stderr() {
    let (exit, out, err) = refused(arguments(&[]));
    assert_eq!((exit, &*out), (Exit::Usage, ""));
    assert!(err.contains("Usage: pizauth <COMMAND>"), "{err}");
}

#[test]
fn arguments_that_are_not_utf8_are_refused() {
    for line in [&["show"][..], &["show", "-u"], &[], &["revoke"]] {
        let mut line = arguments(line);
        line.push(OsString::from_vec(b"\xff".to_vec()));
        assert_eq!(plain_show(&line), None);
        let (exit, _, err) = refused(line);
        assert_eq!(exit, Exit::Usage);
        assert!(!err.is_empty());
    }
}

#[test]
fn help_and_version_are_everywhere() {
    let names: Vec<String> = command()
        .get_subcommands()
        .map(|subcommand| subcommand.get_name().to_owned())
        .collect();
    for flag in ["-h", "--help"] {
        let (exit, out, _) = refused(arguments(&[flag]));
        assert_eq!(exit, Exit::Done);
        for name in &names {
            assert!(out.contains(&format!("\n  {name} ")), "{out} lacks {name}");
            let (exit, out, _) = refused(arguments(&[name, flag]));
            assert_eq!(exit, Exit::Done);
            assert!(out.contains(&format!("Usage: pizauth {name}")), "{out}");
        }
    }
    let version = format!("pizauth {}\n", env!("CARGO_PKG_VERSION"));
    for flag in ["-V", "--version"] {
        assert_eq!(refused(arguments(&[flag])).1, version);
        for name in &names {
            assert_eq!(refused(arguments(&[name, flag])).1, version);
        }
    }
}

#[test]
fn accounts_are_explained() {
    for name in ["show", "refresh", "revoke", "login"] {
        let (_, out, _) = refused(arguments(&[name, "-h"]));
        assert!(out.contains("<ACCOUNT>  The account's name"), "{out}");
    }
}

#[test]
fn the_description_holds_together() {
    command().debug_assert();
}

#[test]
fn there_are_completions_for_each_shell() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let script = completions(shell);
        assert!(script.contains("shutdown"), "{shell:?}");
        assert!(!script.contains("pizauth-show"), "{shell:?}");
    }
}

#[test]
fn times_that_are_none_are_refused() {
    for time in [
        "",
        "s",
        "5x",
        "-1",
        "1 h",
        "5ss",
        "25h",
        "99999999999999999999d",
        "1.5h",
    ] {
        let (exit, _, err) = refused(arguments(&["show", &format!("--wait={time}"), "work"]));
        assert_eq!(exit, Exit::Usage, "{time}");
        assert!(err.contains("--wait"), "{err}");
    }
}
