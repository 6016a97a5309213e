// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask mutants [CRATE]`: whether the tests notice when the code is wrong.
//!
//! cargo-mutants changes the code in one small place after the other (an operator, a condition, the result of a function) and
//! runs the host tests that are to notice. A sample is drawn with a seed, so a run can be repeated; below the share of a crate
//! ([`Subject::least_percent`]) the verb fails and names what survived.
//!
//! Some mutants do the same as the code does. `tests/mutants/equivalent.toml` names these, each with the reason; they do not
//! count. A name that fits no mutant any more is an error, so the file cannot outlive the code.
//!
//! Not a part of `ci/test`: each mutant is a build and a run of tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{bail, ensure, Context, Result};
use serde::Deserialize;

use crate::{cache, tools};

/// The file with the mutants that do not count.
const EQUIVALENT: &str = "tests/mutants/equivalent.toml";

/// A crate whose tests are examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Subject {
    /// The policy core.
    #[value(name = "sekisho-core", alias = "core")]
    Core,
    /// The installer hook for apps.
    #[value(name = "sekisho-uid-resolver", alias = "uid-resolver")]
    UidResolver,
    /// The loader at boot.
    #[value(name = "sekisho-init", aliases = ["init", "android-init"])]
    Init,
    /// The command line.
    #[value(name = "sekisho", alias = "tools")]
    Tools,
    /// The files of the kernel module that need no kernel.
    #[value(name = "sekisho-glue", alias = "glue")]
    Glue,
}

impl Subject {
    const ALL: [Subject; 5] =
        [Subject::Tools, Subject::Init, Subject::Glue, Subject::UidResolver, Subject::Core];

    fn package(self) -> &'static str {
        match self {
            Subject::Core => "sekisho-core",
            Subject::UidResolver => "sekisho-uid-resolver",
            Subject::Init => "sekisho-init",
            Subject::Tools => "sekisho",
            Subject::Glue => "sekisho-glue",
        }
    }

    /// The packages whose tests are to notice.
    fn tested_by(self) -> &'static str {
        match self {
            Subject::Core => "sekisho-core,sekisho-corpus",
            other => other.package(),
        }
    }

    /// Where its code is: the rest of what is compiled is a part of the tests.
    fn folder(self) -> &'static str {
        match self {
            Subject::Core => "kmod/core/",
            Subject::UidResolver => "uid-resolver/",
            Subject::Init => "android-init/",
            Subject::Tools => "tools/",
            Subject::Glue => "kmod/lsm/",
        }
    }

    /// The least share of mutants that a test has to notice.
    fn least_percent(self) -> usize {
        match self {
            Subject::Core => 95,
            _ => 90,
        }
    }
}

/// Which mutants are tried.
#[derive(Clone, Copy)]
pub enum Choice {
    /// All.
    All,
    /// So many, drawn with a seed.
    Sample {
        /// How many.
        count: usize,
        /// Where the pseudo-random sequence begins.
        seed: u64,
    },
}

/// A mutant, as cargo-mutants lists it.
#[derive(Clone, Deserialize)]
struct Mutant {
    /// `file:line:column: change`.
    name: String,
    file: String,
    span: Span,
}

#[derive(Clone, Deserialize)]
struct Span {
    start: Position,
}

#[derive(Clone, Deserialize)]
struct Position {
    line: usize,
}

impl Mutant {
    /// What is changed, without its place: `replace > with >= in f`.
    fn change(&self) -> &str {
        self.name.splitn(4, ':').nth(3).unwrap_or_default().trim_start()
    }

    /// The source line at which the change begins, without blanks around it.
    fn line(&self, root: &Path) -> Result<String> {
        let path = root.join(&self.file);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let line = text.lines().nth(self.span.start.line.saturating_sub(1));
        Ok(line.unwrap_or_default().trim().to_owned())
    }
}

#[derive(Deserialize)]
struct Data {
    equivalent: Vec<Equivalent>,
}

/// All mutants that change this line of this file so. Places are not numbers, which every edit would move.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Equivalent {
    file: String,
    change: String,
    line: String,
    reason: String,
}

/// What came of the mutants of one crate.
struct Score {
    subject: Subject,
    killed: usize,
    survivors: Vec<String>,
    unviable: usize,
    seconds: u64,
}

impl Score {
    fn counted(&self) -> usize {
        self.killed + self.survivors.len()
    }

    fn is_enough(&self) -> bool {
        self.killed * 100 >= self.counted() * self.subject.least_percent()
    }
}

/// Tries the mutants of one crate, or of all.
pub fn run(subject: Option<Subject>, choice: Choice) -> Result<()> {
    let data = fs::read_to_string(cache::root_of_project().join(EQUIVALENT));
    let data: Data = toml::from_str(&data.with_context(|| format!("cannot read {EQUIVALENT}"))?)?;
    let subjects = subject.as_ref().map_or(&Subject::ALL[..], std::slice::from_ref);
    let mut scores = Vec::new();
    for subject in subjects {
        scores.push(examine(*subject, choice, &data.equivalent)?);
    }
    println!();
    for score in &scores {
        println!(
            "{:20} {} of {} killed ({} %, needed {} %), {} did not compile, {} s",
            score.subject.package(),
            score.killed,
            score.counted(),
            score.killed * 100 / score.counted().max(1),
            score.subject.least_percent(),
            score.unviable,
            score.seconds
        );
        score.survivors.iter().for_each(|name| println!("    survived: {name}"));
    }
    let poor = scores.iter().filter(|score| !score.is_enough()).count();
    ensure!(
        poor == 0,
        "too many mutants survived in {poor} of {} crates; write the missing tests, or name what changes nothing in {EQUIVALENT}",
        scores.len()
    );
    Ok(())
}

fn examine(subject: Subject, choice: Choice, equivalent: &[Equivalent]) -> Result<Score> {
    let package = subject.package();
    let list = cache::run_quietly(&mut command(&["--list", "--json", "--package", package])?)?;
    let mut mutants: Vec<Mutant> =
        serde_json::from_str(&list).context("cargo-mutants lists something else")?;
    mutants.iter_mut().for_each(|mutant| mutant.file = resolved(&mutant.file));
    mutants.retain(|mutant| mutant.file.starts_with(subject.folder()));
    let total = mutants.len();
    let counted = without(mutants, equivalent, &cache::root_of_project())?;
    let chosen = match choice {
        Choice::All => counted.clone(),
        Choice::Sample { count, seed } => sample(counted.clone(), count, seed),
    };
    println!(
        "{package}: {total} mutants, {} of them equivalent, {} are tried",
        total - counted.len(),
        chosen.len()
    );
    let start = Instant::now();
    mirror(&cache::root_of_project(), &copy()?)?;
    let (killed, survivors, unviable) = attempt(subject, &chosen)?;
    Ok(Score { subject, killed, survivors, unviable, seconds: start.elapsed().as_secs() })
}

/// A path without `..`.
fn resolved(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

/// The mutants that no entry names. Entries about files of these mutants have to name at least one.
fn without(mutants: Vec<Mutant>, equivalent: &[Equivalent], root: &Path) -> Result<Vec<Mutant>> {
    let files: BTreeSet<String> = mutants.iter().map(|mutant| mutant.file.clone()).collect();
    let mut used = BTreeSet::new();
    let mut rest = Vec::new();
    for mutant in mutants {
        let line = mutant.line(root)?;
        let named = equivalent.iter().position(|entry| {
            entry.file == mutant.file && entry.change == mutant.change() && entry.line == line
        });
        match named {
            Some(index) => drop(used.insert(index)),
            None => rest.push(mutant),
        }
    }
    let stale = equivalent.iter().enumerate().filter(|(index, entry)| {
        !used.contains(index) && (files.contains(&entry.file) || !root.join(&entry.file).exists())
    });
    let stale: Vec<String> =
        stale.map(|(_, entry)| format!("{}: {}: {}", entry.file, entry.change, entry.line)).collect();
    ensure!(
        stale.is_empty(),
        "{EQUIVALENT} names mutants that there are not (any more):\n{}",
        stale.join("\n")
    );
    ensure!(
        equivalent.iter().all(|entry| !entry.reason.trim().is_empty()),
        "{EQUIVALENT} has an entry without a reason"
    );
    Ok(rest)
}

/// `count` of them, the same ones for the same seed and the same code.
fn sample(mut mutants: Vec<Mutant>, count: usize, seed: u64) -> Vec<Mutant> {
    let mut state = seed;
    // SplitMix64: each step is a draw from all that is left.
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let mut chosen = Vec::new();
    while chosen.len() < count && !mutants.is_empty() {
        let at = next() % mutants.len() as u64;
        chosen.push(mutants.swap_remove(usize::try_from(at).unwrap_or(0)));
    }
    chosen
}

/// Builds and tests each mutant. Returns the number of those that a test noticed, the names of those that none did, and the
/// number of those that do not compile.
fn attempt(subject: Subject, mutants: &[Mutant]) -> Result<(usize, Vec<String>, usize)> {
    let output = cache::dir("mutants")?.join(subject.package());
    drop(fs::remove_dir_all(&output));
    fs::create_dir_all(&output)?;
    let config = output.join("mutants.toml");
    fs::write(&config, config_text(mutants))?;
    let mut command = command(&["--package", subject.package(), "--test-package", subject.tested_by()])?;
    command
        // A mutant that runs for ever is noticed too; a slow machine is no mutant.
        .args(["--minimum-test-timeout", "60", "--timeout-multiplier", "4"])
        .args(["--in-place", "--no-times", "--config"])
        .arg(&config)
        .arg("--output")
        .arg(&output);
    let status = command.current_dir(copy()?).status().context("cannot start cargo; run ci/setup")?;
    let outcomes = output.join("mutants.out/outcomes.json");
    let text = fs::read_to_string(&outcomes)
        .with_context(|| format!("cargo-mutants ended ({status}) without {}", outcomes.display()))?;
    let outcomes: Outcomes = serde_json::from_str(&text).context("cargo-mutants reports something else")?;
    let (mut killed, mut survivors, mut unviable) = (0, Vec::new(), 0);
    for outcome in outcomes.outcomes {
        match (outcome.scenario, outcome.summary.as_str()) {
            (Scenario::Mutant(_), "CaughtMutant" | "Timeout") => killed += 1,
            (Scenario::Mutant(mutant), "MissedMutant") => survivors.push(mutant.name),
            (Scenario::Mutant(_), "Unviable") => unviable += 1,
            (Scenario::Baseline, "Success") => {}
            (Scenario::Baseline, _) => {
                bail!("the tests fail without any change; the reason is in {}", output.display())
            }
            (Scenario::Mutant(mutant), other) => bail!("{}: {other}", mutant.name),
        }
    }
    let seen = killed + survivors.len() + unviable;
    ensure!(seen == mutants.len(), "{seen} of {} mutants were tried ({status})", mutants.len());
    Ok((killed, survivors, unviable))
}

#[derive(Deserialize)]
struct Outcomes {
    outcomes: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    scenario: Scenario,
    summary: String,
}

#[derive(Deserialize)]
enum Scenario {
    Baseline,
    Mutant(Mutant),
}

/// cargo-mutants' configuration: these mutants, each by its whole name.
fn config_text(mutants: &[Mutant]) -> String {
    let names = mutants.iter().map(|mutant| format!("    '''^{}$''',\n", escaped(&mutant.name)));
    format!("examine_re = [\n{}]\n", names.collect::<String>())
}

/// A regular expression that matches the text and nothing else.
fn escaped(text: &str) -> String {
    let mut expression = String::new();
    for character in text.chars() {
        if "\\.+*?()|[]{}^$#&-~".contains(character) {
            expression.push('\\');
        }
        expression.push(character);
    }
    expression
}

/// Where the checkout is copied to and changed; always the same place, so that what was built for it is still good.
fn copy() -> Result<PathBuf> {
    cache::dir("mutants/copy")
}

/// Makes `to` the same as `from`. What is the same already is left alone: cargo goes by the times of files.
fn mirror(from: &Path, to: &Path) -> Result<()> {
    // Git's own files are no source.
    let below = |root: &Path| -> Result<BTreeSet<PathBuf>> {
        let files = cache::files_below(root)?;
        let names = files.iter().filter_map(|file| file.strip_prefix(root).ok());
        Ok(names.filter(|name| !name.starts_with(".git")).map(Path::to_path_buf).collect())
    };
    let wanted = below(from)?;
    for gone in below(to)?.difference(&wanted) {
        fs::remove_file(to.join(gone))?;
    }
    for name in &wanted {
        let (source, target) = (from.join(name), to.join(name));
        let text = fs::read(&source).with_context(|| format!("cannot read {}", source.display()))?;
        if fs::read(&target).ok().as_ref() != Some(&text) {
            fs::create_dir_all(target.parent().unwrap_or(to))?;
            fs::copy(&source, &target).with_context(|| format!("cannot write {}", target.display()))?;
        }
    }
    Ok(())
}

/// `cargo mutants` with Debian's compiler, with a folder of its own for what is built.
fn command(arguments: &[&str]) -> Result<Command> {
    let folder = tools::cargo_mutants()?;
    let path = format!("{}:/usr/bin:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("/usr/bin/cargo");
    command
        .arg("mutants")
        .args(arguments)
        .current_dir(cache::root_of_project())
        .env("PATH", path)
        .env("CARGO", "/usr/bin/cargo")
        .env("RUSTC", tools::RUSTC)
        .env("CARGO_TARGET_DIR", cache::dir("target/mutants")?)
        // Symbols are half of the time of a build, and a mutant that needs many random cases has no test of its own.
        .env("CARGO_PROFILE_DEV_DEBUG", "none")
        .env("PROPTEST_CASES", "64")
        .env("SEKISHO_DIFFERENTIAL_COUNT", "20000");
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutants(count: usize) -> Vec<Mutant> {
        let mutant = |number| Mutant {
            name: format!("src/a.rs:{number}:1: replace > with >= in f"),
            file: "src/a.rs".to_owned(),
            span: Span { start: Position { line: number } },
        };
        (1..=count).map(mutant).collect()
    }

    fn names(mutants: &[Mutant]) -> Vec<&str> {
        mutants.iter().map(|mutant| mutant.name.as_str()).collect()
    }

    #[test]
    fn a_sample_is_the_same_for_the_same_seed_and_has_nothing_twice() {
        let (one, again, other) =
            (sample(mutants(50), 20, 1), sample(mutants(50), 20, 1), sample(mutants(50), 20, 2));
        assert_eq!(names(&one), names(&again));
        assert_ne!(names(&one), names(&other));
        assert_eq!(names(&one).into_iter().collect::<BTreeSet<_>>().len(), 20);
        assert_eq!(sample(mutants(3), 20, 1).len(), 3);
    }

    #[test]
    fn equivalent_mutants_are_left_out_by_their_line_and_stale_entries_are_told() {
        let root = std::env::temp_dir().join(format!("sekisho-mutants-{}", std::process::id()));
        fs::create_dir_all(root.join("src")).unwrap();
        fs::write(root.join("src/a.rs"), "if a > 1 {\n    if b > 2 {\nif a > 1 {\n").unwrap();
        let entry = |file: &str, line: &str| Equivalent {
            file: file.to_owned(),
            change: "replace > with >= in f".to_owned(),
            line: line.to_owned(),
            reason: "because".to_owned(),
        };
        let left = |entries: &[Equivalent]| without(mutants(3), entries, &root).map(|left| left.len());
        assert_eq!(left(&[]).unwrap(), 3);
        assert_eq!(left(&[entry("src/a.rs", "if a > 1 {")]).unwrap(), 1);
        assert_eq!(left(&[entry("src/a.rs", "if b > 2 {")]).unwrap(), 2);
        for (file, line) in [("src/a.rs", "if c > 2 {"), ("src/gone.rs", "if a > 1 {")] {
            assert!(left(&[entry(file, line)]).unwrap_err().to_string().contains(line));
        }
        assert!(left(&[Equivalent { reason: " ".to_owned(), ..entry("src/a.rs", "if b > 2 {") }]).is_err());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn files_of_other_folders_are_called_by_their_place() {
        assert_eq!(resolved("tests/glue/src/../../../kmod/lsm/log.rs"), "kmod/lsm/log.rs");
        assert_eq!(resolved("tools/src/main.rs"), "tools/src/main.rs");
    }

    #[test]
    fn a_mirror_has_what_its_source_has_and_leaves_alone_what_is_the_same() {
        let root = std::env::temp_dir().join(format!("sekisho-mirror-{}", std::process::id()));
        let (from, to) = (root.join("from"), root.join("to"));
        for (name, text) in
            [("from/a", "a"), ("from/b/c", "new"), ("from/.git/x", "x"), ("to/b/c", "old"), ("to/b/d", "d")]
        {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        mirror(&from, &to).unwrap();
        let time = || fs::metadata(to.join("b/c")).unwrap().modified().unwrap();
        let before = time();
        mirror(&from, &to).unwrap();
        assert_eq!(time(), before);
        let names: Vec<PathBuf> = cache::files_below(&to).unwrap();
        assert_eq!(names, [to.join("a"), to.join("b/c")]);
        assert_eq!(fs::read_to_string(to.join("b/c")).unwrap(), "new");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn names_are_expressions_that_match_themselves() {
        assert_eq!(
            escaped("a.rs:1:2: replace || with && in <T as U<'_>>::f"),
            "a\\.rs:1:2: replace \\|\\| with \\&\\& in <T as U<'_>>::f"
        );
        let text = config_text(&mutants(1));
        let config: toml::Value = toml::from_str(&text).unwrap();
        let expression = config["examine_re"][0].as_str().unwrap();
        assert_eq!(expression, "^src/a\\.rs:1:1: replace > with >= in f$");
    }
}
