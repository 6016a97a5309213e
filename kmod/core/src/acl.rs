// SPDX-License-Identifier: MIT OR Apache-2.0
//! One ACL line as text: parsing and printing without a policy.
//!
//! Reference 4.4. The kernel turns an [`AclLine`] into an entry of a domain; the resolver looks at the lines of an
//! app's fragment and prints them again in normal form. Nothing is copied, everything borrows from the line.
//!
//! TOMOYO 1.7 ignored surplus words of file ACLs, so that `allow_read /a unless task.uid=0` allowed everybody
//! (quirk Q6). Here the words must come out exactly.

use crate::address::AddressRange;
use crate::args::{groups, paths, print_args, without_silent, AddressArg, Args, NumberArg, PathArg};
use crate::capability::Capability;
use crate::condition::ConditionLine;
use crate::directive;
use crate::entry;
use crate::group::GroupKind;
use crate::mem::OutOfMemory;
use crate::name::{self, ROOT_DOMAIN};
use crate::number::{Number, NumberRange};
use crate::pattern;
use crate::request::{Class, NetworkOp, Operation, PathNumberOp, PathOp};
use crate::text::{ParseError, Reason, Sink, Words};

/// A parsed ACL line.
#[derive(Clone, Copy)]
pub struct AclLine<'a> {
    /// All words of the line, for the columns of warnings; none if it was never written.
    words: Words<'a>,
    class: Class,
    bits: u16,
    args: Args<'a>,
    condition: Option<ConditionLine<'a>>,
}

impl<'a> AclLine<'a> {
    /// Parses a line without `delete `. The domain of `allow_signal` borrows from the line, so its words must stand one
    /// blank apart ([`crate::text::Normal`]).
    ///
    /// # Errors
    /// Where the line is no ACL, and why.
    pub fn parse(line: &'a [u8]) -> Result<AclLine<'a>, ParseError> {
        AclLine::parse_words(Words::new(line))
    }

    /// Parses the rest of a line; columns count from the beginning of that line.
    pub(crate) fn parse_words(words: Words<'a>) -> Result<AclLine<'a>, ParseError> {
        let mut parser = Parser { line: words, words, last: 1 };
        let (column, keyword) = parser.words.require(Reason::UnknownAcl)?;
        if let Some(bits) = old_form(keyword) {
            let path = parser.path()?;
            if let PathArg::Word([.., b'/']) = path {
                return Err(ParseError::new(parser.last, Reason::OldFormOfDirectory));
            }
            return parser.finish(Class::Path, bits, Args::Path(path));
        }
        if keyword == b"allow_network" {
            let operation = parser.network()?;
            let args = Args::Network(parser.address()?, parser.number(Reason::MissingPort)?);
            return parser.finish(Class::Network, Operation::Network(operation).bit(), args);
        }
        let Some(operation) = Operation::from_keyword(keyword) else {
            let later: [&[u8]; 7] =
                [b"file", b"misc", b"ipc", b"network", b"capability", b"task", b"use_group"];
            let is_later = later.contains(&keyword);
            return Err(ParseError::new(
                column,
                if is_later { Reason::LaterAcl } else { Reason::UnknownAcl },
            ));
        };
        let args = match operation.class() {
            Class::Path => Args::Path(parser.path()?),
            Class::Path2 => Args::Path2(parser.path()?, parser.path()?),
            Class::PathNumber => {
                let missing = match operation {
                    Operation::PathNumber(PathNumberOp::Ioctl) => Reason::MissingCommand,
                    Operation::PathNumber(PathNumberOp::Chown) => Reason::MissingOwner,
                    Operation::PathNumber(PathNumberOp::Chgrp) => Reason::MissingGroupId,
                    _ => Reason::MissingMode,
                };
                Args::PathNumber(parser.path()?, parser.number(missing)?)
            }
            Class::Device => {
                let (path, mode) = (parser.path()?, parser.number(Reason::MissingMode)?);
                let major = parser.number(Reason::MissingDeviceNumber)?;
                Args::Device(path, mode, major, parser.number(Reason::MissingDeviceNumber)?)
            }
            Class::Mount => {
                let (device, dir, kind) = (parser.path()?, parser.path()?, parser.path()?);
                let flags = without_silent(parser.number(Reason::MissingFlags)?);
                Args::Mount { device, dir, kind, flags }
            }
            Class::Env => Args::Env(parser.checked(Reason::MissingVariable, directive::check_variable)?),
            Class::Capability => {
                let (column, word) = parser.require(Reason::MissingCapability)?;
                let known = Capability::from_name(word);
                Args::Capability(known.ok_or(ParseError::new(column, Reason::UnknownCapability))?)
            }
            Class::Signal => {
                let (column, word) = parser.require(Reason::MissingSignal)?;
                let number = parse_signal(word).ok_or(ParseError::new(column, Reason::BadSignal))?;
                Args::Signal(number, parser.domain()?)
            }
            Class::ExecuteHandler | Class::DeniedExecuteHandler => {
                Args::Handler(parser.checked(Reason::MissingProgram, directive::check_program)?)
            }
            Class::Network => return Err(ParseError::new(column, Reason::UnknownAcl)), // Dealt with above.
        };
        parser.finish(operation.class(), operation.bit(), args)
    }

    /// What learning adds: one operation with these arguments.
    pub(crate) fn learned(
        operation: Operation,
        args: Args<'a>,
        condition: Option<ConditionLine<'a>>,
    ) -> AclLine<'a> {
        AclLine { words: Words::new(b""), class: operation.class(), bits: operation.bit(), args, condition }
    }

    /// The class of its arguments.
    pub const fn class(&self) -> Class {
        self.class
    }

    /// What the line allows, as bits of the class: one operation but for the old form with a number, where read and write
    /// together are read/write too.
    pub const fn bits(&self) -> u16 {
        self.bits
    }

    /// What the line allows, in print order; read/write stands for read and write.
    pub fn operations(&self) -> impl Iterator<Item = Operation> {
        entry::operations(self.class, self.bits)
    }

    /// All words of the line.
    pub(crate) const fn words(&self) -> Words<'a> {
        self.words
    }

    /// The first word in normal form, such as `allow_read`; for network with protocol and operation.
    pub fn keyword(&self) -> &'static [u8] {
        self.operations().next().map_or(b"", Operation::keyword)
    }

    /// The arguments.
    pub const fn args(&self) -> &Args<'a> {
        &self.args
    }

    /// The groups of the arguments.
    pub fn groups(&self) -> impl Iterator<Item = (GroupKind, &'a [u8])> {
        groups(&self.args)
    }

    /// The path words as written, without groups.
    pub fn path_words(&self) -> impl Iterator<Item = &'a [u8]> {
        paths(&self.args).into_iter().flatten().filter_map(|path| match path {
            PathArg::Word(word) => Some(word),
            PathArg::Group(_) => None,
        })
    }

    /// What stands behind `if`, and `; set`.
    pub const fn condition(&self) -> Option<ConditionLine<'a>> {
        self.condition
    }

    /// Prints the line in normal form, without line end: single blanks, numbers as reference 1.5 prints them. The old
    /// form prints as several lines.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        let mut end: &[u8] = b"";
        for operation in self.operations() {
            sink.put(end)?;
            sink.put(operation.keyword())?;
            print_args(&self.args, &|_, name| name, sink)?;
            if let Some(condition) = &self.condition {
                condition.print(sink)?;
            }
            end = b"\n";
        }
        Ok(())
    }
}

/// The words of a line, taken as arguments.
struct Parser<'a> {
    /// All of them.
    line: Words<'a>,
    /// Those that are left.
    words: Words<'a>,
    /// Column of the last argument.
    last: u32,
}

impl<'a> Parser<'a> {
    /// The next argument. Where a condition begins it is missing, because nobody means a file named `if` ([`check_argument`]).
    fn require(&mut self, missing: Reason) -> Result<(u32, &'a [u8]), ParseError> {
        let (column, word) = self.words.require(missing)?;
        check_argument(word).map_err(|_| ParseError::new(column, missing))?;
        self.last = column;
        Ok((column, word))
    }

    /// Whether `if`, or `; set`, comes next.
    fn at_condition(&self) -> bool {
        let mut ahead = self.words;
        match ahead.next() {
            Some((_, b"if")) => true,
            Some((_, b";")) => matches!(ahead.next(), Some((_, b"set"))),
            _ => false,
        }
    }

    fn finish(mut self, class: Class, bits: u16, args: Args<'a>) -> Result<AclLine<'a>, ParseError> {
        let condition = match self.words.peek() {
            None => None,
            Some((_, b"if")) => {
                self.words.next();
                Some(ConditionLine::parse(self.words)?)
            }
            Some((_, b";")) => Some(ConditionLine::parse(self.words)?),
            Some((column, _)) => return Err(ParseError::new(column, Reason::SurplusWord)),
        };
        Ok(AclLine { words: self.line, class, bits, args, condition })
    }

    /// A word of which `check` says what is wrong.
    fn checked(
        &mut self,
        missing: Reason,
        check: fn(&[u8]) -> Result<(), Reason>,
    ) -> Result<&'a [u8], ParseError> {
        let (column, word) = self.require(missing)?;
        check(word).map_err(|reason| ParseError::new(column, reason))?;
        Ok(word)
    }

    fn path(&mut self) -> Result<PathArg<'a>, ParseError> {
        let (column, word) = self.require(Reason::MissingPath)?;
        if let Some(group) = group_name(word) {
            return check_group(column, group).map(PathArg::Group);
        }
        check_word(word, Reason::BadPath).map_err(|reason| ParseError::new(column, reason))?;
        Ok(PathArg::Word(word))
    }

    fn number(&mut self, missing: Reason) -> Result<NumberArg<&'a [u8]>, ParseError> {
        let (column, word) = self.require(missing)?;
        if let Some(group) = group_name(word) {
            return check_group(column, group).map(NumberArg::Group);
        }
        let range = NumberRange::parse(word);
        range.map(NumberArg::Range).ok_or(ParseError::new(column, Reason::BadNumber))
    }

    fn address(&mut self) -> Result<AddressArg<&'a [u8]>, ParseError> {
        let (column, word) = self.require(Reason::MissingAddress)?;
        if let Some(group) = group_name(word) {
            return check_group(column, group).map(AddressArg::Group);
        }
        let range = AddressRange::parse(word);
        range.map(AddressArg::Range).ok_or(ParseError::new(column, Reason::BadAddress))
    }

    /// Protocol and operation; `listen` and `accept` only with TCP.
    fn network(&mut self) -> Result<NetworkOp, ParseError> {
        let (protocol_column, protocol) = self.require(Reason::MissingProtocol)?;
        if !matches!(protocol, b"TCP" | b"UDP" | b"RAW") {
            return Err(ParseError::new(protocol_column, Reason::MissingProtocol));
        }
        let (column, operation) = self.require(Reason::MissingNetworkOperation)?;
        Ok(match (protocol, operation) {
            (b"UDP", b"bind") => NetworkOp::UdpBind,
            (b"UDP", b"connect") => NetworkOp::UdpConnect,
            (b"TCP", b"bind") => NetworkOp::TcpBind,
            (b"TCP", b"listen") => NetworkOp::TcpListen,
            (b"TCP", b"connect") => NetworkOp::TcpConnect,
            (b"TCP", b"accept") => NetworkOp::TcpAccept,
            (b"RAW", b"bind") => NetworkOp::RawBind,
            (b"RAW", b"connect") => NetworkOp::RawConnect,
            _ => return Err(ParseError::new(column, Reason::MissingNetworkOperation)),
        })
    }

    /// The name of a domain: the words up to the condition.
    fn domain(&mut self) -> Result<&'a [u8], ParseError> {
        let (column, first) = self.require(Reason::MissingFromDomain)?;
        if first != ROOT_DOMAIN {
            return Err(ParseError::new(column, Reason::BadDomainName));
        }
        while !self.at_condition() {
            let Some((column, word)) = self.words.next() else { break };
            if word.first() != Some(&b'/') || name::Name::new(word).is_none() {
                return Err(ParseError::new(column, Reason::BadDomainName));
            }
        }
        let text = self.words.slice_from(column);
        if !name::is_valid_domain(text) {
            return Err(ParseError::new(column, Reason::BadDomainName));
        }
        Ok(text)
    }
}

/// The old form: bits 4 = read, 2 = write, 1 = execute.
fn old_form(word: &[u8]) -> Option<u16> {
    let [digit @ b'1'..=b'7'] = word else {
        return None;
    };
    let mut bits = 0;
    for (mask, op) in [(4, PathOp::Read), (2, PathOp::Write), (1, PathOp::Execute)] {
        if digit & mask != 0 {
            bits |= Operation::Path(op).bit();
        }
    }
    Some(entry::merge(Class::Path, 0, bits))
}

/// A decimal number from 0 to 65535.
fn parse_signal(word: &[u8]) -> Option<u16> {
    let number = Number::parse(word)?;
    let decimal = word.iter().all(u8::is_ascii_digit) && number == Number::decimal(number.value);
    u16::try_from(number.value).ok().filter(|_| decimal)
}

/// The name behind `@`, if the word is a group.
pub(crate) fn group_name(word: &[u8]) -> Option<&[u8]> {
    word.strip_prefix(b"@")
}

/// Whether a word can be an argument. Not one that begins a condition: TOMOYO 1.7 took the `if` of `allow_rename /a if` for the
/// second path.
pub(crate) fn check_argument(word: &[u8]) -> Result<(), Reason> {
    match word {
        b"if" | b";" => Err(Reason::SurplusWord),
        _ => Ok(()),
    }
}

/// A valid group name: any valid word but the empty one (reference 1.3).
pub(crate) fn is_group_name(word: &[u8]) -> bool {
    !word.is_empty() && name::is_valid_word(word)
}

fn check_group(column: u32, group: &[u8]) -> Result<&[u8], ParseError> {
    if is_group_name(group) {
        Ok(group)
    } else {
        Err(ParseError::new(column, Reason::BadGroupName))
    }
}

/// A valid word within the limits of the matcher.
pub(crate) fn check_word(word: &[u8], invalid: Reason) -> Result<(), Reason> {
    if name::skip_plain(word).is_empty() {
        // No wildcard, no escape: valid, and nothing to be limited.
        Ok(())
    } else if !name::is_valid_word(word) {
        Err(invalid)
    } else if word.len() > pattern::MAX_POSITIONS && !pattern::is_within_limits(word) {
        // What is limited has a byte at least, so that a short word needs no counting.
        Err(Reason::PatternTooLong)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{AclLine, PathArg};
    use crate::mem::Vec;
    use crate::request::{Class, Operation, PathOp};
    use crate::text::Reason;
    use std::string::String;

    fn printed(line: &str) -> String {
        let mut text = Vec::new();
        match AclLine::parse(line.as_bytes()) {
            Ok(acl) => acl.print(&mut text).unwrap(),
            Err(error) => panic!("{line}: {}: {}", error.column, error.reason.message()),
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    #[test]
    fn good_lines_print_in_normal_form() {
        for same in [
            "allow_read/write /a",
            r"allow_transit //a\*",
            "allow_pivot_root /new/ /old/",
            "allow_create @G 0600-0644",
            "allow_chown /a 00-0xF",
            "allow_mkblock /a @M 8 0-15",
            "allow_mkchar /dev/null 0666 1 3 if task.fsuid=0",
            "allow_mount <NULL> / --make-shared 0x4000",
            r"allow_mount /dev/\* /media/\*/ vfat 0x6 if path1.type=block path2.parent.uid=0",
            "allow_mount @A @B @C @D",
            r"allow_env LD_\*",
            "allow_env @A",
            "allow_capability conceal_mount",
            "allow_signal 65535 <kernel>",
            "allow_signal 15 <kernel> /if / //app=x if task.uid=0",
            "allow_signal 15 <kernel> /a ; set task.state[0]=1",
            "allow_network UDP connect @A @P",
            "allow_network TCP accept 0:0:0:0:0:0:0:1 1024-65535",
            "allow_network RAW bind 10.0.0.1-10.0.0.2 1",
            "execute_handler /a",
            "denied_execute_handler /a if task.uid=0",
            "allow_create /a 9-3",
        ] {
            assert_eq!(printed(same), same);
        }
        for (line, normal) in [
            ("  allow_create\t/a  000644 \r", "allow_create /a 0644"),
            ("allow_mount /a /b/ ext3 0x8001", "allow_mount /a /b/ ext3 0x1"),
            ("allow_mount /a /b/ ext3 32768", "allow_mount /a /b/ ext3 0"),
            ("allow_mount /a /b/ ext3 0x8001-0x8003", "allow_mount /a /b/ ext3 0x1-0x3"),
            ("allow_mount /a /b/ ext3 0x1-0x8001", "allow_mount /a /b/ ext3 0x1-0x8001"),
            ("allow_ioctl /a 0X1f-0x1F", "allow_ioctl /a 0x1F"),
            ("allow_signal 00 <kernel>", ""),
            ("allow_read /a if ; set task.state[2]=0x1", "allow_read /a ; set task.state[2]=1"),
            ("1 /a", "allow_execute /a"),
            ("6 @G", "allow_read/write @G"),
            ("7 /a if task.uid=0", "allow_read/write /a if task.uid=0\nallow_execute /a if task.uid=0"),
        ] {
            if normal.is_empty() {
                assert!(AclLine::parse(line.as_bytes()).is_err(), "{line}");
            } else {
                assert_eq!(printed(line), normal);
            }
        }
    }

    #[test]
    fn bad_lines_say_where_and_why() {
        for (column, reason, line) in [
            (1, Reason::UnknownAcl, ""),
            (1, Reason::UnknownAcl, "allow_frob /a"),
            (1, Reason::LaterAcl, "file read /a"),
            (1, Reason::LaterAcl, "use_group 0"),
            (15, Reason::MissingCommand, "allow_ioctl /a"),
            (15, Reason::MissingOwner, "allow_chown /a"),
            (15, Reason::MissingGroupId, "allow_chgrp /a"),
            (15, Reason::MissingMode, "allow_chmod /a"),
            (2, Reason::UnknownAcl, " 8 /a"),
            (1, Reason::UnknownAcl, "257 /a"),
            (1, Reason::UnknownAcl, "allow_networ TCP bind 1.2.3.4 1"),
            (11, Reason::MissingPath, "allow_read"),
            (12, Reason::BadPath, r"allow_read /\101"),
            (12, Reason::BadGroupName, "allow_read @"),
            (3, Reason::OldFormOfDirectory, "4 /a/"),
            (15, Reason::MissingPath, "allow_link  /a"),
            (16, Reason::MissingMode, "allow_create /a"),
            (17, Reason::BadNumber, "allow_create /a -1"),
            (17, Reason::BadNumber, "allow_create /a 018"),
            (17, Reason::MissingMode, "allow_create /a if task.uid=0"),
            (12, Reason::MissingPath, "allow_read if"),
            (12, Reason::MissingPath, "allow_read ;"),
            (12, Reason::MissingPath, "allow_read if if task.uid=0"),
            (3, Reason::MissingPath, "4 if"),
            (14, Reason::MissingPath, "allow_rename if if"),
            (17, Reason::MissingPath, "allow_rename /a if ; set task.state[0]=1"),
            (17, Reason::MissingPath, "allow_rename /a ; set task.state[0]=1"),
            (14, Reason::MissingPath, "allow_rename ; set"),
            (20, Reason::MissingPath, "allow_mount /a /b/ if 0x0"),
            (20, Reason::MissingDeviceNumber, "allow_mkchar @G 01 if 3"),
            (11, Reason::MissingVariable, "allow_env if"),
            (18, Reason::MissingCapability, "allow_capability if task.uid=0"),
            (14, Reason::MissingSignal, "allow_signal if task.uid=0"),
            (17, Reason::MissingFromDomain, "allow_signal 15 if task.uid=0"),
            (24, Reason::MissingAddress, "allow_network TCP bind if task.uid=0"),
            (32, Reason::MissingPort, "allow_network TCP bind 1.2.3.4 if task.uid=0"),
            (17, Reason::MissingProgram, "execute_handler if task.uid=0"),
            (19, Reason::MissingDeviceNumber, "allow_mkblock /a 0"),
            (21, Reason::MissingDeviceNumber, "allow_mkblock /a 0 1"),
            (23, Reason::MissingFlags, "allow_mount /a /b ext3"),
            (15, Reason::SurplusWord, "allow_read /a unless task.uid=0"),
            (15, Reason::SurplusWord, "allow_read /a /b if task.uid=0"),
            (17, Reason::EmptyCondition, "allow_read /a if"),
            (29, Reason::SecondIf, "allow_read /a if task.uid=0 if task.gid=0"),
            (16, Reason::NoAssignment, "allow_read /a ;"),
            (11, Reason::BadVariable, "allow_env A=b"),
            (18, Reason::UnknownCapability, "allow_capability sys_time"),
            (14, Reason::BadSignal, "allow_signal -1 <kernel>"),
            (14, Reason::BadSignal, "allow_signal 65536 <kernel>"),
            (14, Reason::BadSignal, "allow_signal 0x1 <kernel>"),
            (14, Reason::BadSignal, "allow_signal 1-2 <kernel>"),
            (17, Reason::BadDomainName, "allow_signal 15 /a"),
            (26, Reason::BadDomainName, r"allow_signal 15 <kernel> /\*"),
            (26, Reason::BadDomainName, "allow_signal 15 <kernel> a if task.uid=0"),
            (15, Reason::MissingProtocol, "allow_network tcp bind 1.2.3.4 1"),
            (19, Reason::MissingNetworkOperation, "allow_network UDP listen 1.2.3.4 1"),
            (19, Reason::MissingNetworkOperation, "allow_network TCP frob 1.2.3.4 1"),
            (24, Reason::BadAddress, "allow_network TCP bind 1.2.3.4x 1"),
            (31, Reason::MissingPort, "allow_network TCP bind 1.2.3.4"),
            (34, Reason::SurplusWord, "allow_network TCP bind 1.2.3.4 1 2"),
            (17, Reason::BadProgram, "execute_handler a"),
            (17, Reason::BadProgram, r"execute_handler /\*"),
            (17, Reason::BadProgram, "execute_handler /a/"),
        ] {
            match AclLine::parse(line.as_bytes()) {
                Ok(_) => panic!("{line}"),
                Err(error) => {
                    assert_eq!((error.column, error.reason.message()), (column, reason.message()), "{line}");
                }
            }
        }
    }

    #[test]
    fn the_old_form_is_one_entry() {
        let line = AclLine::parse(b"6 /a").ok().unwrap();
        assert!(line.class() == Class::Path && line.keyword() == b"allow_read/write");
        assert!(line.operations().all(|operation| operation == Operation::Path(PathOp::ReadWrite)));
        for op in [PathOp::ReadWrite, PathOp::Read, PathOp::Write] {
            assert!(line.bits() & Operation::Path(op).bit() != 0);
        }
        assert!(line.bits() & Operation::Path(PathOp::Execute).bit() == 0);
    }

    #[test]
    fn words_and_groups() {
        let line = AclLine::parse(b"allow_mount @A /b @C @D").ok().unwrap();
        assert!(line.path_words().eq([&b"/b"[..]]));
        assert!(line.groups().map(|(_, name)| name).eq([&b"A"[..], b"C", b"D"]));
        assert!(PathArg::Word(&b"a"[..]) != PathArg::<&[u8]>::Group(b"a"));
    }

    #[test]
    fn only_long_patterns_are_limited() {
        let line = |elements| std::format!("allow_read /{}", r"\?".repeat(elements));
        assert!(AclLine::parse(line(511).as_bytes()).is_ok());
        let reason = AclLine::parse(line(512).as_bytes()).err().unwrap().reason;
        assert!(reason == Reason::PatternTooLong);
        let long = std::format!("allow_read /{}", "a".repeat(100_000));
        assert_eq!(printed(&long), long);
    }
}
