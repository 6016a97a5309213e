// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of conditions: the grammar of reference 5.1, the evaluation of 5.4, identity and printing of 5.6.

extern crate std;

use super::*;
use crate::facts::{Arguments, Attributes, Facts, Object, Objects};
use crate::group::GroupId;
use crate::mem::Vec;
use crate::name::Name;
use crate::policy::Policy;
use crate::task::Task;
use std::borrow::ToOwned;
use std::string::String;

fn parse(text: &str) -> Result<ConditionLine<'_>, ParseError> {
    ConditionLine::parse(Words::new(text.as_bytes()))
}

/// Looks a group of [`policy`] up by its name; there are fewer than eight of each kind.
fn find(policy: &Policy, kind: GroupKind, name: &[u8]) -> Option<GroupId> {
    (0..8).map(GroupId).find(|id| policy.group_name(kind, *id) == name)
}

fn store(policy: &Policy, text: &str) -> Option<Condition> {
    let Ok(line) = parse(text) else {
        panic!("not accepted: {text}");
    };
    let stored = Condition::new(&line, &mut |kind, name| Ok(find(policy, kind, name)));
    stored.unwrap_or_else(|_| panic!("memory"))
}

/// Groups of both kinds; `BOTH` is a name of both kinds with different members.
fn policy() -> Policy {
    let mut edit = Policy::new().unwrap().edit().unwrap();
    for line in [
        "number_group BOTH 1000",
        "number_group BOTH 10000-19999",
        "number_group N 2048",
        "path_group BOTH /sbin/\\*",
        "path_group P /target",
    ] {
        assert!(edit.exception_policy_line(line.as_bytes()).is_ok());
    }
    edit.commit()
}

fn name(text: &str) -> Name<'_> {
    Name::new(text.as_bytes()).unwrap()
}

struct Files;

impl Objects for Files {
    fn attributes(&self, object: Object) -> Option<Attributes> {
        let base = Attributes { ino: 11, major: 8, minor: 1, ..Attributes::default() };
        match object {
            Object::Path1 => Some(Attributes { uid: 1000, gid: 5, mode: 0o104_751, ..base }),
            Object::Path1Parent => Some(Attributes { mode: 0o041_777, ino: 2, ..base }),
            Object::Path2 => None,
            Object::Path2Parent => Some(Attributes { uid: 7, mode: 0o040_755, ..base }),
        }
    }
}

#[derive(Default)]
struct Program {
    unreadable: bool,
    nameless: bool,
}

impl Arguments for Program {
    fn argc(&self) -> u64 {
        3
    }

    fn envc(&self) -> u64 {
        5
    }

    fn realpath(&self) -> Option<Name<'_>> {
        (!self.nameless).then(|| name("/sbin/killall5"))
    }

    fn argv(&self, index: u64, visit: &mut dyn FnMut(Name<'_>)) -> bool {
        let argument = match index {
            0 => "/sbin/pidof",
            1 => "-c",
            2 => "",
            _ => return false,
        };
        visit(name(argument));
        true
    }

    fn envp(&self, visit: &mut dyn FnMut(Name<'_>, Option<Name<'_>>)) {
        visit(name("PATH"), Some(name("/bin:/sbin")));
        visit(name("LIB1"), Some(name("a")));
        visit(name("LIB2"), Some(name("b")));
        visit(name("EMPTY"), Some(name("")));
        visit(name("BARE"), None);
    }

    fn is_unreadable(&self) -> bool {
        self.unreadable
    }
}

fn task() -> Task {
    Task { uid: 1000, gid: 5, pid: 300, state: [1, 0, 255], ..Task::default() }
}

fn is_true(text: &str, facts: &Facts<'_>) -> bool {
    let policy = policy();
    store(&policy, text).unwrap().is_true(facts, &policy)
}

/// What each test comes to with `=` and with `!=` when everything is known. `~` stands for the operator.
#[test]
fn evaluation() {
    let task = task();
    let facts = Facts {
        objects: Some(&Files),
        exec: Some(&Program::default()),
        symlink_target: Some(name("/target")),
        ..Facts::new(&task)
    };
    for (test, equal, unequal) in [
        // Numbers, ranges, groups.
        ("task.uid~1000", true, false),
        ("task.uid~1001", false, true),
        ("task.uid~0x3E8", true, false),
        ("1000~task.uid", true, false),
        ("task.uid~1000-1999", true, false),
        ("task.uid~1-999", false, true),
        ("task.uid~1999-1000", false, true),
        ("10-20~20-30", true, false),
        ("10-20~21-30", false, true),
        ("task.uid~path1.uid", true, false),
        ("task.uid~path2.parent.uid", false, true),
        ("task.uid~@BOTH", true, false),
        ("task.gid~@BOTH", false, true),
        ("path1.uid~@BOTH", true, false),
        ("0-999~@BOTH", false, true),
        ("5-10000~@BOTH", true, false),
        ("19999~@BOTH", true, false),
        ("20000~@BOTH", false, true),
        ("task.state[0]~1", true, false),
        ("task.state[2]~255", true, false),
        ("task.type~execute_handler", false, true),
        ("execute_handler~64", true, false),
        // Files.
        ("path1.gid~5", true, false),
        ("path1.ino~11", true, false),
        ("path1.major~8", true, false),
        ("path1.dev_major~0", true, false),
        ("path1.perm~04751", true, false),
        ("path1.perm~path1.perm", true, false),
        ("path1.type~file", true, false),
        ("path1.type~0100000", true, false),
        ("path1.type~directory", false, true),
        ("file~path1.type", true, false),
        ("file~0100000", true, false),
        ("path1.parent.ino~2", true, false),
        ("path2.parent.uid~7", true, false),
        // Permission bits.
        ("path1.perm~setuid", true, false),
        ("setuid~path1.perm", true, false),
        ("path1.perm~setgid", false, true),
        ("path1.perm~owner_write", true, false),
        ("path1.perm~group_write", false, true),
        ("path1.perm~others_execute", true, false),
        ("path1.parent.perm~sticky", true, false),
        ("path2.parent.perm~sticky", false, true),
        ("setuid~04000", true, false),
        ("setuid~2048", true, false),
        ("setuid~1000", false, true),
        ("setuid~0-07777", true, false),
        ("setuid~@N", true, false),
        ("setgid~@N", false, true),
        ("setuid~setuid", false, false),
        ("setuid~sticky", false, false),
        ("setuid~task.uid", false, false),
        ("task.uid~setuid", false, false),
        ("path1.uid~setuid", false, false),
        ("path1.type~setuid", false, false),
        ("04000~setuid", false, false),
        ("0-07777~setuid", false, false),
        // Not available.
        ("path2.uid~0", false, false),
        ("0~path2.uid", false, false),
        ("path2.uid~@BOTH", false, false),
        ("path2.perm~setuid", false, false),
        ("sticky~path2.perm", false, false),
        // Names.
        (r#"exec.realpath~"/sbin/killall5""#, true, false),
        (r#"exec.realpath~"/sbin/\*\+""#, true, false),
        (r#"exec.realpath~"/sbin/pidof""#, false, true),
        ("exec.realpath~@BOTH", true, false),
        ("exec.realpath~@P", false, true),
        (r#"exec.realpath~"@BOTH""#, false, true),
        ("symlink.target~@P", true, false),
        (r#"symlink.target~"/\*""#, true, false),
        (r#"symlink.target~"""#, false, true),
        // Arguments.
        ("exec.argc~3", true, false),
        ("exec.envc~5", true, false),
        ("exec.argc~exec.envc", false, true),
        (r#"exec.argv[0]~"/sbin/pidof""#, true, false),
        (r#"exec.argv[0]~"/\*""#, false, true),
        (r#"exec.argv[1]~"-\a""#, true, false),
        (r#"exec.argv[2]~"""#, true, false),
        (r#"exec.argv[2]~"\*""#, true, false),
        (r#"exec.argv[3]~"""#, false, true),
        (r#"exec.argv[18446744073709551615]~"\*""#, false, true),
        // Environment.
        (r#"exec.envp["PATH"]~"/\*:/\*""#, true, false),
        (r#"exec.envp["PATH"]~"/\*""#, false, true),
        (r#"exec.envp["LIB\+"]~"\a""#, true, false),
        (r#"exec.envp["LIB\+"]~"a""#, false, false),
        (r#"exec.envp["LIB\+"]~"c""#, false, true),
        (r#"exec.envp["LIB\+"]~NULL"#, false, true),
        (r#"exec.envp["LIB3"]~"a""#, false, true),
        (r#"exec.envp["LIB3"]~NULL"#, true, false),
        (r#"exec.envp["EMPTY"]~"""#, true, false),
        (r#"exec.envp["EMPTY"]~NULL"#, false, true),
        (r#"exec.envp["BARE"]~NULL"#, true, false),
        (r#"exec.envp["BARE"]~"\*""#, false, true),
    ] {
        assert_eq!(is_true(&test.replacen('~', "=", 1), &facts), equal, "{test} with =");
        assert_eq!(is_true(&test.replacen('~', "!=", 1), &facts), unequal, "{test} with !=");
    }
}

#[test]
fn what_is_not_available_is_false_for_both_operators() {
    let task = task();
    for test in [
        "path1.uid~0",
        "0~path1.uid",
        "path1.perm~setuid",
        "setuid~path1.parent.perm",
        "path1.uid~path1.uid",
        "path1.uid~@BOTH",
        "exec.argc~0",
        "0-100~exec.envc",
        r#"exec.realpath~"\*""#,
        "exec.realpath~@BOTH",
        r#"exec.argv[0]~"a""#,
        r#"exec.envp["A"]~"a""#,
        r#"exec.envp["A"]~NULL"#,
        r#"symlink.target~"a""#,
        "symlink.target~@P",
    ] {
        for operator in ["=", "!="] {
            assert!(!is_true(&test.replacen('~', operator, 1), &Facts::new(&task)), "{test} {operator}");
        }
    }
    let broken = Program { unreadable: true, nameless: true };
    let facts = Facts { exec: Some(&broken), ..Facts::new(&task) };
    for test in [
        r#"exec.argv[0]~"/sbin/pidof""#,
        r#"exec.argv[9]~"a""#,
        r#"exec.envp["A"]~"a""#,
        r#"exec.envp["A"]~NULL"#,
        r#"exec.envp["PATH"]~NULL"#,
        r#"exec.realpath~"/sbin/killall5""#,
    ] {
        for operator in ["=", "!="] {
            assert!(!is_true(&test.replacen('~', operator, 1), &facts), "{test} {operator}");
        }
    }
    assert!(is_true("exec.argc=3", &facts));
}

#[test]
fn all_tests_must_be_true() {
    let task = task();
    let facts = Facts::new(&task);
    assert!(is_true("task.uid=1000 task.gid=5 task.uid=@BOTH", &facts));
    assert!(!is_true("task.uid=1000 task.gid=6 task.uid=@BOTH", &facts));
    assert!(!is_true("task.uid=@BOTH task.gid=6", &facts));
    assert!(!is_true("task.gid=5 task.uid!=@BOTH", &facts));
    assert!(is_true("; set task.state[0]=1", &facts));
    let handler = Task { execute_handler: true, ..task };
    assert!(is_true("task.type=execute_handler", &Facts::new(&handler)));
    assert!(!is_true("task.type!=execute_handler", &Facts::new(&handler)));
}

#[test]
fn rejected_with_column_and_reason() {
    for (text, column, reason) in [
        ("", 1, Reason::EmptyCondition),
        ("task.uid>0", 1, Reason::NoOperator),
        ("task.uid", 1, Reason::NoOperator),
        ("task.uid = 0", 1, Reason::NoOperator),
        ("task.uid= 0", 10, Reason::MissingOperand),
        ("=0", 1, Reason::MissingOperand),
        ("!=0", 1, Reason::MissingOperand),
        ("task.uid==0", 10, Reason::UnknownOperand),
        ("task.uid!!=0", 1, Reason::UnknownOperand),
        ("task.uid=0  task.uid=-1", 22, Reason::BadNumber),
        ("task.uid=+1", 10, Reason::BadNumber),
        ("task.uid!=018", 11, Reason::BadNumber),
        ("task.uid=1-2-3", 10, Reason::BadNumber),
        ("task.uid=0;", 10, Reason::BadNumber),
        ("@G=task.uid", 1, Reason::GroupOnLeft),
        ("task.uid=@", 10, Reason::BadGroupName),
        ("task.uid=@\\q", 10, Reason::BadGroupName),
        ("task.foo=0", 1, Reason::UnknownOperand),
        ("path1.parent.type=file", 1, Reason::UnknownOperand),
        ("task.uid=exec.foo", 10, Reason::UnknownOperand),
        ("task.uid=root", 10, Reason::UnknownOperand),
        ("task.uid=0 if task.gid=0", 12, Reason::SecondIf),
        ("if task.gid=0", 1, Reason::SecondIf),
        ("task.uid=0 unless", 12, Reason::NoOperator),
        // Text and numbers.
        ("task.uid=\"0\"", 10, Reason::QuotesAgainstNumber),
        ("task.uid=NULL", 10, Reason::QuotesAgainstNumber),
        ("task.uid=exec.realpath", 10, Reason::TextOnWrongSide),
        ("task.uid=symlink.target", 10, Reason::TextOnWrongSide),
        ("task.uid=exec.argv[0]", 10, Reason::TextOnWrongSide),
        ("task.uid=exec.envp[\"A\"]", 10, Reason::TextOnWrongSide),
        ("\"/a\"=exec.realpath", 1, Reason::TextOnWrongSide),
        ("NULL=exec.envp[\"A\"]", 1, Reason::TextOnWrongSide),
        ("exec.realpath=/bin/x", 15, Reason::NoQuotes),
        ("exec.realpath=\"/bin/x", 15, Reason::NoQuotes),
        ("exec.realpath=\"", 15, Reason::NoQuotes),
        ("exec.realpath=/bin/x\"", 15, Reason::NoQuotes),
        ("exec.realpath=NULL", 15, Reason::NoQuotes),
        ("exec.realpath=0", 15, Reason::NoQuotes),
        ("exec.realpath=exec.realpath", 15, Reason::NoQuotes),
        ("exec.realpath=", 15, Reason::MissingOperand),
        ("exec.realpath", 1, Reason::NoOperator),
        ("exec.realpath!=@", 16, Reason::BadGroupName),
        ("exec.realpath=\"\\q\"", 15, Reason::BadQuotedWord),
        ("exec.realpath=\"/\\101\"", 15, Reason::BadQuotedWord),
        ("exec.realpath=\"/\\{a\\}\"", 15, Reason::BadQuotedWord),
        ("symlink.target=\"a b\"", 16, Reason::NoQuotes),
        ("exec.argv[0]=/bin/x", 14, Reason::NoQuotes),
        ("exec.argv[0]=@G", 14, Reason::NoQuotes),
        ("exec.argv[0]=NULL", 14, Reason::NoQuotes),
        ("exec.argv[0]=", 14, Reason::MissingOperand),
        ("exec.argv[0x0]=\"a\"", 1, Reason::BadArgumentIndex),
        ("exec.argv[01]=\"a\"", 1, Reason::BadArgumentIndex),
        ("exec.argv[00]=\"a\"", 1, Reason::BadArgumentIndex),
        ("exec.argv[]=\"a\"", 1, Reason::BadArgumentIndex),
        ("exec.argv[-1]=\"a\"", 1, Reason::BadArgumentIndex),
        ("exec.argv[0=\"a\"", 1, Reason::BadArgumentIndex),
        ("exec.argv[0-1]=\"a\"", 1, Reason::BadArgumentIndex),
        ("exec.argv[18446744073709551616]=\"a\"", 1, Reason::BadArgumentIndex),
        ("exec.envp[\"A\"]=a", 16, Reason::NoQuotes),
        ("exec.envp[\"A\"]=null", 16, Reason::NoQuotes),
        ("exec.envp[\"A\"]=@G", 16, Reason::NoQuotes),
        ("exec.envp[\"A\"]=", 16, Reason::MissingOperand),
        ("exec.envp[A]=\"a\"", 1, Reason::BadVariableName),
        ("exec.envp[\"\"]=\"a\"", 1, Reason::BadVariableName),
        ("exec.envp[\"]=\"a\"", 1, Reason::BadVariableName),
        ("exec.envp[\"A=B\"]=NULL", 1, Reason::BadVariableName),
        ("exec.envp[\"A\"=\"a\"", 1, Reason::BadVariableName),
        ("exec.envp[\"A\"]", 1, Reason::NoOperator),
        ("exec.envp[\"\\q\"]=NULL", 1, Reason::BadQuotedWord),
        // Assignments.
        (";", 2, Reason::NoAssignment),
        ("; set", 6, Reason::NoAssignment),
        ("task.uid=0 ; set", 17, Reason::NoAssignment),
        ("; sett task.state[0]=1", 3, Reason::NoAssignment),
        (";set task.state[0]=1", 1, Reason::NoOperator),
        ("; set task.state[3]=1", 7, Reason::BadAssignment),
        ("; set task.state[00]=1", 7, Reason::BadAssignment),
        ("; set task.state[0]!=1", 7, Reason::BadAssignment),
        ("; set task.uid=1", 7, Reason::BadAssignment),
        ("; set task.state[0]=1 ; set task.state[1]=1", 23, Reason::BadAssignment),
        ("; set task.state[0]=256", 21, Reason::BadStateValue),
        ("; set task.state[0]=-1", 21, Reason::BadStateValue),
        ("; set task.state[0]=1-2", 21, Reason::BadStateValue),
        ("; set task.state[0]=", 21, Reason::BadStateValue),
        ("; set task.state[0]=4294967297", 21, Reason::BadStateValue),
        ("; set task.state[0]=1 task.state[0]=2", 23, Reason::SecondAssignment),
        ("; set task.state[0]=1 task.state[0]=1", 23, Reason::SecondAssignment),
        ("; set task.state[0]=1 if task.uid=0", 23, Reason::IfBehindSet),
    ] {
        let Err(error) = parse(text) else {
            panic!("accepted: {text}");
        };
        assert!(error.reason == reason, "{text}: {}", error.reason.message());
        assert_eq!(error.column, column, "{text}");
    }
    let long = std::format!("exec.argv[1]=\"{}\"", "\\+".repeat(600));
    assert!(parse(&long).is_err_and(|error| error.reason == Reason::PatternTooLong && error.column == 14));
}

fn printed(print: impl FnOnce(&mut Vec<u8>) -> Result<(), OutOfMemory>) -> String {
    let mut text = Vec::new();
    assert!(print(&mut text).is_ok());
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn both_forms_print_the_words_as_they_are_and_the_numbers_in_normal_form() {
    let policy = policy();
    for (text, expected) in [
        ("task.uid=0", " if task.uid=0"),
        ("  task.uid=@BOTH \t task.gid!=1-0x1f ", " if task.uid=@BOTH task.gid!=1-0x1F"),
        ("5-5=8-010", " if 5=8-010"),
        ("task.gid=0 task.uid=000644", " if task.gid=0 task.uid=0644"),
        ("exec.realpath=@BOTH symlink.target!=@P", " if exec.realpath=@BOTH symlink.target!=@P"),
        (r#"exec.realpath="@BOTH""#, r#" if exec.realpath="@BOTH""#),
        (r#"exec.argv[10]!="a"b=\040""#, r#" if exec.argv[10]!="a"b=\040""#),
        (r#"exec.envp["\*"b"]="]="v""#, r#" if exec.envp["\*"b"]="]="v""#),
        (r#"exec.envp["A"]!=NULL"#, r#" if exec.envp["A"]!=NULL"#),
        (r#"exec.envp["A"]="NULL""#, r#" if exec.envp["A"]="NULL""#),
        ("path1.parent.perm=sticky block!=path1.type", " if path1.parent.perm=sticky block!=path1.type"),
        (
            "task.state[0]=0 ; set task.state[2]=0xff task.state[0]=010",
            " if task.state[0]=0 ; set task.state[0]=8 task.state[2]=255",
        ),
        (" ;  set task.state[1]=0", " ; set task.state[1]=0"),
    ] {
        let line = parse(text).unwrap_or_else(|error| panic!("{text}: {}", error.reason.message()));
        assert_eq!(printed(|sink| line.print(sink)), expected);
        let stored = store(&policy, text).unwrap();
        assert_eq!(printed(|sink| stored.print(&policy, sink)), expected);
        assert_eq!(stored.assignments(), line.assignments());
        // The printed form is read back as the same condition.
        let rest = expected.strip_prefix(" if").unwrap_or(expected);
        assert!(store(&policy, rest).unwrap() == stored, "{text}");
    }
    let line = parse("; set task.state[2]=0xff task.state[0]=010").unwrap_or_else(|_| panic!());
    assert_eq!(line.assignments(), [Some(8), None, Some(255)]);
    assert!(line.tests().next().is_none());
}

#[test]
fn the_examples_of_the_reference_are_accepted() {
    for text in [
        "task.uid=1000-1999 path1.perm=setuid",
        "path1.parent.perm=sticky path1.parent.uid=0",
        r#"exec.realpath="/sbin/killall5" exec.argv[0]="/sbin/pidof""#,
        r#"exec.argc=3 exec.argv[1]="-c" exec.envp["LD_PRELOAD"]=NULL"#,
        r#"symlink.target="/var/\*""#,
        "task.uid=@PACKAGE1_DATA_READERS",
        "task.state[0]=0 ; set task.state[0]=1",
        "task.type=execute_handler",
        "path1.type=block path2.parent.uid=0",
    ] {
        assert!(parse(text).is_ok(), "{text}");
    }
}

#[test]
fn identity() {
    let policy = policy();
    let all = [
        "task.uid=0",
        "task.uid!=0",
        "task.uid=00",
        "task.uid=0x0",
        "task.uid=0-00",
        "task.uid=0-1",
        "task.uid=0-0x1",
        "task.euid=0",
        "0=task.uid",
        "task.uid=@BOTH",
        "task.uid=@N",
        "task.uid=0 task.gid=0",
        "task.gid=0 task.uid=0",
        "task.uid=0 task.uid=0",
        "task.uid=0 ; set task.state[0]=1",
        "task.uid=0 ; set task.state[0]=2",
        "task.uid=0 ; set task.state[1]=1",
        "; set task.state[0]=1",
        "exec.realpath=@BOTH",
        "exec.realpath=\"@BOTH\"",
        "exec.realpath!=\"@BOTH\"",
        "symlink.target=\"@BOTH\"",
        "exec.argv[0]=\"@BOTH\"",
        "exec.argv[1]=\"@BOTH\"",
        "exec.envp[\"A\"]=\"@BOTH\"",
        "exec.envp[\"A\"]=\"NULL\"",
        "exec.envp[\"A\"]=NULL",
        "exec.envp[\"B\"]=NULL",
        "path1.uid=0",
        "path1.parent.uid=0",
        "path2.uid=0",
    ];
    for (i, first) in all.iter().enumerate() {
        for (j, second) in all.iter().enumerate() {
            let (a, b) = (store(&policy, first).unwrap(), store(&policy, second).unwrap());
            assert_eq!(a == b, i == j, "{first} and {second}");
            assert_eq!(a.hash() == b.hash(), i == j, "hash of {first} and {second}");
        }
    }
    assert!(store(&policy, "task.uid=5-5").unwrap() == store(&policy, "task.uid=5").unwrap());
    let pair = ["; set task.state[0]=1 task.state[1]=2", "; set task.state[1]=02 task.state[0]=0x1"];
    let [a, b] = pair.map(|text| store(&policy, text).unwrap());
    assert!(a == b && a.hash() == b.hash());
}

#[test]
fn groups_are_looked_up_by_kind() {
    let policy = policy();
    let stored = store(&policy, r#"exec.realpath=@P task.uid=@N task.gid=@BOTH exec.realpath="@N""#).unwrap();
    let groups: std::vec::Vec<_> = stored.groups().collect();
    let expected = [(GroupKind::Path, "P"), (GroupKind::Number, "N"), (GroupKind::Number, "BOTH")];
    assert_eq!(groups.len(), expected.len());
    for ((kind, id), (expected_kind, name)) in groups.into_iter().zip(expected) {
        assert!(kind == expected_kind && policy.group_name(kind, id) == name.as_bytes());
    }
    // `N` is no path group, and `P` no number group.
    assert!(store(&policy, "task.uid=0 symlink.target=@N").is_none());
    assert!(store(&policy, "task.uid=@P").is_none());
    let line = parse("task.uid=@N").unwrap_or_else(|_| panic!());
    assert!(matches!(Condition::new(&line, &mut |_, _| Err(OutOfMemory)), Err(OutOfMemory)));
}

#[test]
fn size() {
    use core::mem::size_of;
    assert!(size_of::<Test>() <= 40 && size_of::<Value>() <= 16);
    let policy = policy();
    let bytes = |text: &str| store(&policy, text).unwrap().bytes();
    let (base, word) = (size_of::<Condition>(), size_of::<pattern::Pattern>());
    assert_eq!(bytes("; set task.state[0]=1"), base);
    assert_eq!(bytes("task.uid=@N"), base + size_of::<Test>());
    assert_eq!(bytes("task.uid=1-2"), base + size_of::<Test>() + size_of::<NumberRange>());
    assert_eq!(bytes("exec.argv[0]=\"abc\""), base + size_of::<Test>() + word + 3);
    assert_eq!(bytes("exec.envp[\"ab\"]=\"abc\""), base + size_of::<Test>() + 2 * word + 5);
    assert_eq!(bytes("exec.envp[\"ab\"]=NULL"), base + size_of::<Test>() + word + 2);
}

#[test]
fn the_tests_can_be_read() {
    let line = parse(r#"task.uid=@N exec.argv[7]!="x" exec.envp["A"]=NULL"#).unwrap_or_else(|_| panic!());
    let tests: std::vec::Vec<_> = line.tests().collect();
    assert!(tests[0].left == Operand::Keyword(Keyword::Task(TaskField::Uid)));
    assert!(tests[0].right == Operand::Group(b"N") && !tests[0].negated);
    assert!(tests[1].left == Operand::Argument(7) && tests[1].negated);
    assert!(tests[1].right == Operand::Word(b"x"));
    assert!(tests[2].left == Operand::Variable(b"A") && tests[2].right == Operand::Null);
    let policy = policy();
    let stored = store(&policy, "task.uid=1 symlink.target=@P").unwrap();
    let kinds: std::vec::Vec<_> = stored
        .tests()
        .map(|test| match test {
            Test::Value { left: Value::Keyword(_), right: Value::Number(_), .. } => "number",
            Test::Name { subject: Subject::SymlinkTarget, wanted: Wanted::Group(_), .. } => "target",
            _ => "other",
        })
        .map(ToOwned::to_owned)
        .collect();
    assert_eq!(kinds, ["number", "target"]);
}

/// A program with one long argument and one long variable.
struct Long(std::vec::Vec<u8>);

impl Arguments for Long {
    fn argc(&self) -> u64 {
        1
    }

    fn envc(&self) -> u64 {
        1
    }

    fn realpath(&self) -> Option<Name<'_>> {
        None
    }

    fn argv(&self, index: u64, visit: &mut dyn FnMut(Name<'_>)) -> bool {
        index == 0 && Name::new(&self.0).map(visit).is_some()
    }

    fn envp(&self, visit: &mut dyn FnMut(Name<'_>, Option<Name<'_>>)) {
        visit(name("V"), Name::new(&self.0));
    }
}

/// Reference 1.6: conditions see the beginning of a long string.
#[test]
fn long_strings() {
    let task = task();
    let program = Long(std::vec![b'a'; 5000]);
    let facts = Facts { exec: Some(&program), ..Facts::new(&task) };
    let seen = |length: usize| "a".repeat(length);
    for (test, expected) in [
        (std::format!("exec.argv[0]=\"{}\"", seen(4086)), true),
        (std::format!("exec.argv[0]=\"{}\"", seen(5000)), false),
        (std::format!("exec.envp[\"V\"]=\"{}\"", seen(4084)), true),
        (std::format!("exec.envp[\"V\"]=\"{}\"", seen(5000)), false),
        (std::format!("exec.envp[\"V\"]!=\"{}\"", seen(4084)), false),
    ] {
        assert_eq!(is_true(&test, &facts), expected, "{}", &test[..20]);
    }
}
