// SPDX-License-Identifier: MIT OR Apache-2.0
//! Policies: random lines written into an edit, some rejected, some deleted again.

use sekisho_core::edit::Edit;
use sekisho_core::policy::{Cursor, Policy};

use crate::acl::{acl, address_range, Words};
use crate::choices::Choices;
use crate::word::{styled_word, Style};

/// A policy that was made.
pub struct Generated {
    /// The policy, active, with domain `<kernel>` in enforcing mode.
    pub policy: Policy,
    /// Its lines, for a person.
    pub text: String,
    /// What it is about, to make requests from.
    pub words: Words,
}

/// Makes a policy.
pub fn policy(choices: &mut Choices<'_>) -> Generated {
    let mut words = Words::new(choices);
    let mut text = String::new();
    let mut edit = Policy::with_key(choices.bits()).unwrap().edit().unwrap();
    edit.profile_line(b"PROFILE_VERSION=20090903").unwrap();
    edit.profile_line(b"0-CONFIG={ mode=enforcing }").unwrap();
    if choices.one_in(2) {
        // An own group starts from nothing (quirk Q15): no conditions are learned.
        edit.profile_line(b"0-PREFERENCE::learning={ max_entry=1000 }").unwrap();
        text.push_str("profile: learns no conditions\n");
    }
    let mut exception = |edit: &mut Edit, line: String| {
        let _ = edit.exception_policy_line(line.as_bytes());
        text.push_str(&format!("exception: {line}\n"));
    };
    for _ in 0..choices.below(12) {
        let word = styled_word(choices, words.style);
        words.list.push(word.clone());
        let line = match choices.below(13) {
            0 => format!("path_group P {word}"),
            1 => format!("path_group Q {word}"),
            2 => format!(
                "number_group {} {}-{}",
                choices.pick(&["N", "M"]),
                choices.below(3),
                choices.below(6) + 3
            ),
            3 => format!("address_group {} {}", choices.pick(&["A", "B"]), address_range(choices)),
            8 => format!("number_group {} {}", choices.pick(&["N", "M"]), choices.below(9)),
            9 => format!("address_group A {}", address_range(choices)),
            10 => format!("allow_env {}", choices.pick(&["PATH", "LC_\\*", "\\A", "LC_\\@"])),
            11 => {
                let from = choices.below(9);
                format!("deny_autobind {from}-{}", from + choices.below(4))
            }
            4 => format!("allow_read {word}"),
            5 => format!("file_pattern {word}"),
            6 => format!("deny_rewrite {word}"),
            7 => format!("aggregator {word} {}", choices.pick(&["/a", "/b"])),
            _ => {
                let from = choices.pick(&["", " from /a", " from <kernel> /a", " from <kernel>"]);
                format!(
                    "{}initialize_domain {}{from}",
                    choices.pick(&["", "no_"]),
                    choices.pick(&["/a", "/b"])
                )
            }
        };
        exception(&mut edit, line);
        if choices.one_in(4) {
            let line = format!(
                "{}keep_domain {}",
                choices.pick(&["", "no_"]),
                choices.pick(&["/a", "<kernel>", "/b from /a"])
            );
            exception(&mut edit, line);
        }
    }
    let mut cursor = Cursor::default();
    for line in ["<kernel>", "<kernel> /a", "<kernel> /a /b"] {
        edit.domain_policy_line(&mut cursor, line.as_bytes()).unwrap();
    }
    edit.domain_policy_line(&mut cursor, b"<kernel>").unwrap();
    for flag in ["ignore_global_allow_read", "ignore_global_allow_env"] {
        if choices.one_in(6) {
            edit.domain_policy_line(&mut cursor, flag.as_bytes()).unwrap();
            text.push_str(&format!("domain: {flag}\n"));
        }
    }
    let mut lines: Vec<String> = Vec::new();
    let most = if matches!(words.style, Style::Deep | Style::Siblings) { 120 } else { 40 };
    for _ in 0..choices.below(most) + 1 {
        let line = if choices.one_in(8) && !lines.is_empty() {
            format!("delete {}", choices.pick(&lines.iter().collect::<Vec<_>>()))
        } else {
            acl(choices, &mut words)
        };
        let done = edit.domain_policy_line(&mut cursor, line.as_bytes());
        text.push_str(&format!("domain: {line} ({})\n", if done.is_ok() { "ok" } else { "rejected" }));
        lines.push(line);
        if choices.one_in(10) {
            edit = edit.commit().edit().unwrap();
        }
    }
    edit.activate().unwrap();
    words.list.push("/a".into());
    Generated { policy: edit.commit(), text, words }
}
