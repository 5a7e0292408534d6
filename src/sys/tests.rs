//! What other systems use in the place of Linux's own, tried out here, and what they all have.

use std::process::{Command, Stdio};

use super::*;

fn child(script: &str) -> (std::process::Child, Pid) {
    let child = Command::new("/bin/sh")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let id = Pid::from_raw(child.id().cast_signed());
    (child, id)
}

const LONG: Duration = Duration::from_secs(30);

type Wait = fn(Pid, Option<&UnixStream>, Duration) -> io::Result<Woken>;

#[test]
fn each_way_of_waiting_tells_what_came_first() {
    for wait in [wait_for_end_or as Wait, wait_by_asking] {
        let (mut ended, id) = child("exit 3");
        assert_eq!(wait(id, None, LONG).unwrap(), Woken::Ended);
        // It is not collected: that is for the one who started it.
        assert_eq!(ended.wait().unwrap().code(), Some(3));

        let (mut runs, id) = child("read it");
        let (ours, theirs) = UnixStream::pair().unwrap();
        assert_eq!(
            wait(id, Some(&ours), Duration::ZERO).unwrap(),
            Woken::TimeOver
        );
        drop(theirs);
        assert_eq!(wait(id, Some(&ours), LONG).unwrap(), Woken::Readable);
        drop(runs.stdin.take());
        assert_eq!(wait(id, None, LONG).unwrap(), Woken::Ended);
        runs.wait().unwrap();
        assert!(wait(id, None, LONG).is_err() || !cfg!(target_os = "linux"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_alarm_of_other_systems_rings() {
    let alarm = alarm_elsewhere::Alarm::new().unwrap();
    alarm.sleep(Some(5), 0).unwrap();
    alarm.wake();
    alarm.sleep(None, 0).unwrap();
    alarm.wake();
    alarm.wake();
    alarm.sleep(Some(i64::MAX), 0).unwrap();
}
