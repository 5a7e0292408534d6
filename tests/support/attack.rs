//! What an attacker does: connections that are silent, that drip, that send rubbish; and what the
//! server's process looks like meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Pizauth;
use super::wait::DEADLINE;

/// A connection to the control socket.
#[track_caller]
pub fn control(user: &Pizauth) -> UnixStream {
    let stream = UnixStream::connect(user.socket()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// A connection to the redirect listener at `address`.
#[track_caller]
pub fn browser(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Sends as much of `bytes` as is taken.
pub fn send(mut stream: impl Write, bytes: &[u8]) {
    // Whoever is refused half-way has been told why.
    let _ = stream.write_all(bytes);
}

/// All that the server says until it closes the connection, which it must do.
#[track_caller]
pub fn hear(mut stream: impl Read) -> String {
    let mut heard = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => heard.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("the server is silent ({error})"),
        }
    }
    String::from_utf8_lossy(&heard).into_owned()
}

/// Sends a request to the control socket and hears the reply.
#[track_caller]
pub fn ask(user: &Pizauth, request: impl AsRef<[u8]>) -> String {
    let stream = control(user);
    send(&stream, request.as_ref());
    hear(&stream)
}

/// How long the server takes to answer `show` for an account that has a token: the longest of
/// `count` tries.
#[track_caller]
pub fn slowest_show(user: &Pizauth, account: &str, count: usize) -> Duration {
    let show = || {
        let start = Instant::now();
        let reply = ask(user, format!("show\t{account}\n"));
        assert!(reply.starts_with("token "), "{reply}");
        start.elapsed()
    };
    (0..count).map(|_| show()).max().unwrap()
}

/// Writes a byte now and then for as long as anybody takes it.
pub fn drip(mut stream: impl Write + Send + 'static, byte: u8) {
    let dripping = move || {
        while stream.write_all(&[byte]).is_ok() {
            thread::sleep(Duration::from_millis(200));
        }
    };
    thread::Builder::new().spawn(dripping).unwrap();
}

/// Numbers that look random and are the same each time (xorshift64*).
pub struct Random(pub u64);

impl Random {
    /// Less than `below`.
    pub fn below(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % below
    }

    /// One of these.
    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    /// Any bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.below(256) as u8).collect()
    }
}

/// A number of the server's process, as /proc/PID/status has it (VmRSS in KiB, for example).
#[track_caller]
pub fn vital(user: &Pizauth, name: &str) -> u64 {
    let pid = user.recorded_pid().expect("there is a server");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// How much processor time the server has used.
#[track_caller]
pub fn processor_time(user: &Pizauth) -> Duration {
    let pid = user.recorded_pid().expect("there is a server");
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: u64 = fields[11..=12]
        .iter()
        .map(|n| n.parse::<u64>().unwrap())
        .sum();
    // Linux counts in hundredths of a second for programs, whatever it does itself.
    Duration::from_millis(ticks * 10)
}

/// How often each thread of the server that is there now has been given a processor.
#[track_caller]
pub fn switches(user: &Pizauth) -> BTreeMap<String, u64> {
    let pid = user.recorded_pid().expect("there is a server");
    let count = |line: &str| -> u64 {
        let number = line.split_whitespace().nth(1);
        number.unwrap().parse().unwrap()
    };
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |task: fs::DirEntry| {
        let status = fs::read_to_string(task.path().join("status")).ok()?;
        let name = status.lines().next()?.replace("Name:\t", "");
        let lines = status.lines();
        let counts = lines.filter(|line| line.contains("ctxt_switches"));
        let id = task.file_name().into_string().unwrap();
        Some((format!("{name} {id}"), counts.map(count).sum()))
    };
    tasks.filter_map(|task| of(task.unwrap())).collect()
}

/// Has a command started under a shell's `ulimit`.
pub fn limited(user_dir: &std::path::Path, command: &mut Command, limit: &str) {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &format!("ulimit {limit} && exec \"$0\" \"$@\"")]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.env_clear();
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    shell
        .current_dir(user_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    shell.stderr(fs::File::create(user_dir.join("log")).unwrap());
    *command = shell;
}

/// A token endpoint that answers its first request as a good one does, and does with each
/// connection after that what it likes.
pub struct Villain(pub std::net::SocketAddr);

impl Villain {
    pub fn start(attack: fn(TcpStream)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let accept = move || {
            for (count, stream) in listener.incoming().filter_map(Result::ok).enumerate() {
                let serve = move || {
                    read_request(&stream);
                    if count == 0 {
                        send(&stream, good_answer().as_bytes());
                    } else {
                        attack(stream);
                    }
                };
                thread::Builder::new().spawn(serve).unwrap();
            }
        };
        thread::Builder::new().spawn(accept).unwrap();
        Self(address)
    }

    /// The account as the configuration file has it.
    pub fn account(&self, name: &str) -> String {
        format!(
            "account \"{name}\" {{ auth_uri = \"http://{0}/auth\"; \
             token_uri = \"http://{0}/token\"; client_id = \"mail\"; }}\n",
            self.0
        )
    }
}

fn good_answer() -> String {
    let body = "{\"access_token\":\"good\",\"token_type\":\"Bearer\",\"expires_in\":3600,\
                \"refresh_token\":\"kept\"}";
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Reads a request to the end of its form.
fn read_request(mut stream: &TcpStream) {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while !is_whole(&request) {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(count) => request.extend_from_slice(&chunk[..count]),
        }
    }
}

/// Whether a request is there to the end of its form.
pub fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.split("content-length:").nth(1);
    let length = length.and_then(|rest| rest.lines().next());
    let length = length
        .and_then(|length| length.trim().parse().ok())
        .unwrap_or(0);
    body.len() >= length
}

/// Logs an account in by coming back with a code that any endpoint takes.
#[track_caller]
pub fn come_back(user: &Pizauth, account: &str) {
    let url = user.url(account);
    let page = super::visit(&return_of(&url));
    assert_eq!(page.status, 200, "{page:?}");
}

/// Where a provider that asks nothing sends the browser back to.
pub fn return_of(url: &str) -> String {
    let field = |name| super::browser::field(url, name).unwrap();
    format!(
        "{}?code=any&state={}",
        field("redirect_uri"),
        field("state")
    )
}

/// How many descriptors the server has open; `None` where only root may look, which is equal to
/// itself.
#[track_caller]
pub fn descriptors(user: &Pizauth) -> Option<usize> {
    let pid = user.recorded_pid().expect("there is a server");
    Some(fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count())
}

/// The same when nobody is connected: whoever was answered a moment ago may still be let go of.
#[track_caller]
pub fn descriptors_at_rest(user: &Pizauth) -> Option<usize> {
    wait_for_accepted(user, 0);
    descriptors(user)
}

/// How /proc/net/unix tells a listener's connections: those that wait to be accepted, and the others.
const WAITING: &str = " 0001 02 ";
const ACCEPTED: &str = " 0001 03 ";

/// How many clients of the server's control socket are in one of these states.
fn clients(user: &Pizauth, states: &[&str]) -> usize {
    // The server's ends have its path.
    let path = user.socket().display().to_string();
    let sockets = fs::read_to_string("/proc/net/unix").unwrap();
    let counts =
        |line: &&str| line.ends_with(&path) && states.iter().any(|state| line.contains(state));
    sockets.lines().filter(counts).count()
}

/// Waits until this many clients are connected to the server's control socket, accepted or not.
#[track_caller]
pub fn wait_for_clients(user: &Pizauth, count: usize) {
    super::wait_until(&format!("{count} clients are connected"), || {
        clients(user, &[WAITING, ACCEPTED]) >= count
    });
}

/// Waits until the server has accepted exactly this many clients, and let go of all others.
#[track_caller]
pub fn wait_for_accepted(user: &Pizauth, count: usize) {
    super::wait_until(&format!("{count} clients are accepted"), || {
        clients(user, &[ACCEPTED]) == count
    });
}
