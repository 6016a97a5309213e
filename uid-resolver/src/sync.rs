// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sweep: makes kernel and state agree with the list of packages.
//!
//! A sweep first looks (list, state, APKs), then takes out, then puts in. UIDs are given out again, so everything that
//! leaves has left before the first addition (Android reference 2.3, rule R10); if something cannot be taken out, the
//! sweep ends there. A package is refused alone: the others go on.
//!
//! What an APK said is remembered for as long as the program runs and the file stays the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::apk::Apk;
use crate::app_dir::{AppDir, Stamp};
use crate::error::{Error, Refusal};
use crate::fragment::Fragment;
use crate::install::{Installed, Outcome};
use crate::journal::{Event, Journal};
use crate::kernel::PolicyPort;
use crate::loader::Loader;
use crate::package::{AppUid, PackageName};
use crate::packages_list::{ListError, NoUid, PackagesList};
use crate::state::Store;

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Config {
    /// The domain in which apps run, such as `<kernel> /system/bin/app_process`.
    pub domain: String,
    /// The state directory.
    pub state_dir: PathBuf,
    /// The package manager's list.
    pub packages_list: PathBuf,
    /// The package manager's directory of apps.
    pub app_dir: PathBuf,
}

/// The resolver: a configuration, a kernel, and what it remembers.
#[derive(Debug)]
pub struct Resolver<P> {
    config: Config,
    port: P,
    seen: BTreeMap<PackageName, (Stamp, Seen)>,
    said: BTreeMap<PackageName, Event>,
    noted: Vec<String>,
}

/// What an APK said when it was opened.
#[derive(Clone, Debug)]
enum Seen {
    NoFragment,
    Taken,
    Refused(String),
}

/// What an APK says.
enum Verdict {
    NoFragment,
    /// As last time, or it cannot be found or read now: what is installed stays.
    Unchanged,
    Fragment(Fragment),
    Refused(String),
}

/// What a sweep is going to do.
#[derive(Default)]
struct Plan {
    remove: Vec<(PackageName, String)>,
    refuse: Vec<(PackageName, String)>,
    doubt: Vec<(PackageName, NoUid)>,
    install: Vec<(Fragment, AppUid)>,
}

impl<P: PolicyPort> Resolver<P> {
    /// Nothing is read or written yet.
    pub fn new(config: Config, port: P) -> Resolver<P> {
        Resolver { config, port, seen: BTreeMap::new(), said: BTreeMap::new(), noted: Vec::new() }
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The kernel.
    pub fn port(&self) -> &P {
        &self.port
    }

    /// One sweep. A list that is empty or cut off is noted and changes nothing.
    ///
    /// # Errors
    /// The list cannot be read, or kernel or disk fail. What was not done is done by the next sweep.
    pub fn sync(&mut self, journal: &mut dyn Journal) -> Result<(), Error> {
        // The lock first: a list read while another sweep is at work may be older than what that one did.
        let store = Store::open(&self.config.state_dir)?;
        let list = match PackagesList::read(&self.config.packages_list) {
            Ok(list) => list,
            Err(error @ ListError::Io { .. }) => return Err(error.into()),
            Err(ignored) => {
                journal.record(Event::Note(ignored.to_string()));
                return Ok(());
            }
        };
        self.note_malformed(&list, journal);
        let apps = AppDir::scan(&self.config.app_dir).unwrap_or_else(|error| {
            journal.record(Event::Note(format!("cannot read {}: {error}", self.config.app_dir.display())));
            AppDir::default()
        });
        let Resolver { config, port, seen, said, .. } = self;
        let mut memory = Memory { seen, said, journal };
        let mut installed = Installed::open(store, Loader::new(port, &config.domain), memory.journal)?;
        let plan = memory.plan(&list, &apps, &installed);
        memory.take_out(&plan, &list, &mut installed)?;
        memory.put_in(&plan, &mut installed)
    }

    /// Installs the fragment of one APK, after everything that the list no longer has is gone.
    ///
    /// Returns whether the package has what its APK asks for, which may be nothing. A refusal changes nothing.
    ///
    /// # Errors
    /// As for [`Resolver::sync`]; a list that is empty or cut off is an error here.
    pub fn install(&mut self, apk: &Path, journal: &mut dyn Journal) -> Result<bool, Error> {
        let store = Store::open(&self.config.state_dir)?;
        let list = PackagesList::read(&self.config.packages_list)?;
        let (package, fragment) = match examine(apk) {
            Ok(found) => found,
            Err(refusal) => {
                journal.record(Event::Note(format!("refuse {}: {refusal}", apk.display())));
                return Ok(false);
            }
        };
        let mut installed = Installed::open(store, Loader::new(&self.port, &self.config.domain), journal)?;
        // What another package lost may be what this one gets: out before in, as in a sweep.
        for (name, fragment) in installed.fragments().clone() {
            match list.get(&name) {
                Some(Ok(uid)) => installed.retire(&fragment, *uid)?,
                Some(Err(_)) => drop(installed.hold(&name, &list)?),
                None if list.is_doubtful() => drop(installed.hold(&name, &list)?),
                None => {
                    installed.remove(&name)?;
                    journal.record(Event::Remove { package: name, reason: "no longer installed".to_owned() });
                }
            }
        }
        let refuse =
            |refusal: Refusal| Event::Refuse { package: package.clone(), reason: refusal.to_string() };
        let fragment = match fragment {
            Ok(fragment) => fragment,
            Err(refusal) => {
                journal.record(refuse(refusal));
                return Ok(false);
            }
        };
        let uid = match list.get(&package) {
            Some(Ok(uid)) => *uid,
            Some(Err(no_uid)) => {
                journal.record(refuse(no_uid.clone().into()));
                return Ok(false);
            }
            None => {
                journal.record(refuse(Refusal::NotInstalled));
                return Ok(false);
            }
        };
        let Some(fragment) = fragment else {
            if installed.remove(&package)? {
                journal.record(Event::Remove { package, reason: NO_LONGER.to_owned() });
            } else {
                journal.record(Event::Note(format!("{package} has no fragment, nothing to do")));
            }
            return Ok(true);
        };
        let event = match installed.install(&fragment, uid)? {
            Outcome::Loaded | Outcome::Unchanged => accept(&fragment, uid),
            Outcome::Refused(refusal) => refuse(refusal),
        };
        let accepted = matches!(event, Event::Accept { .. });
        journal.record(event);
        Ok(accepted)
    }

    /// Takes one package's fragment out of kernel and state.
    pub fn remove(&mut self, package: &PackageName, journal: &mut dyn Journal) -> Result<bool, Error> {
        let store = Store::open(&self.config.state_dir)?;
        let mut installed = Installed::open(store, Loader::new(&self.port, &self.config.domain), journal)?;
        let removed = installed.remove(package)?;
        if removed {
            journal.record(Event::Remove { package: package.clone(), reason: "as asked".to_owned() });
        }
        Ok(removed)
    }

    /// The installed fragments.
    pub fn fragments(&self, journal: &mut dyn Journal) -> Result<BTreeMap<PackageName, Fragment>, Error> {
        let store = Store::open(&self.config.state_dir)?;
        let installed = Installed::open(store, Loader::new(&self.port, &self.config.domain), journal)?;
        Ok(installed.fragments().clone())
    }

    /// Says each thing once, not at each sweep.
    fn note_malformed(&mut self, list: &PackagesList, journal: &mut dyn Journal) {
        let notes = list
            .malformed()
            .iter()
            .map(|bad| format!("packages.list line {}: {}, ignored", bad.line, bad.reason));
        let notes: Vec<String> = notes.collect();
        for note in notes.iter().filter(|note| !self.noted.contains(note)) {
            journal.record(Event::Note(note.clone()));
        }
        self.noted = notes;
    }
}

const NO_LONGER: &str = "its APK no longer has a fragment";

/// The part of the resolver that a sweep changes.
struct Memory<'a> {
    seen: &'a mut BTreeMap<PackageName, (Stamp, Seen)>,
    said: &'a mut BTreeMap<PackageName, Event>,
    journal: &'a mut dyn Journal,
}

impl Memory<'_> {
    fn plan<P: PolicyPort>(
        &mut self,
        list: &PackagesList,
        apps: &AppDir,
        installed: &Installed<'_, P>,
    ) -> Plan {
        let mut plan = Plan::default();
        self.seen.retain(|package, _| list.get(package).is_some());
        for (package, old) in installed.fragments() {
            match list.get(package) {
                None if list.is_doubtful() => plan.doubt.push((package.clone(), NoUid::Unreadable)),
                None => plan.remove.push((package.clone(), "no longer installed".to_owned())),
                Some(Err(no_uid)) => plan.doubt.push((package.clone(), no_uid.clone())),
                Some(Ok(uid)) => match self.verdict(apps, package, true) {
                    Verdict::Unchanged => plan.install.push((old.clone(), *uid)),
                    Verdict::Fragment(new) => plan.install.push((new, *uid)),
                    Verdict::NoFragment => plan.remove.push((package.clone(), NO_LONGER.to_owned())),
                    Verdict::Refused(reason) => {
                        plan.remove.push((package.clone(), "its new version is refused".to_owned()));
                        plan.refuse.push((package.clone(), reason));
                    }
                },
            }
        }
        // The owners of groups come first: a newcomer that declares one of theirs meets them in the state.
        let newcomers = list.iter().filter(|(package, _)| !installed.fragments().contains_key(package));
        for (package, uid) in newcomers {
            match (self.verdict(apps, package, false), uid) {
                (Verdict::Fragment(fragment), Ok(uid)) => plan.install.push((fragment, *uid)),
                (Verdict::Fragment(_), Err(no_uid)) => {
                    plan.refuse.push((package.clone(), no_uid.to_string()))
                }
                (Verdict::Refused(reason), _) => plan.refuse.push((package.clone(), reason)),
                (Verdict::NoFragment | Verdict::Unchanged, _) => {}
            }
        }
        plan
    }

    fn take_out<P: PolicyPort>(
        &mut self,
        plan: &Plan,
        list: &PackagesList,
        installed: &mut Installed<'_, P>,
    ) -> Result<(), Error> {
        for (package, reason) in &plan.remove {
            if installed.remove(package)? {
                self.say(Event::Remove { package: package.clone(), reason: reason.clone() });
            }
        }
        for (package, no_uid) in &plan.doubt {
            let (package, reason) = (package.clone(), no_uid.to_string());
            let event = match installed.hold(&package, list)? {
                Some(uid) => Event::Keep { package, uid, reason },
                None => Event::Suspend { package, reason },
            };
            self.say(event);
        }
        for (fragment, uid) in &plan.install {
            installed.retire(fragment, *uid)?;
        }
        Ok(())
    }

    fn put_in<P: PolicyPort>(&mut self, plan: &Plan, installed: &mut Installed<'_, P>) -> Result<(), Error> {
        for (package, reason) in &plan.refuse {
            self.say(Event::Refuse { package: package.clone(), reason: reason.clone() });
        }
        let mut first_failure = Ok(());
        for (fragment, uid) in &plan.install {
            let package = fragment.package();
            match installed.install(fragment, *uid) {
                Ok(Outcome::Loaded) => {
                    self.said.remove(package);
                    self.say(accept(fragment, *uid));
                }
                Ok(Outcome::Unchanged) => {}
                Ok(Outcome::Refused(refusal)) => {
                    // The group's owner may go away, so the APK is opened again next time.
                    self.seen.remove(package);
                    self.say(Event::Refuse { package: package.clone(), reason: refusal.to_string() });
                }
                Err(failure) => {
                    self.seen.remove(package);
                    self.say(Event::Refuse { package: package.clone(), reason: failure.to_string() });
                    first_failure = first_failure.and(Err(failure));
                }
            }
        }
        first_failure
    }

    /// The same news about a package twice in a row is no news.
    fn say(&mut self, event: Event) {
        let Some(package) = event.package().cloned() else { return };
        if self.said.get(&package) != Some(&event) {
            self.said.insert(package, event.clone());
            self.journal.record(event);
        }
    }

    fn verdict(&mut self, apps: &AppDir, package: &PackageName, has_state: bool) -> Verdict {
        let Some(stamp) = apps.get(package) else { return Verdict::Unchanged };
        match self.seen.get(package) {
            Some((seen, Seen::NoFragment)) if seen == stamp => return Verdict::NoFragment,
            Some((seen, Seen::Refused(reason))) if seen == stamp => return Verdict::Refused(reason.clone()),
            Some((seen, Seen::Taken)) if seen == stamp && has_state => return Verdict::Unchanged,
            _ => {}
        }
        let found = examine(stamp.path()).and_then(|(name, fragment)| {
            if name == *package {
                fragment
            } else {
                Err(Refusal::OtherPackage(name))
            }
        });
        let (seen, verdict) = match found {
            Ok(None) => (Seen::NoFragment, Verdict::NoFragment),
            Ok(Some(fragment)) => (Seen::Taken, Verdict::Fragment(fragment)),
            Err(Refusal::Apk(error)) if error.is_transient() => {
                self.say(Event::Refuse { package: package.clone(), reason: error.to_string() });
                return Verdict::Unchanged;
            }
            Err(refusal) => (Seen::Refused(refusal.to_string()), Verdict::Refused(refusal.to_string())),
        };
        self.seen.insert(package.clone(), (stamp.clone(), seen));
        verdict
    }
}

/// An APK's package, and its fragment, checked.
type Examined = (PackageName, Result<Option<Fragment>, Refusal>);

/// Reads an APK and checks its fragment; changes nothing.
///
/// # Errors
/// The outer one: the APK cannot be read far enough to know its package. The inner one: its fragment is refused.
pub fn examine(path: &Path) -> Result<Examined, Refusal> {
    let apk = Apk::open(path)?;
    let fragment = apk.fragment.map(|text| Fragment::parse(&apk.package, &text)).transpose();
    Ok((apk.package, fragment.map_err(Refusal::from)))
}

fn accept(fragment: &Fragment, uid: AppUid) -> Event {
    Event::Accept {
        package: fragment.package().clone(),
        uid,
        groups: fragment.groups().iter().map(ToString::to_string).collect(),
        rules: fragment.rules().len(),
    }
}
