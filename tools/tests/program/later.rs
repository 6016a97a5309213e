// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is to be written instead of lines of other versions; and that the kernel accepts it.

use sekisho::later::instead;
use sekisho_core::edit::Cursor;
use sekisho_core::policy::Policy;
use sekisho_core::transaction::PolicyFile;

/// Each line of another version with what to write instead. Words in place of a line are told by the `:` or blank-less beginning.
fn table() -> Vec<(PolicyFile, &'static str, &'static [&'static str])> {
    let domain: [(&str, &[&str]); 44] = [
        ("file read /a", &["allow_read /a"]),
        ("file write /a", &["allow_write /a"]),
        ("file append /a", &["allow_write /a"]),
        ("file execute /a", &["allow_execute /a"]),
        ("file unlink /a", &["allow_unlink /a"]),
        ("file rmdir /a/", &["allow_rmdir /a/"]),
        ("file truncate /a", &["allow_truncate /a"]),
        ("file symlink /a symlink.target=\"/b\"", &["allow_symlink /a if symlink.target=\"/b\""]),
        ("file chroot /a/", &["allow_chroot /a/"]),
        ("file unmount /a/", &["allow_unmount /a/"]),
        ("file link /a /b", &["allow_link /a /b"]),
        ("file rename /a /b", &["allow_rename /a /b"]),
        ("file pivot_root /a/ /b/", &["allow_pivot_root /a/ /b/"]),
        ("file create /a 0600", &["allow_create /a 0600"]),
        ("file mkdir /a/ 0700", &["allow_mkdir /a/ 0700"]),
        ("file mkfifo /a 0600", &["allow_mkfifo /a 0600"]),
        ("file mksock /a 0600", &["allow_mksock /a 0600"]),
        ("file ioctl /a 0x5401", &["allow_ioctl /a 0x5401"]),
        ("file chmod /a 0600", &["allow_chmod /a 0600"]),
        ("file chown /a 0", &["allow_chown /a 0"]),
        ("file chgrp /a 0", &["allow_chgrp /a 0"]),
        ("file mkblock /a 0600 8 1", &["allow_mkblock /a 0600 8 1"]),
        ("file mkchar /a 0600 1 3 task.uid=0", &["allow_mkchar /a 0600 1 3 if task.uid=0"]),
        ("file mount /dev/sda1 /a/ ext3 0x0", &["allow_mount /dev/sda1 /a/ ext3 0x0"]),
        (
            "file read/append/unlink sys:/a grant_log=yes",
            &["allow_read /sys/a", "allow_write /sys/a", "allow_unlink /sys/a"],
        ),
        ("file read devpts:/0 if task.uid=0", &["allow_read /dev/pts/0 if task.uid=0"]),
        ("delete file read securityfs:/x", &["allow_read /sys/kernel/security/x"]),
        ("file create /a", &[]),
        ("file dance /a", &[]),
        ("misc env A task.uid=0", &["allow_env A if task.uid=0"]),
        ("capability SYS_TIME", &["allow_capability SYS_TIME"]),
        ("ipc signal 9 <kernel>", &["allow_signal 9 <kernel>"]),
        ("ipc signal 9 <kernel> /a /b task.uid=0", &["allow_signal 9 <kernel> /a /b if task.uid=0"]),
        ("network inet stream accept 10.0.0.1 80", &["allow_network TCP accept 10.0.0.1 80"]),
        (
            "network inet dgram bind/send/recv 10.0.0.1-10.0.0.9 53",
            &[
                "allow_network UDP bind 10.0.0.1-10.0.0.9 53",
                "allow_network UDP connect 10.0.0.1-10.0.0.9 53",
            ],
        ),
        (
            "network inet raw bind/send fe80::1 @P",
            &[
                "allow_network RAW bind fe80:0:0:0:0:0:0:1 @P",
                "allow_network RAW connect fe80:0:0:0:0:0:0:1 @P",
            ],
        ),
        ("network inet stream dance 10.0.0.1 80", &[]),
        ("task auto_execute_handler /a", &["execute_handler /a"]),
        ("task denied_execute_handler /a", &["denied_execute_handler /a"]),
        ("allow_argv0 /bin/sh -sh", &["allow_execute /bin/sh if exec.argv[0]=\"-sh\""]),
        ("allow_create /a", &["allow_create /a 0-07777"]),
        ("allow_mkchar /a", &["allow_mkchar /a 0-07777 0-4095 0-1048575"]),
        ("allow_ioctl /a", &["allow_ioctl /a 0-0xFFFFFFFF"]),
        ("allow_chown /a", &["allow_chown /a 0-4294967295"]),
    ];
    let exception: [(&str, &[&str]); 10] = [
        ("no_initialize_domain /a from any", &["no_initialize_domain /a"]),
        ("no_keep_domain any from /a", &["no_keep_domain /a"]),
        ("reset_domain /a from any", &["initialize_domain /a"]),
        ("delete initialize_domain proc:/a from any", &["initialize_domain /proc/a"]),
        ("initializer /a", &["initialize_domain /a"]),
        ("no_initializer /a from /b", &["no_initialize_domain /a from /b"]),
        ("address_group G ::ffff:1.2.3.4", &["address_group G 0:0:0:0:0:ffff:102:304"]),
        ("address_group G x", &[]),
        ("aggregator /a/ /b", &[]),
        ("dance", &[]),
    ];
    let profile: [(&str, &[&str]); 10] = [
        ("PROFILE_VERSION=20150505", &["PROFILE_VERSION=20090903"]),
        ("1-PREFERENCE={ enforcing_penalty=5 }", &["1-PREFERENCE::enforcing={ verbose=yes penalty=5 }"]),
        (
            "1-CONFIG::network::inet_dgram_recv={ mode=learning }",
            &["1-CONFIG::network::inet_udp_connect={ mode=learning }"],
        ),
        (
            "1-CONFIG::network::inet_raw_send={ mode=learning }",
            &["1-CONFIG::network::inet_raw_connect={ mode=learning }"],
        ),
        ("1-MAC_FOR_FILE=3", &["1-CONFIG::file={ mode=enforcing }"]),
        ("1-MAC_FOR_NETWORK=learning", &["1-CONFIG::network={ mode=learning }"]),
        ("1-MAC_FOR_SIGNAL=2", &["1-CONFIG::ipc::signal={ mode=permissive }"]),
        ("1-MAC_FOR_CAPABILITY::SYS_TIME=1", &["1-CONFIG::capability::SYS_TIME={ mode=learning }"]),
        ("1-MAC_FOR_ENV=0", &["1-CONFIG::misc::env={ mode=disabled }"]),
        ("1-DANCE=1", &[]),
    ];
    let all = [
        (PolicyFile::Domain, &domain[..]),
        (PolicyFile::Exception, &exception),
        (PolicyFile::Profile, &profile),
    ];
    all.iter()
        .flat_map(|(file, lines)| lines.iter().map(|(line, instead)| (*file, *line, *instead)))
        .collect()
}

#[test]
fn lines_of_other_versions() {
    for (file, line, expected) in table() {
        assert_eq!(instead(file, line.as_bytes()), expected, "{line}");
        let mut edit = Policy::new().and_then(|policy| policy.edit()).expect("memory");
        let mut cursor = Cursor::default();
        edit.domain_policy_line(&mut cursor, b"<kernel>").expect("a domain");
        let mut accepts = |line: &str| match file {
            PolicyFile::Domain => edit.domain_policy_line(&mut cursor, line.as_bytes()),
            PolicyFile::Exception => edit.exception_policy_line(line.as_bytes()),
            _ => edit.profile_line(line.as_bytes()),
        };
        assert!(accepts(line).is_err() || line.starts_with("delete aggregator"), "{line}");
        for instead in expected {
            assert!(accepts(instead).is_ok(), "{line}: {instead}");
        }
    }
}

#[test]
fn what_is_said_in_words() {
    for (file, line, part) in [
        (PolicyFile::Domain, "use_group 0", "nothing here"),
        (PolicyFile::Domain, "<apache> /bin/sh", "begins with <kernel>"),
        (PolicyFile::Domain, "file getattr /a", "nothing: "),
        (PolicyFile::Domain, "network unix stream bind /a", "nothing: "),
        (PolicyFile::Domain, "task auto_domain_transition <kernel> /a", "; set task.state"),
        (
            PolicyFile::Exception,
            "acl_group 1 file execute /a",
            "in each domain of the group: allow_execute /a",
        ),
        (PolicyFile::Exception, "acl_group 1 file read /a/", "in each domain of the group: allow_read /a/"),
        (PolicyFile::Exception, "acl_group 1 file read @A", "in each domain of the group: allow_read @A"),
        (PolicyFile::Exception, "acl_group 1 use_group 2", "nothing here"),
        (PolicyFile::Exception, "allow_read /a if task.uid=0", "in each domain"),
        (PolicyFile::Exception, "allow_argv0 /a -a", "in each domain"),
        (PolicyFile::Exception, "trust_domain <kernel> /a", "use_profile 0"),
        (PolicyFile::Profile, "1-MAX_ACCEPT_ENTRY=9", "max_entry=9"),
    ] {
        let said = instead(file, line.as_bytes());
        assert!(said.len() == 1 && said[0].contains(part), "{line}: {said:?}");
    }
    for (file, line) in [
        (PolicyFile::Manager, "dance"),
        (PolicyFile::Profile, "dance"),
        (PolicyFile::Domain, ""),
        (PolicyFile::Domain, "<kernel> dance"),
        (PolicyFile::Domain, "delete"),
    ] {
        assert!(instead(file, line.as_bytes()).is_empty(), "{line}");
    }
    assert!(instead(PolicyFile::Domain, b"file read /\xFF").is_empty());
}
