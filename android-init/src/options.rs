// SPDX-License-Identifier: MIT OR Apache-2.0
//! The options on the kernel's command line: `sekisho.policy=`, `sekisho.init=`, `sekisho.on_failure=`.
//!
//! The command line is the one place that the boot loader's owner controls and that exists before any file system.

use std::path::PathBuf;

/// What happens after a failure. In both cases nothing was activated: there is never half a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// Say what is wrong and power the machine off (the default: a machine that must be guarded does not run unguarded).
    #[default]
    Halt,
    /// Say what is wrong and start the real init without a policy.
    Continue,
}

/// The options with their defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Directory with `profile`, `exception_policy`, `domain_policy` and `manager`.
    pub policy: PathBuf,
    /// The program that becomes process 1 after the policy is active.
    pub init: PathBuf,
    /// See [`OnFailure`].
    pub on_failure: OnFailure,
    /// Words that begin with `sekisho.` but mean nothing; they are reported, because a mistyped option is not a choice.
    pub unknown: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            policy: PathBuf::from("/vendor/etc/sekisho"),
            init: PathBuf::from("/sbin/init"),
            on_failure: OnFailure::default(),
            unknown: Vec::new(),
        }
    }
}

impl Options {
    /// Reads the options out of the text of `/proc/cmdline`. A later option wins over an earlier one, as in the kernel.
    pub fn parse(cmdline: &str) -> Self {
        let mut options = Self::default();
        for word in cmdline.split_ascii_whitespace() {
            let Some(rest) = word.strip_prefix("sekisho.") else { continue };
            match rest.split_once('=') {
                Some(("policy", dir)) if dir.starts_with('/') => options.policy = dir.into(),
                Some(("init", path)) if path.starts_with('/') => options.init = path.into(),
                Some(("on_failure", "halt")) => options.on_failure = OnFailure::Halt,
                Some(("on_failure", "continue")) => options.on_failure = OnFailure::Continue,
                _ => options.unknown.push(word.to_owned()),
            }
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_without_options() {
        assert_eq!(Options::parse("console=ttyAMA0 quiet\n"), Options::default());
    }

    #[test]
    fn each_option_by_itself() {
        let with = |change: &dyn Fn(&mut Options)| {
            let mut options = Options::default();
            change(&mut options);
            options
        };
        let parse = |word: &str| Options::parse(&format!("quiet {word} root=/dev/sekisho.policy=/x\n"));
        assert_eq!(Options::default().policy, PathBuf::from("/vendor/etc/sekisho"));
        assert_eq!(Options::default().init, PathBuf::from("/sbin/init"));
        assert_eq!(Options::default().on_failure, OnFailure::Halt);
        assert_eq!(parse("sekisho.policy=/a=b"), with(&|options| options.policy = "/a=b".into()));
        assert_eq!(parse("sekisho.init=/bin/x"), with(&|options| options.init = "/bin/x".into()));
        assert_eq!(parse("sekisho.on_failure=halt"), Options::default());
        assert_eq!(
            parse("sekisho.on_failure=continue"),
            with(&|options| options.on_failure = OnFailure::Continue)
        );
        assert_eq!(parse("sekisho.on_failure=continue sekisho.on_failure=halt"), Options::default());
        for word in
            ["sekisho.init=bin/x", "sekisho.policy=", "sekisho.on_failure=Halt", "sekisho.", "sekisho.policy"]
        {
            assert_eq!(parse(word), with(&|options| options.unknown.push(word.to_owned())), "{word}");
        }
    }

    #[test]
    fn last_option_wins_and_unknown_ones_are_kept() {
        let options = Options::parse(
            "sekisho.policy=/a sekisho.init=/bin/x sekisho.policy=/b sekisho.on_failure=continue sekisho.on_failure=perhaps \
             sekisho.policy=relative sekisho.polcy=/c",
        );
        assert_eq!(options.policy, PathBuf::from("/b"));
        assert_eq!(options.init, PathBuf::from("/bin/x"));
        assert_eq!(options.on_failure, OnFailure::Continue);
        assert_eq!(
            options.unknown,
            ["sekisho.on_failure=perhaps", "sekisho.policy=relative", "sekisho.polcy=/c"]
        );
    }
}
