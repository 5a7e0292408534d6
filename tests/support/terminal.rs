//! A terminal with a program in it, as a person has it before them.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;

use super::wait::{wait_for, wait_until};

/// A program whose standard input, output and error are a terminal.
pub struct Terminal {
    keyboard: File,
    /// The program's end, to look at its settings.
    line: OwnedFd,
    screen: Arc<Mutex<Vec<u8>>>,
    child: Child,
}

impl Terminal {
    /// Starts the command in a terminal that is so wide.
    pub fn start(command: &mut Command, columns: u16) -> Self {
        let size = Winsize {
            ws_row: 50,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pty = openpty(&size, None).unwrap();
        // What other tests start must not keep the terminal.
        for end in [&pty.master, &pty.slave] {
            fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
        }
        let end = || Stdio::from(pty.slave.try_clone().unwrap());
        command.stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().unwrap();
        let keyboard = File::from(pty.master);
        let mut output = keyboard.try_clone().unwrap();
        let screen = Arc::<Mutex<Vec<u8>>>::default();
        let shown = Arc::clone(&screen);
        let read = move || {
            let mut bytes = [0; 1024];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                shown.lock().unwrap().extend(&bytes[..count]);
            }
        };
        thread::Builder::new().spawn(read).unwrap();
        Self {
            keyboard,
            line: pty.slave,
            screen,
            child,
        }
    }

    /// Presses these keys.
    pub fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Everything that was ever shown.
    pub fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned();
        text.replace("\r\n", "\n")
    }

    /// Waits until this is shown.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        wait_until(&format!("'{text}' is shown in {:?}", self.text()), || {
            self.text().contains(text)
        });
    }

    /// Waits until this is shown for the `times`th time.
    #[track_caller]
    pub fn wait_for_times(&self, text: &str, times: usize) {
        wait_until(&format!("'{text}' is shown in {:?}", self.text()), || {
            self.text().matches(text).count() >= times
        });
    }

    /// Whether what is typed is shown, and lines are lines.
    pub fn is_ordinary(&self) -> bool {
        let flags = tcgetattr(self.line.as_fd()).unwrap().local_flags;
        flags.contains(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG)
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Waits for the program's end.
    #[track_caller]
    pub fn wait_for_end(&mut self) -> ExitStatus {
        wait_for("the program ends", || self.child.try_wait().unwrap())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- the terminal:\n{}\n---", self.text());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
