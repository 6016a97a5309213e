// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is said about odd lines.

/// Why an accepted line deserves a second look.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(sekisho_kernel), derive(Debug))]
#[non_exhaustive]
pub enum Warning {
    /// `allow_execute` with a wildcard (quirk Q12).
    WildcardInExecute,
    /// `allow_transit` with a wildcard (quirk Q12).
    WildcardInTransit,
    /// A last component of `\*` or `\@` only, which may be missing altogether (quirk Q1).
    MissingComponent,
    /// `\-` in the component in which the literal beginning ends (quirks Q2 and Q3).
    SubtractionAfterPrefix,
    /// A profile line with more than one mode (quirk Q16).
    SeveralModes,
    /// A condition on `execute_handler` or `denied_execute_handler`.
    ConditionOnHandler,
    /// A range whose first end is above the second.
    EmptyRange,
    /// The same value in another radix is in the domain too (quirk Q23).
    SameValueOtherRadix,
    /// A final `/` where only files are asked for (reference 1.7).
    DirectoryForFile,
    /// No final `/` where only directories are asked for.
    NoFinalSlash,
    /// No final `/` at what is mostly a directory.
    MountPointWithoutSlash,
    /// Of two names that are both a directory's or both a file's, one ends in `/`.
    SlashOnOneSide,
    /// A name that does not begin with `/`.
    NotAbsolute,
    /// `proc:/self` and its relatives (reference 14.2).
    NameOfLaterVersion,
    /// A component `.` or `..`.
    DotComponent,
    /// `//`
    EmptyComponent,
    /// A wildcard of a shell, or of another security module, or one without its backslash.
    BareWildcard,
    /// A `,` or `;` behind a name.
    TrailingMark,
    /// `@` in front of what is no group.
    AtSign,
    /// `@{HOME}/x`
    GroupWithSlash,
    /// The number of a process, pipe or descriptor.
    ProcessNumber,
    /// `/proc/self/exe` as a program (reference 6.4).
    LinkOfProcfs,
    /// A subtraction of everything.
    NothingLeft,
    /// `/\{\}/`
    EmptyRepetition,
    /// A transition that does not begin with `//`.
    TransitWithoutSlashes,
    /// A mode that looks octal and is decimal.
    DecimalMode,
    /// A number beyond what can be asked for.
    NumberTooLarge,
    /// A signal that is never asked for.
    NoSuchSignal,
    /// A flag of a mount that is never left in the flags (reference 4.8).
    ImpossibleFlag,
    /// A test of something that the operation does not know (reference 5.3, 5.4).
    UnknownFact,
    /// Tests that contradict each other, or a value that is never there.
    NeverTrue,
    /// A permission bit compared with something else than permissions (reference 5.4).
    BitElsewhere,
    /// A file type compared with something else than a type.
    TypeElsewhere,
    /// A word of a profile that is no setting.
    UnknownSetting,
    /// A word of a preference that is none.
    UnknownPreference,
    /// A key of a profile line that is there twice.
    SaidTwice,
    /// `use_default` with something beside it.
    UseDefaultAndMore,
    /// Log flags alone where there is no setting yet (reference 7.2).
    LogFlagsAlone,
    /// A profile's own preferences that leave keys out (quirk Q15).
    OwnPreferencesFromZero,
    /// A group without members.
    EmptyGroup,
    /// A group whose members cannot match in this place.
    NoMemberMatches,
    /// A program that `aggregator` calls by another name.
    Aggregated,
    /// A domain that is not in the policy.
    NoSuchDomain,
    /// A domain that no execve leads to.
    UnreachableDomain,
    /// A rule that another one cancels.
    CancelledRule,
    /// A `no_` rule that cancels nothing.
    NothingToCancel,
    /// `allow_rewrite` of what no `deny_rewrite` protects.
    NothingProtected,
}

impl Warning {
    /// What is odd and what would be better, one line without full stop.
    pub const fn message(&self) -> &'static str {
        match self {
            Warning::WildcardInExecute => {
                "allow_execute with a wildcard never matches; write the program's name, or map temporary names to one with aggregator"
            }
            Warning::WildcardInTransit => {
                "allow_transit with a wildcard never matches; write one line for each word"
            }
            Warning::MissingComponent => {
                "the last component consists of \\* or \\@ only and may be missing: the names one level above match too; write \\?\\* instead if they must not"
            }
            Warning::SubtractionAfterPrefix => {
                "\\- compares only what follows the literal beginning of the pattern: /etc/s\\*\\-shadow matches /etc/shadow; leave out that beginning behind the \\- too, as in /etc/s\\*\\-hadow"
            }
            Warning::SeveralModes => {
                "more than one mode; the first of disabled, learning, permissive, enforcing wins wherever it stands; keep one"
            }
            Warning::ConditionOnHandler => {
                "a condition has no effect on a handler; remove it"
            }
            Warning::EmptyRange => {
                "the range ends before it begins and contains nothing; write the smaller end first"
            }
            Warning::SameValueOtherRadix => {
                "the domain has this line with the same number in another radix; both are kept; delete one"
            }
            Warning::DirectoryForFile => {
                "a name that ends in / is a directory's, and for those this is never asked (opening one is not checked); remove the / or write a pattern for the files in it"
            }
            Warning::NoFinalSlash => {
                "never matches: the name of a directory ends in /; write it with / at the end"
            }
            Warning::MountPointWithoutSlash => {
                "matches only if a file is the mount point; the name of a directory ends in /"
            }
            Warning::SlashOnOneSide => {
                "never matches: both names are those of a directory, which end in /, or both are those of a file"
            }
            Warning::NotAbsolute => {
                "never matches: the name of a file begins with /; other names are those of pipes, sockets and the like, such as pipe:[\\$]; ~ and variables are not replaced"
            }
            Warning::NameOfLaterVersion => {
                "never matches: only TOMOYO 1.8 and 2.x name files so; write where it is mounted, such as /proc/meminfo"
            }
            Warning::DotComponent => {
                "never matches: no name has a component . or ..; write the path that it leads to"
            }
            Warning::EmptyComponent => "never matches: no name has //; write one /",
            Warning::BareWildcard => {
                "* ? $ [...] and {...} stand for themselves; a wildcard begins with a backslash, such as \\* or \\$ (alternatives need a line each, or a path_group)"
            }
            Warning::TrailingMark => {
                "the , or ; at the end is a part of the name; a line needs no end, so remove it if it is not meant"
            }
            Warning::AtSign => {
                "@ stands for itself here: no group is meant, and groups have no groups in them; write the members"
            }
            Warning::GroupWithSlash => {
                "all that follows @ is the name of a group, also the /; a path cannot begin with a group or a variable"
            }
            Warning::ProcessNumber => {
                "the number of a process, a pipe or a descriptor is another one next time; write \\$ in its place (if this was learned, a file_pattern line with \\$ before learning does it)"
            }
            Warning::LinkOfProcfs => {
                "never matches: a program that is started through a link of procfs is named by its file; write the path of that"
            }
            Warning::NothingLeft => "never matches: what stands behind \\- takes everything away",
            Warning::EmptyRepetition => {
                "never matches: \\{\\} repeats an empty component, and no name has one; write \\{\\*\\} for any directories"
            }
            Warning::TransitWithoutSlashes => {
                "never matches: the word of a transition begins with //"
            }
            Warning::DecimalMode => {
                "a mode without 0 in front is decimal: 755 is 01363; write 0755 if the permissions are meant"
            }
            Warning::NumberTooLarge => {
                "never matches: nothing has so large a number here (modes have permission bits only, up to 07777)"
            }
            Warning::NoSuchSignal => {
                "never matches: signals have numbers from 1 to 64, and signal 0 is not asked for"
            }
            Warning::ImpossibleFlag => {
                "never matches: one of these flags makes it another type, such as --bind or --remount, and is not left in the flags; remove it"
            }
            Warning::UnknownFact => {
                "never true: this operation does not know what is tested here, and then a test is false with = and with !="
            }
            Warning::NeverTrue => {
                "never true: this contradicts another test, or nothing has this value; all tests must be true, so write two lines for one or the other"
            }
            Warning::BitElsewhere => {
                "never true: a permission bit such as setuid can be looked for in path1.perm, path2.perm and those of their parents only"
            }
            Warning::TypeElsewhere => {
                "a type of file can only be what path1.type and path2.type are"
            }
            Warning::UnknownSetting => {
                "no setting is exactly this word, and 1.7 looks only for parts of it; write mode=disabled, learning, permissive or enforcing, grant_log=yes or no, reject_log=yes or no, without blanks around the ="
            }
            Warning::UnknownPreference => {
                "no setting of this group is exactly this word, and 1.7 looks only for parts of it; write a key of the group with =yes, =no or = and a decimal number, without blanks around the ="
            }
            Warning::SaidTwice => {
                "this is said twice; yes counts before no, and the first of several numbers; keep one"
            }
            Warning::UseDefaultAndMore => "use_default makes the rest of the value mean nothing; keep one of both",
            Warning::LogFlagsAlone => {
                "has no effect: without a mode, log flags change only what has a setting of its own; write the mode too"
            }
            Warning::OwnPreferencesFromZero => {
                "a profile's own preferences begin with 0 and no, not with the global ones; write all keys of the group"
            }
            Warning::EmptyGroup => {
                "never matches: the group has no members; write them to exception_policy, or correct the name"
            }
            Warning::NoMemberMatches => {
                "never matches: no member of the group is a name that this can have (names of directories end in /, those of files do not, and programs are named without wildcards)"
            }
            Warning::Aggregated => {
                "never matches: aggregator gives this program another name; write that one"
            }
            Warning::NoSuchDomain => {
                "there is no such domain in this policy; until there is one the line has no effect"
            }
            Warning::UnreachableDomain => {
                "no execve leads here: from the domain above, initialize_domain, keep_domain or aggregator lead this program elsewhere"
            }
            Warning::CancelledRule => {
                "has no effect: a no_ rule about the same program and domain cancels it"
            }
            Warning::NothingToCancel => "has no effect: there is no rule that it could cancel",
            Warning::NothingProtected => {
                "never asked: no deny_rewrite line protects such a file"
            }
        }
    }
}
