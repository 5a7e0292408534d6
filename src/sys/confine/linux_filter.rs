//! The system calls that a server needs no more once it serves, as a filter for the kernel.
//!
//! A list of what is refused, not of what is allowed: the system's resolver loads whatever the
//! machine's administrator has configured, and a call that is missing from a list of allowed ones
//! would show years later, as a name that is not found. What is refused is all that starts or
//! looks into other processes, changes the machine or the files' owners and modes, or has had
//! holes in the kernel for programs to climb through. A refusal is an error and not the end.

use std::io;

use libc::{c_long, sock_filter};

/// Not there, as on an older kernel: libraries try something else then.
const MISSING: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();
const REFUSED: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned();
const NO_SUCH_FAMILY: u32 = libc::SECCOMP_RET_ERRNO | libc::EAFNOSUPPORT.cast_unsigned();
const ALLOWED: u32 = libc::SECCOMP_RET_ALLOW;

/// Where things are in the kernel's `struct seccomp_data`.
const NUMBER: u32 = 0;
const PROCESSOR: u32 = 4;

/// The lower half of an argument.
const fn argument(index: u32) -> u32 {
    let high_first = if cfg!(target_endian = "big") { 4 } else { 0 };
    16 + 8 * index + high_first
}

/// This processor's number in <linux/audit.h>; `None` where nobody has looked at its system calls.
const THIS_PROCESSOR: Option<u32> =
    if cfg!(all(target_arch = "x86_64", target_pointer_width = "64")) {
        Some(0xc000_003e)
    } else if cfg!(target_arch = "aarch64") {
        Some(0xc000_00b7)
    } else if cfg!(target_arch = "riscv64") {
        Some(0xc000_00f3)
    } else {
        None
    };

/// System calls for programs with short pointers begin here on x86-64; nobody uses them.
#[cfg(target_arch = "x86_64")]
const X32: u32 = 0x4000_0000;

/// Refused with every argument.
const DENIED: &[c_long] = &[
    // Starting other programs: the helper does that.
    libc::SYS_execve,
    libc::SYS_execveat,
    // Looking into other processes, and reaching for what they have.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    pidfd_getfd,
    process_madvise,
    // Seeing another machine than there is.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_mount,
    libc::SYS_umount2,
    open_tree,
    move_mount,
    fsopen,
    fsconfig,
    fsmount,
    fspick,
    mount_setattr,
    // Other users.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_capset,
    // What landlock does not know: whom files belong to, and who may use them.
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    fchmodat2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    // The kernel itself.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_personality,
    libc::SYS_syslog,
    // The machine.
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_vhangup,
];

/// The same, of processors that have older system calls too.
#[cfg(target_arch = "x86_64")]
const DENIED_HERE: &[c_long] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
    libc::SYS_kexec_file_load,
];
#[cfg(not(target_arch = "x86_64"))]
const DENIED_HERE: &[c_long] = &[];

/// Said to be missing. The first three do what other system calls do, past this filter; the last
/// one starts processes and threads alike, with arguments that a filter cannot see, and the C
/// library goes back to `clone`.
const HIDDEN: &[c_long] = &[io_uring_setup, io_uring_enter, io_uring_register, clone3];

/// Numbers that are the same on all processors, and newer than some versions of the C library.
#[expect(non_upper_case_globals, reason = "the kernel's names")]
mod new {
    use libc::c_long;
    pub(super) const io_uring_setup: c_long = 425;
    pub(super) const io_uring_enter: c_long = 426;
    pub(super) const io_uring_register: c_long = 427;
    pub(super) const open_tree: c_long = 428;
    pub(super) const move_mount: c_long = 429;
    pub(super) const fsopen: c_long = 430;
    pub(super) const fsconfig: c_long = 431;
    pub(super) const fsmount: c_long = 432;
    pub(super) const fspick: c_long = 433;
    pub(super) const clone3: c_long = 435;
    pub(super) const pidfd_getfd: c_long = 438;
    pub(super) const process_madvise: c_long = 440;
    pub(super) const mount_setattr: c_long = 442;
    pub(super) const fchmodat2: c_long = 452;
}
use new::*;

/// The families of sockets that a server has: itself, the network, and asking for the machine's
/// addresses, as the resolver does.
const FAMILIES: [i32; 3] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];

/// Puts the filter in force, for this thread and those that it starts. Needs that new privileges
/// were given up.
///
/// # Errors
/// Where the kernel refuses, or this processor is not known.
#[expect(unsafe_code, reason = "seccomp has no safe wrapper")]
pub(super) fn install() -> io::Result<()> {
    let processor =
        THIS_PROCESSOR.ok_or_else(|| io::Error::other("not known for this processor"))?;
    let mut filter = program(processor);
    let length = u16::try_from(filter.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog {
        len: length,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the program and what it points to outlive the call, which copies it.
    let result = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::c_ulong::from(libc::SECCOMP_MODE_FILTER),
            &raw const program,
        )
    };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

fn program(processor: u32) -> Vec<sock_filter> {
    let mut filter = vec![
        load(PROCESSOR),
        // System calls of another processor have other numbers.
        skip_if_equal(processor),
        give(MISSING),
        load(NUMBER),
    ];
    #[cfg(target_arch = "x86_64")]
    filter.extend([jump(libc::BPF_JGE, X32, 0, 1), give(MISSING)]);
    filter.extend(sockets());
    filter.extend(threads());
    filter.extend(terminals());
    filter.extend(refusals());
    filter
}

/// The calls that are not made whatever their arguments; the others are allowed.
///
/// The kernel goes through the program for every call that there is, so they share their answers:
/// at the end, where nobody arrives who was not sent there.
fn refusals() -> Vec<sock_filter> {
    const REFUSALS: u8 = count(&[DENIED, DENIED_HERE, HIDDEN]);
    let refused = DENIED.iter().chain(DENIED_HERE).map(|call| (call, 0));
    let hidden = HIDDEN.iter().map(|call| (call, 1));
    let mut filter: Vec<_> = (0..REFUSALS)
        .zip(refused.chain(hidden))
        .map(|(index, (call, further))| {
            let distance = REFUSALS - index + further;
            jump(libc::BPF_JEQ, number(*call), distance, 0)
        })
        .collect();
    filter.extend([give(ALLOWED), give(REFUSED), give(MISSING)]);
    filter
}

/// How many calls there are in these lists. A jump over more of them would be too long.
const fn count(lists: &[&[c_long]; 3]) -> u8 {
    let count = lists[0].len() + lists[1].len() + lists[2].len();
    assert!(count < u8::MAX as usize);
    #[expect(clippy::cast_possible_truncation, reason = "just looked at")]
    let count = count as u8;
    count
}

/// Only sockets of the known families, and of netlink's only those for addresses and routes.
fn sockets() -> Vec<sock_filter> {
    let mut check = vec![load(argument(0))];
    for family in FAMILIES {
        check.extend([unless_equal(family.cast_unsigned(), 1), give(ALLOWED)]);
    }
    check.extend([
        skip_if_equal(libc::AF_NETLINK.cast_unsigned()),
        give(NO_SUCH_FAMILY),
        load(argument(2)),
        skip_if_equal(libc::NETLINK_ROUTE.cast_unsigned()),
        give(NO_SUCH_FAMILY),
        give(ALLOWED),
    ]);
    only_for(libc::SYS_socket, check)
}

/// Threads, but no processes.
fn threads() -> Vec<sock_filter> {
    let check = vec![
        load(argument(0)),
        jump(libc::BPF_JSET, libc::CLONE_THREAD.cast_unsigned(), 1, 0),
        give(REFUSED),
        give(ALLOWED),
    ];
    only_for(libc::SYS_clone, check)
}

/// Nothing is typed into the terminal that the server was started at.
fn terminals() -> Vec<sock_filter> {
    let mut check = vec![load(argument(1))];
    for request in [libc::TIOCSTI, libc::TIOCLINUX] {
        let request = u32::try_from(request).unwrap_or(u32::MAX);
        check.extend([unless_equal(request, 1), give(REFUSED)]);
    }
    check.push(give(ALLOWED));
    only_for(libc::SYS_ioctl, check)
}

/// `check` for one system call, and nothing for the others. `check` must come to an end itself.
fn only_for(call: c_long, check: Vec<sock_filter>) -> Vec<sock_filter> {
    // A check has a few instructions.
    let length = u8::try_from(check.len()).unwrap_or(u8::MAX);
    let mut filter = vec![unless_equal(number(call), length)];
    filter.extend(check);
    filter
}

fn number(call: c_long) -> u32 {
    u32::try_from(call).unwrap_or(u32::MAX)
}

const fn load(offset: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0)
}

const fn give(answer: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, answer, 0, 0)
}

/// Skips one instruction where what was loaded is this.
const fn skip_if_equal(value: u32) -> sock_filter {
    jump(libc::BPF_JEQ, value, 1, 0)
}

/// Skips so many instructions unless what was loaded is this.
const fn unless_equal(value: u32, otherwise: u8) -> sock_filter {
    jump(libc::BPF_JEQ, value, 0, otherwise)
}

const fn jump(condition: u32, value: u32, then: u8, otherwise: u8) -> sock_filter {
    instruction(
        libc::BPF_JMP | condition | libc::BPF_K,
        value,
        then,
        otherwise,
    )
}

#[expect(clippy::cast_possible_truncation, reason = "codes have 16 bits")]
const fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}

#[cfg(test)]
mod tests;
