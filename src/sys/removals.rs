//! Noticing that something is taken out of a directory, or that the directory itself is.

pub use imp::Removals;

#[cfg(target_os = "linux")]
mod imp {
    use std::io;
    use std::path::Path;

    use nix::errno::Errno;
    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

    /// What is taken out of a directory.
    #[derive(Debug)]
    pub struct Removals(Inotify);

    impl Removals {
        /// Keeps an eye on what is at `directory` now.
        ///
        /// # Errors
        /// Where it is no directory, or the system keeps an eye on too many already.
        pub fn from(directory: &Path) -> io::Result<Self> {
            let inotify = Inotify::init(InitFlags::IN_CLOEXEC)?;
            // The directory's own removal may go unnoticed for as long as one of its files is
            // open; but it has to be empty before.
            let removals = AddWatchFlags::IN_DELETE
                | AddWatchFlags::IN_MOVED_FROM
                | AddWatchFlags::IN_DELETE_SELF
                | AddWatchFlags::IN_MOVE_SELF;
            inotify.add_watch(directory, removals | AddWatchFlags::IN_ONLYDIR)?;
            Ok(Self(inotify))
        }

        /// Comes back when something was removed, or renamed, since the last time.
        ///
        /// # Errors
        /// Where the system does not tell.
        pub fn wait(&self) -> io::Result<()> {
            loop {
                match self.0.read_events() {
                    Err(Errno::EINTR) => {}
                    result => return Ok(result.map(drop)?),
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use std::convert::Infallible;
    use std::io;
    use std::path::Path;

    /// What this system does not tell.
    #[derive(Debug)]
    pub struct Removals(Infallible);

    impl Removals {
        /// # Errors
        /// Always, on this system.
        pub fn from(_: &Path) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        /// # Errors
        /// None: there is nothing to wait for.
        pub fn wait(&self) -> io::Result<()> {
            match self.0 {}
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    use super::*;

    const LONG: Duration = Duration::from_secs(10);
    const MOMENT: Duration = Duration::from_millis(300);

    /// Whether it is noticed in time that `act` has been done to a directory, which has a file in
    /// it.
    fn is_noticed(name: &str, time: Duration, act: impl FnOnce(&Path)) -> bool {
        let name = format!("pizauth-removals-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("file"), "").unwrap();
        let removals = Removals::from(&path).unwrap();
        let (noticed, is_noticed) = channel();
        let wait = move || noticed.send(removals.wait().is_ok());
        thread::Builder::new().spawn(wait).unwrap();
        act(&path);
        let in_time = is_noticed.recv_timeout(time);
        let _ = fs::remove_dir_all(&path);
        if in_time.is_err() {
            // Now at the latest.
            assert_eq!(is_noticed.recv_timeout(LONG), Ok(true));
        }
        in_time == Ok(true)
    }

    #[test]
    fn whatever_goes_is_noticed() {
        let remove = |path: &Path| fs::remove_file(path.join("file")).unwrap();
        assert!(is_noticed("file", LONG, remove));
        assert!(is_noticed("all", LONG, |path| fs::remove_dir_all(path).unwrap()));
        assert!(is_noticed("moved", LONG, |path| {
            let elsewhere = path.with_extension("elsewhere");
            fs::rename(path, &elsewhere).unwrap();
            fs::remove_dir_all(&elsewhere).unwrap();
        }));
    }

    #[test]
    fn whatever_comes_is_not() {
        assert!(!is_noticed("used", MOMENT, |path| {
            fs::write(path.join("another"), "").unwrap();
            assert_eq!(fs::read_dir(path).unwrap().count(), 2);
        }));
    }
}
