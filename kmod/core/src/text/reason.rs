// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a line was rejected, in words for the person who wrote it.
//!
//! TOMOYO 1.7 ignored what it did not understand without a word (reference 1.2, quirk Q5). Here every rejected line has
//! a reason that says what is wrong and what would be right.

/// Why a line was rejected.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The first word of a domain_policy line is no keyword.
    UnknownAcl,
    /// A TOMOYO 1.7 ACL of a later version.
    AclNotYet,
    /// The form `4 /path`.
    OldNumericAcl,
    /// `ignore_global_allow_read` and `ignore_global_allow_env`.
    AttributeNotYet,
    /// An ACL without (enough) paths.
    MissingPath,
    /// Not a valid word (reference 1.3).
    BadPath,
    /// A pattern beyond what the matcher can follow ([`crate::pattern::MAX_POSITIONS`]).
    PatternTooLong,
    /// Nothing, or no valid word, after `@`.
    BadGroupName,
    /// An ACL without its number.
    MissingNumber,
    /// Not a number, a range or `@GROUP`.
    BadNumber,
    /// More words than the line can have.
    SurplusWord,
    /// `if` twice.
    SecondIf,
    /// `if` at the end.
    EmptyCondition,
    /// `; set`.
    SetNotYet,
    /// A test without `=` or `!=`.
    NoOperator,
    /// One side of a test is no keyword and no number.
    UnknownOperand,
    /// A TOMOYO 1.7 keyword of a later version.
    OperandNotYet,
    /// `@GROUP=...`.
    GroupOnLeft,
    /// `select` before something that is not a domain.
    SelectWithoutDomain,
    /// `select pid=N` and its relatives.
    SelectNotYet,
    /// Not a domain name (reference 1.4).
    BadDomainName,
    /// An attribute or ACL before any domain line.
    NoCurrentDomain,
    /// `delete <kernel>`.
    DeleteRoot,
    /// `delete use_profile`.
    DeleteProfile,
    /// Nothing behind `delete`.
    DeleteNothing,
    /// Not a number from 0 to 255.
    BadProfileNumber,
    /// `use_profile N` of a profile that does not exist.
    UndefinedProfile,
    /// A domain made by hand would get profile 0, which does not exist.
    ProfileZeroUndefined,
    /// The first word of an exception_policy line is no directive.
    UnknownDirective,
    /// A TOMOYO 1.7 directive of a later version.
    DirectiveNotYet,
    /// A directive that TOMOYO 1.7 itself had removed.
    RemovedDirective,
    /// A transition directive without its program.
    MissingProgram,
    /// Not a program (reference 1.3).
    BadProgram,
    /// `from` at the end, or `keep_domain` alone.
    MissingFromDomain,
    /// Neither a domain name nor the last word of one.
    BadFromDomain,
    /// A group line without group name.
    MissingGroupName,
    /// A group line without member.
    MissingMember,
    /// A path group member that is no valid word.
    BadPathMember,
    /// A number group member that is no number or range.
    BadNumberMember,
    /// A range that ends before it begins.
    ReversedRange,
    /// A profile line without `=`.
    NoEquals,
    /// A profile line that is neither of the known forms.
    UnknownProfileKey,
    /// A category or item of TOMOYO 1.7 of a later version.
    ItemNotYet,
    /// An item that TOMOYO 1.7 does not have.
    UnknownItem,
    /// `PREFERENCE`.
    PreferenceNotYet,
    /// A value that says nothing.
    EmptyConfig,
    /// `use_default` for the default itself.
    DefaultOfDefault,
    /// A `PROFILE_VERSION` other than 20090903.
    BadProfileVersion,
    /// Not a manager line.
    BadManager,
}

impl Reason {
    /// What is wrong and what would be right, one line without full stop.
    pub const fn message(&self) -> &'static str {
        match self {
            Reason::UnknownAcl => {
                "unknown keyword; expected a domain (<kernel> ...), use_profile, quota_exceeded, transition_failed or an ACL such as allow_read"
            }
            Reason::AclNotYet => {
                "this version does not have this ACL yet; it has allow_read, allow_write, allow_read/write, allow_execute, allow_create, allow_unlink, allow_mkdir, allow_rmdir, allow_rename and allow_truncate"
            }
            Reason::OldNumericAcl => {
                "the old form with a number is not accepted; write allow_read for 4, allow_write for 2, allow_execute for 1"
            }
            Reason::AttributeNotYet => {
                "this version does not have global allow_read and allow_env lists yet, so there is nothing to ignore; remove the line"
            }
            Reason::MissingPath => "a path is missing; write a path, a pattern or @GROUP",
            Reason::BadPath => {
                "not a valid path word; a backslash must begin \\\\, \\ooo (octal of a byte that is not printable) or a wildcard, and \\{...\\} must fill a directory name"
            }
            Reason::PatternTooLong => "too many elements in one component with wildcards, or too many components behind \\{; the limit is 511",
            Reason::BadGroupName => "not a group name; write @ and a name of printable characters",
            Reason::MissingNumber => "the mode is missing; write a number, a range such as 0600-0644, or @GROUP",
            Reason::BadNumber => {
                "not a number; write decimal, octal (0644) or hexadecimal (0x1F) up to 64 bits without sign, a range MIN-MAX, or @GROUP"
            }
            Reason::SurplusWord => {
                "more words than this line can have; remove them (a condition begins with the word if; write a blank inside a name as \\040)"
            }
            Reason::SecondIf => "a second if; join the tests of one condition with blanks",
            Reason::EmptyCondition => "nothing follows if; add a test such as task.uid=0 or remove the word if",
            Reason::SetNotYet => "this version does not have ; set yet; remove it",
            Reason::NoOperator => "a test needs = or != without blanks around it, such as task.uid=0",
            Reason::UnknownOperand => {
                "unknown word in a test; expected task.uid, .euid, .suid, .fsuid, .gid, .egid, .sgid, .fsgid, .pid, .ppid, .state[0] to .state[2], .type, execute_handler, a number, a range, or @GROUP on the right side"
            }
            Reason::OperandNotYet => "this version does not have this condition keyword yet; it has task.* and numbers",
            Reason::GroupOnLeft => "a group can stand on the right side of a test only; swap the sides",
            Reason::SelectWithoutDomain => {
                "select takes a domain name only; remove the word select before an attribute or ACL"
            }
            Reason::SelectNotYet => "this version does not have this form of select yet; write select <kernel> ...",
            Reason::BadDomainName => {
                "not a domain name; write <kernel> and program paths, each beginning with / and without wildcards"
            }
            Reason::NoCurrentDomain => "no current domain; write the domain's line (<kernel> ...) before this one",
            Reason::DeleteRoot => "the domain <kernel> cannot be deleted; delete its ACLs one by one",
            Reason::DeleteProfile => "a domain always has a profile; write use_profile with the new number instead",
            Reason::DeleteNothing => "nothing follows delete; write the line that is to be deleted",
            Reason::BadProfileNumber => "not a profile number; write a decimal number from 0 to 255",
            Reason::UndefinedProfile => "this profile is not defined; write its CONFIG line to profile first",
            Reason::ProfileZeroUndefined => {
                "a new domain gets profile 0, which is not defined; write 0-CONFIG=... to profile first"
            }
            Reason::UnknownDirective => {
                "unknown directive; expected initialize_domain, no_initialize_domain, keep_domain, no_keep_domain, path_group or number_group"
            }
            Reason::DirectiveNotYet => {
                "this version does not have this directive yet; it has initialize_domain, no_initialize_domain, keep_domain, no_keep_domain, path_group and number_group"
            }
            Reason::RemovedDirective => {
                "TOMOYO 1.7 removed this directive; use conditions (exec.realpath, exec.argv[0]) or domain transition rules instead"
            }
            Reason::MissingProgram => "a program is missing; write its absolute path",
            Reason::BadProgram => {
                "not a program; write an absolute path without wildcards and without / at the end"
            }
            Reason::MissingFromDomain => {
                "a domain is missing; write a domain name or the absolute path of its last program"
            }
            Reason::BadFromDomain => {
                "neither a domain name (<kernel> ...) nor the absolute path of a domain's last program, without wildcards and without / at the end"
            }
            Reason::MissingGroupName => "a group name is missing; write the name (without @) and one member",
            Reason::MissingMember => "the member is missing; write one member a line",
            Reason::BadPathMember => {
                "not a valid path word as group member; a backslash must begin \\\\, \\ooo or a wildcard"
            }
            Reason::BadNumberMember => {
                "not a number or range; groups hold numbers such as 10000 or 10000-10999, no other groups"
            }
            Reason::ReversedRange => "the range ends before it begins; write the smaller number first",
            Reason::NoEquals => "a profile line has the form KEY=VALUE",
            Reason::UnknownProfileKey => {
                "unknown key; expected PROFILE_VERSION, N-COMMENT, N-CONFIG, N-CONFIG::file or N-CONFIG::file::ITEM"
            }
            Reason::ItemNotYet => {
                "this version does not have this category or item yet; it has file with execute, open, create, unlink, mkdir, rmdir, truncate and rename"
            }
            Reason::UnknownItem => {
                "no such item; file has execute, open, create, unlink, mkdir, rmdir, truncate and rename"
            }
            Reason::PreferenceNotYet => "this version does not have PREFERENCE lines yet; remove the line",
            Reason::EmptyConfig => {
                "the value says nothing; write mode=disabled, learning, permissive or enforcing, grant_log=yes or no, reject_log=yes or no, or use_default"
            }
            Reason::DefaultOfDefault => {
                "CONFIG is the default itself; use_default is for CONFIG::file and CONFIG::file::ITEM"
            }
            Reason::BadProfileVersion => "only profiles of version 20090903 are understood",
            Reason::BadManager => {
                "not a manager; write a domain name, the absolute path of a program without wildcards, or manage_by_non_root"
            }
        }
    }
}
