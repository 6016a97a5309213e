// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines of domain_policy: ACLs with conditions, over few numbers, groups and fields, so that requests meet them.

use sekisho_core::mem::OutOfMemory;
use sekisho_core::policy::Policy;
use sekisho_core::request::{Class, Operation, PathOp};

use crate::choices::Choices;
use crate::target::print;
use crate::word::{styled_word, wild_component, word, Style};

fn number(choices: &mut Choices<'_>, style: Style) -> String {
    if style == Style::Ranges && !choices.one_in(8) {
        let least = choices.below(60);
        return match choices.below(3) {
            0 => least.to_string(),
            1 => format!("{least}-{}", least + choices.below(4)),
            _ => format!("{least}-{}", least + choices.below(60)),
        };
    }
    match choices.below(6) {
        0 => choices.pick(&["@N", "@M"]).into(),
        1 => format!("{}-{}", choices.below(6), choices.below(9)),
        2 => format!("0{}", choices.below(8)),
        // As the flags of a mount, with and without the one that is ignored.
        3 => match choices.below(16) {
            flags @ 8.. => format!("0x{:x}", flags - 8 + 0x8000),
            flags => format!("0x{flags:x}"),
        },
        _ => choices.below(8).to_string(),
    }
}

fn test(choices: &mut Choices<'_>) -> String {
    const LEFT: [&str; 16] = [
        "task.uid",
        "task.gid",
        "task.state[0]",
        "task.type",
        "path1.uid",
        "path1.perm",
        "path1.type",
        "path1.parent.perm",
        "path2.uid",
        "path2.parent.ino",
        "exec.argc",
        "exec.envc",
        "setuid",
        "sticky",
        "file",
        "3",
    ];
    const RIGHT: [&str; 12] = [
        "0",
        "1",
        "2-4",
        "@N",
        "task.uid",
        "path1.uid",
        "path1.perm",
        "execute_handler",
        "setuid",
        "file",
        "0100000",
        "04000",
    ];
    let operator = if choices.one_in(3) { "!=" } else { "=" };
    match choices.below(8) {
        0 => format!("exec.argv[{}]{operator}\"{}\"", choices.below(3), wild_component(choices)),
        1 => format!(
            "exec.envp[\"{}\"]{operator}\"{}\"",
            choices.pick(&["A", "\\*", "B"]),
            wild_component(choices)
        ),
        2 => format!("exec.envp[\"{}\"]{operator}NULL", choices.pick(&["A", "\\a", "C"])),
        3 => format!(
            "{}{operator}{}",
            choices.pick(&["exec.realpath", "symlink.target"]),
            if choices.one_in(3) { "@P".into() } else { format!("\"{}\"", word(choices)) }
        ),
        _ => format!("{}{operator}{}", choices.pick(&LEFT), choices.pick(&RIGHT)),
    }
}

fn condition(choices: &mut Choices<'_>) -> String {
    let mut text = String::new();
    if choices.one_in(3) {
        text.push_str(&format!(" if {}", test(choices)));
        if choices.one_in(3) {
            text.push_str(&format!(" {}", test(choices)));
        }
    }
    if choices.one_in(12) {
        text.push_str(&format!(" ; set task.state[{}]={}", choices.below(3), choices.below(9)));
    }
    text
}

/// The words of a policy, and what its ACLs are about, to make requests that nearly match.
pub struct Words {
    /// All words with paths.
    pub list: Vec<String>,
    /// Operation and arguments of each ACL.
    pub asked: Vec<(Operation, Vec<String>)>,
    /// What they are like.
    pub style: Style,
}

impl Words {
    /// No words yet.
    pub fn new(choices: &mut Choices<'_>) -> Self {
        let style = choices.pick(&[
            Style::Mixed,
            Style::Mixed,
            Style::OnePath,
            Style::Crowded,
            Style::Deep,
            Style::Siblings,
            Style::Ranges,
        ]);
        Words { list: Vec::new(), asked: Vec::new(), style }
    }

    /// Those of a policy that was made elsewhere.
    ///
    /// # Errors
    /// Out of memory.
    pub fn of(policy: &Policy) -> Result<Self, OutOfMemory> {
        let mut words = Words { list: vec!["/a".to_owned()], asked: Vec::new(), style: Style::Mixed };
        for file in [b'e', b'd'] {
            let text = print(policy, file)?;
            for line in String::from_utf8_lossy(&text).lines() {
                words.take(line);
            }
        }
        Ok(words)
    }

    /// Takes the words of a line; what is behind ` if ` counts as words, too, if it looks like paths.
    fn take(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let is_path = |word: &&&str| word.starts_with('/') || word.starts_with("pipe:");
        self.list.extend(words.iter().filter(is_path).map(|word| (*word).to_owned()));
        // `allow_network` stands with its protocol and its operation.
        for len in [1, 3] {
            let Some((keyword, arguments)) = words.get(..len).zip(words.get(len..)) else {
                return;
            };
            if let Some(operation) = Operation::from_keyword(keyword.join(" ").as_bytes()) {
                self.asked.push((operation, arguments.iter().map(|word| (*word).to_owned()).collect()));
            }
        }
    }

    /// A path argument. Words come again, so that entries share them.
    fn path(&mut self, choices: &mut Choices<'_>) -> String {
        if choices.one_in(8) {
            return choices.pick(&["@P", "@Q"]).into();
        }
        if matches!(self.style, Style::OnePath | Style::Ranges) && !self.list.is_empty() && !choices.one_in(6)
        {
            return self.list[0].clone();
        }
        if choices.one_in(3) && !self.list.is_empty() {
            return self.list[choices.below(self.list.len() as u64) as usize].clone();
        }
        let word = styled_word(choices, self.style);
        self.list.push(word.clone());
        word
    }
}

/// An address or a range of addresses, of which many overlap.
pub fn address_range(choices: &mut Choices<'_>) -> String {
    let one = choices.below(10);
    match choices.below(5) {
        0 => format!("10.0.0.{one}"),
        1 => format!("1:0:0:0:0:0:0:{one}"),
        2 => format!("1:0:0:0:0:0:0:{one}-1:0:0:0:0:0:0:{:x}", one + choices.below(8)),
        _ => format!("10.0.0.{one}-10.0.0.{}", one + choices.below(6)),
    }
}

/// An ACL line; its words are added to `words`.
pub fn acl(choices: &mut Choices<'_>, words: &mut Words) -> String {
    let operations: Vec<Operation> = Operation::all()
        .filter(|op| !matches!(op.class(), Class::ExecuteHandler | Class::DeniedExecuteHandler))
        .collect();
    let style = words.style;
    let has_range =
        |op: &&Operation| matches!(op.class(), Class::PathNumber | Class::Device | Class::Network);
    let operation = if style == Style::Ranges && !choices.one_in(6) {
        choices.pick(&operations.iter().filter(has_range).copied().collect::<Vec<_>>())
    } else if choices.one_in(3) {
        choices.pick(&operations)
    } else {
        Operation::Path(choices.pick(&[PathOp::Read, PathOp::Write, PathOp::ReadWrite, PathOp::Execute]))
    };
    let mut line = String::from_utf8(operation.keyword().to_vec()).unwrap();
    let mut arguments = Vec::new();
    let mut add = |word: String| {
        line.push(' ');
        line.push_str(&word);
        arguments.push(word);
    };
    match operation.class() {
        Class::Path => add(words.path(choices)),
        Class::Path2 => (0..2).for_each(|_| add(words.path(choices))),
        Class::PathNumber => {
            add(words.path(choices));
            add(number(choices, style));
        }
        Class::Device => {
            add(words.path(choices));
            (0..3).for_each(|_| add(number(choices, style)));
        }
        Class::Network => {
            add(match choices.below(4) {
                0 => "@A".into(),
                1 => "@B".into(),
                _ => address_range(choices),
            });
            add(number(choices, style));
        }
        Class::Mount => {
            (0..2).for_each(|_| add(words.path(choices)));
            add(choices.pick(&["ext3", "--bind", "\\A\\$"]).into());
            add(number(choices, style));
        }
        Class::Env => add(choices.pick(&["PATH", "LC_\\*", "\\A"]).into()),
        Class::Capability => add(choices.pick(&["SYS_TIME", "SYS_NICE"]).into()),
        _ => {
            add(choices.below(4).to_string());
            add(choices.pick(&["<kernel>", "<kernel> /a", "<kernel> /a /b"]).into());
        }
    }
    words.asked.push((operation, arguments));
    line + &condition(choices)
}
