//! The manual, the README and the examples against the program: every command, option and setting
//! is in the manual, nothing is in it that does not exist, and every example is valid.
//!
//! Knows how the manual pages are marked up: in both of them `Cm` is a command of pizauth, `Fl` one
//! of its options and `Ic` a setting of pizauth.conf, and nothing else is.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const PIZAUTH_1: &str = include_str!("../pizauth.1");
const PIZAUTH_CONF_5: &str = include_str!("../pizauth.conf.5");
const README: &str = include_str!("../README.md");
const THREATS: &str = include_str!("threats.md");
const SERVICE: &str = include_str!("../share/systemd/pizauth.service");
const SOCKET: &str = include_str!("../share/systemd/pizauth.socket");
const AGENT: &str = include_str!("../share/launchd/pizauth.plist");

/// What a setting that is shown on its own needs beside it.
const AN_ACCOUNT: &str = r#"
account "a" {
    auth_uri = "https://example.com/authorize";
    token_uri = "https://example.com/token";
    client_id = "id";
}
"#;

/// The sections of pizauth.conf(5) with settings.
const GLOBAL: &str = "GLOBAL SETTINGS";
const BOTH: &str = "SETTINGS OF BOTH KINDS";
const ACCOUNT: &str = "SETTINGS OF ACCOUNTS";

/// The section with the presets.
const PROVIDERS: &str = "PROVIDERS";

type Names = BTreeSet<String>;

/// One command: its options, `-u` or `--json`, and the names of what they and the command take.
#[derive(Debug, Default, PartialEq, Eq)]
struct Usage {
    flags: Names,
    operands: Names,
}

#[test]
fn the_synopsis_is_that_of_the_program() {
    let synopsis = section(PIZAUTH_1, "SYNOPSIS");
    assert_eq!(documented(synopsis, ".Cm "), program());
}

#[test]
fn every_command_and_option_is_described() {
    let commands = section(PIZAUTH_1, "COMMANDS");
    let flags_of = |usages: BTreeMap<String, Usage>| -> BTreeMap<String, Names> {
        let flags = usages.into_iter().map(|(name, usage)| (name, usage.flags));
        flags.collect()
    };
    assert_eq!(
        flags_of(documented(commands, ".It Cm ")),
        flags_of(program())
    );

    let (preamble, _) = commands.split_once(".It Cm ").unwrap();
    let everywhere = arguments(preamble, "Fl").flat_map(flags).collect();
    assert_eq!(names(["-h", "--help", "-V", "--version"]), everywhere);
}

#[test]
fn every_setting_is_described() {
    let mut described = BTreeMap::new();
    for heading in [GLOBAL, BOTH, ACCOUNT] {
        let part = section(PIZAUTH_CONF_5, heading);
        for item in part.lines().filter_map(|line| line.strip_prefix(".It Ic ")) {
            let (names, _value) = item.split_once('=').unwrap();
            for name in names.split(" , ").map(|name| name.trim().to_owned()) {
                assert_eq!(described.insert(name, heading), None, "twice: {item}");
            }
        }
    }
    assert_eq!(described, settings());
}

#[test]
fn every_provider_is_described() {
    let part = section(PIZAUTH_CONF_5, PROVIDERS);
    let items = part.lines().filter_map(|line| line.strip_prefix(".It Li "));
    let described: Names = names(items.flat_map(|item| item.split(" , ")));
    let mut known = names(pizauth::config::provider_names());
    known.extend(names(["microsoft:TENANT", "gitlab:HOST"]));
    assert_eq!(described, known);
}

/// The endpoints that the manual names for a provider are those that its preset fills in.
#[test]
fn every_endpoint_of_a_provider_is_told() {
    let part = section(PIZAUTH_CONF_5, PROVIDERS);
    // Several names may share what follows the last of them.
    let mut sharing = Vec::new();
    let mut checked = 0;
    for item in part.split(".It Li ").skip(1) {
        let (name, text) = item.split_once('\n').unwrap();
        sharing.push(name);
        if text.is_empty() {
            continue;
        }
        for name in sharing.drain(..) {
            assert_eq!(told_endpoints(name, text), preset_endpoints(name), "{name}");
            checked += 1;
        }
    }
    assert!(checked > 10, "the providers are not found");
}

fn told_endpoints(name: &str, text: &str) -> BTreeMap<String, String> {
    let place = match name {
        "microsoft" => "common",
        "microsoft-work" => "organizations",
        "microsoft-personal" => "consumers",
        _ => "",
    };
    let host = if name == "gitlab" {
        "gitlab.com"
    } else {
        "HOST"
    };
    let items = text.split(".It Ic ").skip(1).map(|item| {
        let (key, value) = item.split_once("\n.Li ").unwrap();
        let value = value
            .lines()
            .next()
            .unwrap()
            .replace("//HOST/", &format!("//{host}/"));
        let value = match place {
            "" => value,
            _ => value.replace("TENANT", place),
        };
        (key.to_owned(), value)
    });
    items.collect()
}

fn preset_endpoints(name: &str) -> BTreeMap<String, String> {
    // Stand-ins that are valid, and put back in what they were made into.
    let valid = name
        .replace("TENANT", "tenant.example")
        .replace("HOST", "host.example");
    let source = format!("account \"a\" {{ provider = \"{valid}\"; client_id = \"id\"; }}");
    let config = pizauth::config::parse(&source, name).unwrap();
    let account = &config.accounts[0];
    let endpoints = [
        ("auth_uri", &account.authority.auth_uri),
        ("token_uri", &account.authority.token_uri),
        ("device_uri", &account.device_uri),
        ("revoke_uri", &account.revoke_uri),
    ];
    let known = endpoints.into_iter().filter_map(|(key, uri)| {
        let uri = uri.as_ref()?.as_str();
        let uri = uri
            .replace("tenant.example", "TENANT")
            .replace("host.example", "HOST");
        Some((key.to_owned(), uri))
    });
    known.collect()
}

#[test]
fn the_manual_mentions_nothing_that_does_not_exist() {
    let (commands, settings) = (program(), settings());
    for page in [PIZAUTH_1, PIZAUTH_CONF_5] {
        for name in arguments(page, "Cm") {
            assert!(commands.contains_key(name), "no such command: {name}");
        }
        for name in arguments(page, "Ic") {
            assert!(settings.contains_key(name), "no such setting: {name}");
        }
    }
}

#[test]
fn every_command_line_shown_is_one() {
    let commands = program();
    let mut seen = Names::new();
    for code in code_of(README)
        .iter()
        .map(String::as_str)
        .chain([SERVICE, SOCKET, AGENT])
    {
        for name in code.lines().flat_map(commands_in) {
            assert!(
                commands.contains_key(name),
                "no such command: {name}, in {code}"
            );
            seen.insert(name.to_owned());
        }
    }
    assert!(
        seen.len() > 8,
        "the README shows few commands, or they are not found: {seen:?}"
    );
}

#[test]
fn every_configuration_shown_is_valid() {
    let complete = fenced(README, "conf pizauth.conf");
    let settings = fenced(README, "conf");
    assert!(
        complete.len() >= 2 && settings.len() >= 4,
        "the README's examples are not found"
    );
    for example in &complete {
        assert_valid(example, "README.md");
    }
    for example in &settings {
        assert_valid(&format!("{example}{AN_ACCOUNT}"), "README.md");
    }

    let first = displays(section(PIZAUTH_CONF_5, "DESCRIPTION"));
    assert_valid(&first[0], "pizauth.conf.5");
    for (heading, least) in [("EXAMPLES", 2), (PROVIDERS, 1)] {
        let manual = displays(section(PIZAUTH_CONF_5, heading));
        assert!(manual.len() >= least, "{heading}: no examples are found");
        for example in &manual {
            assert_valid(example, "pizauth.conf.5");
        }
    }
    let keeping = displays(section(PIZAUTH_CONF_5, "KEEPING TOKENS"));
    assert!(keeping.len() >= 3, "the manual's commands are not found");
    for example in &keeping {
        assert_valid(&format!("{example}{AN_ACCOUNT}"), "pizauth.conf.5");
    }
}

#[test]
fn what_keeps_tokens_is_the_same_everywhere() {
    let manual = displays(section(PIZAUTH_CONF_5, "KEEPING TOKENS"));
    let settings = fenced(README, "conf");
    let shown: Vec<&String> = settings
        .iter()
        .filter(|example| example.contains("persist_cmd"))
        .collect();
    assert!(!shown.is_empty(), "the README does not say how");
    for example in shown {
        let known = manual.iter().any(|known| known.trim() == example.trim());
        assert!(known, "not in pizauth.conf(5): {example}");
    }
}

/// Every preset is shown in a file of its own, and so is every other way to log in.
#[test]
fn every_example_file_is_valid() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut shown = String::new();
    let mut names = Names::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "conf") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert_valid(&text, &name);
        // A client id that looks real would be tried, and is somebody's.
        let ids = text.matches("client_id = \"YOUR-").count();
        assert_eq!(ids, text.matches("client_id = ").count(), "{name}");
        shown.push_str(&text);
        names.insert(name);
    }
    for provider in pizauth::config::provider_names() {
        let is_shown = shown.contains(&format!("\"{provider}\""));
        assert!(is_shown, "no example is about \"{provider}\"");
    }
    for other in ["issuer", "device_code", "client_credentials"] {
        assert!(names.contains(other), "examples/{other}.conf is missing");
    }
}

/// The mail tests run the README's configurations; the manual shows the lines of them that matter.
#[test]
fn what_the_manual_says_of_mail_programs_is_what_the_readme_says() {
    let blocks = code_of(README).join("\n");
    let known: BTreeSet<&str> = blocks.lines().map(str::trim).collect();
    let shown = displays(section(PIZAUTH_1, "MAIL PROGRAMS")).join("\n");
    assert!(shown.lines().count() > 15, "{shown}");
    for line in shown.lines().map(str::trim) {
        assert!(known.contains(line), "README has no line '{line}'");
    }
}

#[test]
fn every_link_in_the_readme_leads_somewhere() {
    let anchors: Names = README.lines().filter_map(anchor).collect();
    let links = README
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    for link in links.filter(|link| !link.starts_with("https://")) {
        let exists = match link.strip_prefix('#') {
            Some(name) => anchors.contains(name),
            None => Path::new(env!("CARGO_MANIFEST_DIR")).join(link).exists(),
        };
        assert!(exists, "README.md links to {link}, which does not exist");
    }
}

/// What the program's command line has.
fn program() -> BTreeMap<String, Usage> {
    let command = pizauth::cli::command();
    let usages = command.get_subcommands().map(|subcommand| {
        let mut usage = Usage::default();
        for argument in subcommand.get_arguments() {
            usage
                .flags
                .extend(argument.get_short().map(|short| format!("-{short}")));
            usage
                .flags
                .extend(argument.get_long().map(|long| format!("--{long}")));
            if argument.get_action().takes_values() {
                let name = argument.get_value_names().and_then(|names| names.first());
                let name = name.map_or(argument.get_id().as_str(), |name| name.as_str());
                usage.operands.insert(name.to_lowercase());
            }
        }
        (subcommand.get_name().to_owned(), usage)
    });
    usages.collect()
}

/// The names of all settings, other names for the same one included, and the section of
/// pizauth.conf(5) that each belongs in.
fn settings() -> BTreeMap<String, &'static str> {
    let mut settings = BTreeMap::new();
    for (names, place) in pizauth::config::option_names() {
        let heading = match format!("{place:?}").as_str() {
            "Global" => GLOBAL,
            "Account" => ACCOUNT,
            _ => BOTH,
        };
        settings.extend(names.iter().map(|&name| (name.to_owned(), heading)));
    }
    settings
}

fn assert_valid(source: &str, name: &str) {
    let valid = pizauth::config::parse(source, name).is_ok();
    assert!(
        valid,
        "{name}: `pizauth check` finds mistakes in:\n{source}"
    );
}

fn names<T: ToString>(names: impl IntoIterator<Item = T>) -> Names {
    names.into_iter().map(|name| name.to_string()).collect()
}

/// The section of a manual page, without its heading.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let from = page.split_once(&format!("\n.Sh {heading}\n")).unwrap().1;
    from.split("\n.Sh ").next().unwrap()
}

/// The commands in a part of the manual where each starts with a line that starts with `mark`.
fn documented(part: &str, mark: &str) -> BTreeMap<String, Usage> {
    let part = part.split("\n.Ss ").next().unwrap();
    let starts: Vec<usize> = line_starts(part)
        .filter(|&at| part[at..].starts_with(mark))
        .collect();
    let ends = starts.iter().copied().skip(1).chain([part.len()]);
    let usages = starts.iter().zip(ends).map(|(&start, end)| {
        let text = &part[start..end];
        let name = text[mark.len()..].split_whitespace().next().unwrap();
        let usage = Usage {
            flags: arguments(text, "Fl").flat_map(flags).collect(),
            operands: names(arguments(text, "Ar")),
        };
        (name.to_owned(), usage)
    });
    usages.collect()
}

fn line_starts(text: &str) -> impl Iterator<Item = usize> {
    text.match_indices('\n')
        .map(|(at, _)| at + 1)
        .chain([0])
        .collect::<BTreeSet<_>>()
        .into_iter()
}

/// The first argument of each call of an mdoc macro.
fn arguments<'a>(page: &'a str, called: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = page.lines().filter_map(|line| line.strip_prefix('.'));
    lines.flat_map(move |line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let calls = words.windows(2).filter(|pair| pair[0] == called);
        calls.map(|pair| pair[1]).collect::<Vec<_>>()
    })
}

/// The options in the argument of `Fl`: `-json` is one long one, `dv` two short ones.
fn flags(argument: &str) -> Vec<String> {
    match argument.strip_prefix('-') {
        Some(long) => vec![format!("--{long}")],
        None => argument.chars().map(|short| format!("-{short}")).collect(),
    }
}

/// The text of the literal displays in a part of a manual page.
fn displays(part: &str) -> Vec<String> {
    let displays = part.split(".Bd -literal").skip(1).map(|rest| {
        let (_arguments, text) = rest.split_once('\n').unwrap();
        let text = text.split("\n.Ed").next().unwrap();
        text.replace("\\(dq", "\"")
            .replace("\\&", "")
            .replace("\\e", "\\")
    });
    displays.collect()
}

/// The code blocks with exactly this info string.
fn fenced(markdown: &str, info: &str) -> Vec<String> {
    let blocks = blocks(markdown).filter(|(found, _)| *found == info);
    blocks.map(|(_, text)| text.to_owned()).collect()
}

/// All code in a text: its blocks, and what stands in backquotes.
fn code_of(markdown: &str) -> Vec<String> {
    let prose = markdown.split("```").step_by(2);
    let spans = prose.flat_map(|text| text.split('`').skip(1).step_by(2));
    let blocks = blocks(markdown).map(|(_, text)| text);
    spans.chain(blocks).map(str::to_owned).collect()
}

/// The code blocks, each with its info string.
fn blocks(markdown: &str) -> impl Iterator<Item = (&str, &str)> {
    let blocks = markdown.split("```").skip(1).step_by(2);
    blocks.filter_map(|block| block.split_once('\n'))
}

/// The words after `pizauth` in a line of shell, where they look like a command's name.
fn commands_in(line: &str) -> impl Iterator<Item = &str> {
    let punctuation = |c: char| !c.is_ascii_alphanumeric();
    let words: Vec<&str> = line.split_whitespace().collect();
    let commands = words.windows(2).filter_map(move |pair| {
        let program = pair[0].trim_start_matches(['$', '(', '"', '\'']);
        let is_pizauth = program == "pizauth" || program.ends_with("/pizauth");
        let name = pair[1].trim_end_matches(punctuation);
        let looks_like_one = name.starts_with(|c: char| c.is_ascii_lowercase());
        (is_pizauth && looks_like_one).then_some(name)
    });
    commands.collect::<Vec<_>>().into_iter()
}

/// The name that links to a heading use.
fn anchor(line: &str) -> Option<String> {
    let (marks, heading) = line.split_once(' ')?;
    if marks.is_empty() || marks.chars().any(|c| c != '#') {
        return None;
    }
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'));
    Some(kept.collect::<String>().to_lowercase().replace(' ', "-"))
}

/// The threat model names for each statement the test that shows it: `file::name`.
#[test]
fn every_test_that_the_threats_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let quoted = THREATS.split('`').skip(1).step_by(2);
    let mut count = 0;
    for (file, name) in quoted.filter_map(|it| it.split_once("::")) {
        let source = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        let before = source.split(&format!("fn {name}()")).next();
        let before = before.filter(|before| before.len() < source.len());
        let attributes = before.map(|before| before.rsplit("\n\n").next().unwrap_or_default());
        let is_test = attributes.is_some_and(|it| it.contains("#[test]"));
        assert!(is_test, "no test {name} in {file}");
        count += 1;
    }
    assert!(count > 50, "{count} tests are named");
}

/// Each limit is shown by a test of the real program, and each number stands in the table once.
#[test]
fn every_limit_has_a_test_of_the_real_program() {
    let part = THREATS.split("\n## Every limit\n").nth(1).unwrap();
    let part = part.split("\n## ").next().unwrap();
    let rows = part.lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut limits = Names::new();
    for row in rows {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [what, limit, shown] = cells[..] else {
            panic!("not three cells: {row}");
        };
        assert!(shown.contains("`tests/"), "no test of the program: {row}");
        limits.insert(format!("{what} {limit}"));
    }
    assert!(limits.len() > 20, "{limits:?}");
}
