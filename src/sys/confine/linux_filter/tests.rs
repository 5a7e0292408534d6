//! The filter, run as the kernel does.

use super::*;

/// Runs the program as the kernel does.
fn verdict(call: c_long, arguments: [u32; 3]) -> u32 {
    let processor = THIS_PROCESSOR.unwrap();
    let program = program(processor);
    let (mut at, mut loaded) = (0, 0);
    loop {
        let it = program[at];
        at += 1;
        let code = u32::from(it.code);
        let holds = match code & 0xf0 {
            _ if code & 7 == libc::BPF_RET => return it.k,
            _ if code & 7 == libc::BPF_LD => {
                loaded = match it.k {
                    NUMBER => number(call),
                    PROCESSOR => processor,
                    offset => arguments[(0..3).position(|n| argument(n) == offset).unwrap()],
                };
                continue;
            }
            libc::BPF_JEQ => loaded == it.k,
            libc::BPF_JGE => loaded >= it.k,
            libc::BPF_JSET => loaded & it.k != 0,
            _ => panic!("{code:x}"),
        };
        at += usize::from(if holds { it.jt } else { it.jf });
    }
}

#[test]
fn what_a_server_needs_is_allowed() {
    let family = |family: i32| [family.cast_unsigned(), 0, 0];
    let thread = libc::CLONE_VM | libc::CLONE_THREAD;
    for (call, arguments) in [
        (libc::SYS_openat, [0; 3]),
        (libc::SYS_futex, [0; 3]),
        (libc::SYS_sendmsg, [0; 3]),
        (libc::SYS_getrandom, [0; 3]),
        (libc::SYS_socket, family(libc::AF_INET6)),
        (libc::SYS_socket, family(libc::AF_UNIX)),
        (libc::SYS_socket, family(libc::AF_NETLINK)),
        (libc::SYS_clone, [thread.cast_unsigned(), 0, 0]),
        (libc::SYS_ioctl, [0, 0x5401, 0]),
    ] {
        assert_eq!(verdict(call, arguments), ALLOWED, "{call}");
    }
}

#[test]
fn each_call_of_the_lists_has_its_answer() {
    for call in DENIED.iter().chain(DENIED_HERE) {
        assert_eq!(verdict(*call, [0; 3]), REFUSED, "{call}");
    }
    for call in HIDDEN {
        assert_eq!(verdict(*call, [0; 3]), MISSING, "{call}");
    }
}

#[test]
fn what_it_does_not_need_is_refused() {
    for (call, arguments, answer) in [
        (libc::SYS_execve, [0; 3], REFUSED),
        (libc::SYS_ptrace, [0; 3], REFUSED),
        (libc::SYS_vhangup, [0; 3], REFUSED),
        (clone3, [0; 3], MISSING),
        (
            libc::SYS_clone,
            [libc::SIGCHLD.cast_unsigned(), 0, 0],
            REFUSED,
        ),
        (
            libc::SYS_socket,
            [libc::AF_PACKET.cast_unsigned(), 0, 0],
            NO_SUCH_FAMILY,
        ),
        (
            libc::SYS_socket,
            [libc::AF_NETLINK.cast_unsigned(), 3, 9],
            NO_SUCH_FAMILY,
        ),
        (libc::SYS_ioctl, [0, 0x5412, 0], REFUSED),
    ] {
        assert_eq!(verdict(call, arguments), answer, "{call}");
    }
}
