// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a console says about the health of the kernel that writes it.

/// Text that only a broken kernel prints.
const BROKEN: [&str; 7] = [
    "Kernel panic",
    "BUG:",
    "Oops",
    "WARNING:",
    "Internal error:",
    "Unable to handle kernel",
    "possible recursive locking",
];

/// Title of a report of the data race detector (Linux kernel/kcsan/report.c).
const RACE: &str = "BUG: KCSAN";

/// Functions whose races are mainline's also when Sekisho calls them, by any of their names in a report.
///
/// The clock's `ktime_get_real_seconds` and `ktime_get_mono_fast_ns` read without a lock, on purpose (Linux
/// kernel/time/timekeeping.c). `sekisho_nofs_enter` and `_leave` are memalloc_nofs_save() and its opposite, which change the
/// task's own flags, and interrupts look at those (Linux include/linux/sched/mm.h).
const KNOWN_RACES: [&str; 3] = ["ktime_get_real_seconds", "ktime_get_mono_fast_ns", "sekisho_nofs_"];

/// How Sekisho's own message about a denied access begins (kmod/lsm/files.c).
const VERBOSE: &str = "sekisho: WARNING:";

/// Reads a console line by line.
#[derive(Default)]
pub struct Health {
    /// The first line that only a broken kernel prints.
    pub broken: Option<String>,
    /// The report of a data race that is being printed.
    report: Option<Report>,
    /// Titles of the data races with Sekisho on a stack.
    races: Vec<String>,
    /// Number of the other data races: mainline has some of its own.
    pub foreign_races: usize,
}

struct Report {
    title: String,
    /// The first line of a stack that is Sekisho's.
    own: Option<String>,
    known: bool,
}

impl Health {
    /// A data race is reported from its title to a line of `=`; the lines of its stacks begin with a blank.
    pub fn read(&mut self, line: &str) {
        let text = line.split_once("] ").map_or(line, |(_, text)| text);
        if text.contains(RACE) {
            self.end_report();
            self.report = Some(Report { title: text.to_owned(), own: None, known: false });
        }
        let Some(report) = &mut self.report else {
            if !text.contains(VERBOSE) && BROKEN.iter().any(|broken| text.contains(broken)) {
                self.broken.get_or_insert_with(|| line.to_owned());
            }
            return;
        };
        if text.starts_with("=====") {
            self.end_report();
        } else if text.starts_with(' ') || text.contains(RACE) {
            report.known |= KNOWN_RACES.iter().any(|known| text.contains(known));
            if text.contains("sekisho") {
                report.own.get_or_insert_with(|| text.trim().to_owned());
            }
        }
    }

    fn end_report(&mut self) {
        match self.report.take() {
            Some(Report { title, own: Some(own), known: false }) => {
                self.races.push(format!("{title}: {own}"))
            }
            Some(_) => self.foreign_races += 1,
            None => {}
        }
    }

    /// What is wrong with the kernel, if anything is; at the end of the console.
    pub fn trouble(&mut self) -> Option<String> {
        self.end_report();
        let races = (!self.races.is_empty()).then(|| self.races.join("\n"));
        self.broken.take().or(races)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(console: &str) -> (Option<String>, usize) {
        let mut health = Health::default();
        console.lines().for_each(|line| health.read(line));
        (health.trouble(), health.foreign_races)
    }

    const TITLE: &str = "[    1.5] BUG: KCSAN: data-race in a / b\n";

    #[test]
    fn broken_kernels() {
        let line = "[    1.5] BUG: sleeping function called";
        assert_eq!(read(line), (Some(line.into()), 0));
        assert_eq!(read("[    1.5] sekisho: WARNING: Access read /tmp/w/file denied for /tmp/x"), (None, 0));
        assert_eq!(read(&format!("{TITLE}=====\nWARNING: CPU: 0")), (Some("WARNING: CPU: 0".into()), 1));
    }

    #[test]
    fn races() {
        let comm = "[    1.5] CPU: 0 UID: 0 PID: 1 Comm: sekisho-init\n[    1.5] =====\nok 1 - sekisho";
        assert_eq!(read(&format!("{TITLE}[    1.5]  a+0x1\n{comm}")), (None, 1));
        let own = "[    1.5]  sekisho_path_name+0x1\n";
        let trouble = "BUG: KCSAN: data-race in a / b: sekisho_path_name+0x1".to_owned();
        assert_eq!(read(&format!("{TITLE}{own}{comm}")), (Some(trouble.clone()), 0));
        assert_eq!(
            read(&format!("{TITLE}{own}{comm}\n{TITLE}{own}")),
            (Some(format!("{trouble}\n{trouble}")), 0)
        );
        assert_eq!(read(&format!("{TITLE}[    1.5]  ktime_get_real_seconds+0x1\n{own}{comm}")), (None, 1));
        assert!(read("BUG: KCSAN: data-race in sekisho_free / b").0.is_some());
    }
}
