//! Everything that can go wrong, in random order, through the real program: and no login may be
//! lost that the provider has not ended itself.
//!
//! `PIZAUTH_FAULTS_SECONDS` is how long each of the instances goes on, and `PIZAUTH_FAULTS_SEED`
//! repeats the choices of one run.

#![expect(
    clippy::unwrap_used,
    reason = "tests and their helpers report by panicking"
)]

mod support;

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, SystemTime};

use nix::sys::signal::{Signal, kill};
use support::attack::Random;
use support::pizauth::{is_zombie, url_in};
use support::provider::quoted;
use support::*;

const ACCOUNTS: [&str; 4] = ["a", "b", "c", "d"];

/// Together they are at it for more than a minute.
const INSTANCES: u64 = 4;
const SECONDS: u64 = 20;

#[test]
fn no_login_is_lost_whatever_happens() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let seconds = number("PIZAUTH_FAULTS_SECONDS").unwrap_or(SECONDS);
    let seed = number("PIZAUTH_FAULTS_SEED").unwrap_or_else(|| {
        let time = SystemTime::UNIX_EPOCH.elapsed().unwrap();
        time.as_secs() % 1_000_000
    });
    println!("PIZAUTH_FAULTS_SEED={seed}");
    let run = move |instance| {
        let mut world = World::new(seed * INSTANCES + instance + 1, instance % 2 == 0);
        world.run(Duration::from_secs(seconds))
    };
    let start = |instance| {
        let name = thread::Builder::new().name(format!("instance {instance}"));
        name.spawn(move || run(instance)).unwrap()
    };
    let running: Vec<_> = (0..INSTANCES).map(start).collect();
    let (mut lost, mut held, mut steps) = (0, 0, 0);
    for instance in running {
        let outcome = instance.join().unwrap();
        lost += outcome.lost.len();
        held += outcome.held;
        steps += outcome.steps;
        println!("{outcome:?}");
    }
    println!("lost logins: {lost} of {held} in {steps} steps");
    assert_eq!(lost, 0, "PIZAUTH_FAULTS_SEED={seed} repeats the choices");
}

#[derive(Debug, Default)]
struct Outcome {
    /// What was seen where a login was missing.
    lost: Vec<String>,
    /// How many logins there were.
    held: usize,
    steps: usize,
    requests: usize,
    replacements: usize,
    kills: usize,
}

struct World {
    provider: Provider,
    user: Pizauth,
    random: Random,
    /// Whether the provider takes the last spent token once more: only then may it answer without
    /// the answer coming through.
    forgiving: bool,
    /// Which accounts are logged in.
    logged_in: [bool; ACCOUNTS.len()],
    /// Whether the provider lets requests hang.
    hanging: bool,
    dumps: Vec<String>,
    outcome: Outcome,
}

impl World {
    fn new(seed: u64, forgiving: bool) -> Self {
        let provider = Provider::start();
        provider.rotate();
        if forgiving {
            provider.forgive();
        }
        let world = Self {
            provider,
            user: Pizauth::new(),
            random: Random(seed),
            forgiving,
            logged_in: [false; ACCOUNTS.len()],
            hanging: false,
            dumps: Vec::new(),
            outcome: Outcome::default(),
        };
        world.configure(1);
        world.user.start_background();
        world
    }

    fn kept(&self) -> PathBuf {
        self.user.dir().join("kept")
    }

    fn configure(&self, retry: usize) {
        let file = self.kept().display().to_string();
        let persist = format!("cat >'{file}.new' && mv '{file}.new' '{file}'");
        let restore = format!("if test -e '{file}'; then cat '{file}'; fi");
        let mut config = format!(
            "persist_cmd = {};\nrestore_cmd = {};\nrefresh_retry = {retry}s;\n",
            quoted(&persist),
            quoted(&restore)
        );
        for name in ACCOUNTS {
            config += &self.provider.account(name, "");
        }
        self.user.write_config(&config);
    }

    fn run(&mut self, time: Duration) -> Outcome {
        let start = now();
        for account in 0..ACCOUNTS.len() {
            self.log_in(account);
        }
        while start.elapsed() < time && self.outcome.lost.is_empty() {
            self.step();
            self.outcome.steps += 1;
        }
        self.calm();
        self.outcome.requests = self.provider.requests().len();
        let faults = self.provider.faults();
        self.outcome.lost.extend(faults);
        std::mem::take(&mut self.outcome)
    }

    fn step(&mut self) {
        let account = self.random.below(ACCOUNTS.len());
        match self.random.below(32) {
            0..6 => self.show(account),
            6..9 => self.refresh(account),
            9..12 => self.log_in(account),
            12..17 => self.change_mood(),
            17..19 => self.behave(),
            19 | 20 => self.kill_clients(account),
            21 => self.reload(),
            22 => self.reload_badly(),
            23 | 24 => self.replace(),
            25 => self.replace_badly(),
            26 => self.dump(),
            27 => self.restore(),
            28 => self.user.signal(Signal::SIGHUP),
            29 => self.revoke(account),
            30 => self.restart(),
            _ if self.random.below(3) == 0 => self.end_logins(),
            _ => self.crash(),
        }
    }

    /// Takes note of what a client has got for an account.
    fn judge(&mut self, account: usize, what: &str, run: &Run) {
        let fine = match run.code {
            0 | 4 => true,
            code => code == 3 && !self.logged_in[account],
        };
        if !fine {
            let (name, steps) = (ACCOUNTS[account], self.outcome.steps);
            let lost = format!("{what} {name} in step {steps}: {run:?}");
            self.outcome.lost.push(lost);
        }
    }

    fn show(&mut self, account: usize) {
        let run = self.user.show(ACCOUNTS[account]);
        self.judge(account, "show", &run);
    }

    fn refresh(&mut self, account: usize) {
        // It would wait for as long as the provider hangs.
        if !self.hanging {
            let run = self.user.run(&["refresh", ACCOUNTS[account]]);
            self.judge(account, "refresh", &run);
        }
    }

    fn log_in(&mut self, account: usize) {
        if self.logged_in[account] {
            return;
        }
        self.behave();
        let run = self.user.run(&["refresh", ACCOUNTS[account]]);
        if run.code == 3 {
            let page = log_in(&self.provider, &url_in(&run));
            assert_eq!(page.status, 200, "{page:?}");
        }
        if run.code == 0 || run.code == 3 {
            self.logged_in[account] = true;
            self.outcome.held += 1;
        }
    }

    fn behave(&mut self) {
        self.provider.behave();
        self.hanging = false;
    }

    /// What becomes of refreshes from now on; logging in always works.
    fn change_mood(&mut self) {
        self.behave();
        let lifetime = [1, 2, 6, 3600][self.random.below(4)];
        self.provider.set_lifetime(Some(lifetime));
        let gate = self.provider.gate();
        let answer = match self.random.below(if self.forgiving { 8 } else { 7 }) {
            0 => Answer::of(503, "text/html", "<html>"),
            1 => Answer::error(429, "slow_down", "too often").header("Retry-After", "1"),
            2 => Answer::json(200, "{\"access_tok"),
            3 => Answer::of(200, "text/html", "<html>a captive portal</html>"),
            4 => Answer::error(400, "temporarily_unavailable", "later"),
            5 => Answer::of(302, "text/html", "").header("Location", "http://127.0.0.1:1/"),
            6 => {
                self.hanging = true;
                Answer::own().after(&gate)
            }
            _ => Answer::own().cut_after(self.random.below(150)),
        };
        self.provider.rule(move |request| {
            let refresh = request.field("grant_type") == Some("refresh_token");
            refresh.then(|| answer.clone())
        });
    }

    fn kill_clients(&mut self, account: usize) {
        let name = ACCOUNTS[account];
        let commands: [&[&str]; 4] = [
            &["refresh", name],
            &["show", "--wait=1m", name],
            &["show", "--wait=1m", "--min-valid=30m", name],
            &["status"],
        ];
        let mut clients: Vec<_> = commands.iter().map(|it| self.user.spawn(it)).collect();
        for client in &mut clients {
            client.kill().unwrap();
            client.wait().unwrap();
        }
    }

    fn reload(&mut self) {
        let retry = 1 + self.random.below(3);
        self.configure(retry);
        self.user.run(&["reload"]).expect(0);
    }

    fn reload_badly(&mut self) {
        self.user.write_config("account \"a\" {");
        self.user.run(&["reload"]).expect(1);
        self.configure(1);
    }

    fn replace(&mut self) {
        // It waits for what hangs.
        let mut server = self.user.spawn(&["server", "--replace"]);
        self.behave();
        let status = wait_for("another server has taken over", || {
            server.try_wait().unwrap()
        });
        assert!(status.success(), "{status}");
        self.outcome.replacements += 1;
    }

    fn replace_badly(&mut self) {
        self.user.write_config("account \"a\" {");
        self.user.run(&["server", "--replace"]).expect(1);
        self.configure(1);
    }

    fn dump(&mut self) {
        let dump = self.user.run(&["dump"]).expect(0).out;
        self.dumps.push(dump);
    }

    /// Puts back what there was some time ago: it must not take the place of anything newer.
    fn restore(&mut self) {
        if !self.dumps.is_empty() {
            let nth = self.random.below(self.dumps.len());
            let dump = &self.dumps[nth];
            self.user.run_with_input(&["restore"], dump).expect(0);
        }
    }

    fn revoke(&mut self, account: usize) {
        self.user.run(&["revoke", ACCOUNTS[account]]).expect(0);
        self.logged_in[account] = false;
        self.dumps.clear();
    }

    fn restart(&mut self) {
        let mut client = self.user.spawn(&["shutdown"]);
        // What hangs is answered now, or it would be lost.
        self.behave();
        let status = wait_for("the server ends", || client.try_wait().unwrap());
        assert!(status.success(), "{status}");
        self.dumps.clear();
        self.user.start_background();
    }

    /// Brings everything to an end that is under way, with fresh tokens for all, and has that kept.
    fn calm(&mut self) {
        self.behave();
        self.provider.set_lifetime(Some(3600));
        for account in (0..ACCOUNTS.len()).filter(|it| self.logged_in[*it]) {
            // The first one may join a request that was made before, and share its fate.
            for passing in [&[0, 4][..], &[0]] {
                let run = self.user.run(&["refresh", ACCOUNTS[account]]);
                if !passing.contains(&run.code) {
                    let lost = format!("{} at rest: {run:?}", ACCOUNTS[account]);
                    self.outcome.lost.push(lost);
                }
            }
        }
        if self.outcome.lost.is_empty() {
            wait_until("all is kept", || self.is_kept());
        }
    }

    fn is_kept(&self) -> bool {
        let kept = fs::read_to_string(self.kept()).unwrap_or_default();
        let token = |name| format!("\"{}\"", self.user.token(name));
        ACCOUNTS
            .iter()
            .zip(self.logged_in)
            .all(|(name, is_in)| match is_in {
                true => kept.contains(&token(name)),
                false => !kept.contains(&format!("\"{name}\"")),
            })
    }

    fn crash(&mut self) {
        self.calm();
        if !self.outcome.lost.is_empty() {
            return;
        }
        let pid = self.user.pid().unwrap();
        kill(pid, Signal::SIGKILL).unwrap();
        wait_until("it is dead", || kill(pid, None).is_err() || is_zombie(pid));
        self.dumps.clear();
        self.user.start_background();
        self.outcome.kills += 1;
    }

    /// The provider ends all logins: the only way to lose one.
    fn end_logins(&mut self) {
        self.calm();
        if !self.outcome.lost.is_empty() {
            return;
        }
        self.provider.end_logins();
        self.dumps.clear();
        for account in (0..ACCOUNTS.len()).filter(|it| self.logged_in[*it]) {
            self.user.run(&["refresh", ACCOUNTS[account]]).expect(3);
        }
        self.logged_in.fill(false);
        // Nothing empty is kept; so that what has ended does not come back.
        let _ = fs::remove_file(self.kept());
        for account in 0..ACCOUNTS.len() {
            self.log_in(account);
        }
    }
}
