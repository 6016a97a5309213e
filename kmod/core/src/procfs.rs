// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names that the kernel makes up for processes: what is a number in them, and what is a link (reference 1.7, 6.4).

/// Whether a program of this name is started through a link that procfs makes up: `/proc/self/exe`, `/proc/7/fd/3`,
/// `/dev/fd/3`, `/proc/self/root/bin/sh`. Such a program is named by its file, so that nobody is asked about this name.
pub(crate) fn is_link(name: &[u8]) -> bool {
    // 1: the next component is a process or thread, 2: the next one is what is known of it.
    let mut step = 0;
    let (mut before, mut last): (&[u8], &[u8]) = (b"", b"");
    for component in name.split(|byte| *byte == b'/') {
        if *before == *b"dev" && *last == *b"fd" {
            return true;
        }
        step = match (step, component) {
            (2, b"exe" | b"fd" | b"cwd" | b"root" | b"map_files") => return true,
            (2, b"task") => 1,
            (1, _) => 2,
            (_, b"proc") => 1,
            _ => 0,
        };
        (before, last) = (last, component);
    }
    false
}

/// Whether a component is the number of a process, thread, descriptor or terminal, or the name is that of a pipe or the like
/// with its number. Process 1 is always the same one.
#[cfg(any(not(sekisho_kernel), CONFIG_SECURITY_SEKISHO_SELFTEST))]
pub(crate) fn has_number(name: &[u8]) -> bool {
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    // `pipe:[1]`, `net:[4026531840]`, but not `socket:[family=1:type=1:protocol=0]`.
    let mut parts = name.strip_suffix(b"]").unwrap_or(&[]).splitn(2, |byte| *byte == b'[');
    if let (Some([kind @ .., b':']), Some(number)) = (parts.next(), parts.next()) {
        if !kind.contains(&b'/') && is_number(number) {
            return true;
        }
    }
    let mut in_procfs = false;
    let (mut before, mut last): (&[u8], &[u8]) = (b"", b"");
    for component in name.split(|byte| *byte == b'/') {
        let numbered = match last {
            b"proc" => component != b"1",
            b"task" | b"fd" | b"fdinfo" if in_procfs => true,
            b"pts" | b"fd" => before == b"dev",
            _ => false,
        };
        // Android's cgroups are `uid_10001/pid_4711`.
        let in_cgroup = component.strip_prefix(b"pid_").is_some_and(is_number);
        if in_cgroup || numbered && is_number(component) {
            return true;
        }
        in_procfs |= last == b"proc";
        (before, last) = (last, component);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{has_number, is_link};

    #[test]
    fn links() {
        for link in [
            "/proc/self/exe",
            "/proc/7/fd/3",
            "/proc/thread-self/cwd/bin/sh",
            "/proc/self/task/8/root/bin/sh",
            r"/proc/\$/exe",
            "/srv/jail/proc/self/fd/9",
            "/dev/fd/3",
            "/proc/proc/exe",
        ] {
            assert!(is_link(link.as_bytes()), "{link}");
        }
        for no_link in [
            "/proc/self/status",
            "/proc/exe",
            "/proc/self/task/exe",
            "/proc/self/task/8/maps",
            "/usr/bin/exe",
            "/proc/self/net/fd",
            "/dev/fd",
            "/dev/fdx/fd",
            "/srv/proc",
            "pipe:[1]",
        ] {
            assert!(!is_link(no_link.as_bytes()), "{no_link}");
        }
    }

    #[test]
    fn numbers() {
        for numbered in [
            "/proc/1234/status",
            "/proc/1234",
            "/proc/1234/",
            "/srv/jail/proc/12/maps",
            "/proc/self/task/77/stat",
            r"/proc/\$/task/77/stat",
            "/proc/self/fd/9",
            "/proc/self/fdinfo/9",
            "/proc/self/task/7/fd/9",
            "/dev/pts/3",
            "/dev/fd/0",
            "pipe:[4711]",
            "net:[4026531840]",
            "pidfd:[3]",
            "/sys/fs/cgroup/uid_10001/pid_4711/cgroup.procs",
        ] {
            assert!(has_number(numbered.as_bytes()), "{numbered}");
        }
        for plain in [
            "/proc/self/status",
            "/proc/1/status",
            r"/proc/\$/status",
            "/proc/sys/kernel/0",
            "/proc/irq/17/smp_affinity",
            "/task/7/x",
            "/srv/fd/7",
            "/dev/pts/ptmx",
            "/dev/tty1",
            "/pts/3",
            "/proc/12a/x",
            r"pipe:[\$]",
            "socket:[family=2:type=1:protocol=6]",
            "anon_inode:[eventpoll]",
            "/tmp/a:[7]",
            "/tmp/[7]",
            "/tmp/pid_",
            "/run/user/1000/bus",
            "",
        ] {
            assert!(!has_number(plain.as_bytes()), "{plain}");
        }
    }
}
