// SPDX-License-Identifier: MIT OR Apache-2.0
//! Puts a fragment into the kernel's policy, and takes it out.
//!
//! In: the rules, then the numbers. Out: the numbers, then the rules. So at every moment, also if the program is killed
//! between two writes, a UID that stands in a group has all rules of its package beside it, and a group whose rules are
//! gone is empty. Each step may be repeated: adding what is there and deleting what is not there changes nothing.
//! Success is what the kernel prints afterwards, not what `write` returned (reference 1.2: a bad line is no error).

use crate::fragment::Fragment;
use crate::group::GroupName;
use crate::kernel::{KernelError, PolicyFile, PolicyPort, PolicyText};
use crate::package::AppUid;

/// The kernel's policy as far as fragments are concerned.
#[derive(Debug)]
pub struct Loader<'a, P> {
    port: &'a P,
    domain: &'a str,
}

impl<'a, P: PolicyPort> Loader<'a, P> {
    /// Rules go to `domain`, the domain in which apps run.
    pub fn new(port: &'a P, domain: &'a str) -> Loader<'a, P> {
        Loader { port, domain }
    }

    /// The name of the domain.
    pub fn domain(&self) -> &str {
        self.domain
    }

    /// What the kernel has now.
    pub fn policy(&self) -> Result<PolicyText, KernelError> {
        PolicyText::read(self.port)
    }

    /// Whether all rules are there and each group has this UID and no other number.
    pub fn is_loaded(&self, policy: &PolicyText, fragment: &Fragment, uid: AppUid) -> bool {
        self.missing(policy, fragment, uid).is_none()
    }

    /// The UID that the fragment is loaded with, if it is loaded whole.
    pub fn uid_of(&self, policy: &PolicyText, fragment: &Fragment) -> Option<AppUid> {
        let group = fragment.groups().iter().next()?;
        let uid = policy.numbers(group.as_str()).next()?.parse().ok().and_then(AppUid::new)?;
        self.is_loaded(policy, fragment, uid).then_some(uid)
    }

    /// Fails unless the domain exists: a domain line would make it, with profile 0, and zygote would then run
    /// unrestricted in it.
    pub fn require_domain(&self, policy: &PolicyText) -> Result<(), KernelError> {
        if policy.has_domain(self.domain) {
            return Ok(());
        }
        Err(KernelError::NoDomain(self.domain.to_owned()))
    }

    /// Adds rules and numbers, and looks whether they are there.
    ///
    /// # Errors
    /// The kernel did not take all of it; what it took is still there. The domain does not exist: nothing was written.
    pub fn load(&self, fragment: &Fragment, uid: AppUid) -> Result<(), KernelError> {
        self.require_domain(&self.policy()?)?;
        let mut rules = vec![self.domain.to_owned()];
        rules.extend_from_slice(fragment.rules());
        self.port.write(PolicyFile::Domain, &rules)?;
        let policy = self.policy()?;
        if let Some(rule) = fragment.rules().iter().find(|rule| !policy.has_rule(self.domain, rule)) {
            return Err(KernelError::NotTaken { line: rule.clone(), detail: self.detail() });
        }
        let numbers: Vec<String> = fragment.groups().iter().map(|group| number_line(group, uid)).collect();
        self.port.write(PolicyFile::Exception, &numbers)?;
        match self.missing(&self.policy()?, fragment, uid) {
            None => Ok(()),
            Some(line) => Err(KernelError::NotTaken { line, detail: self.detail() }),
        }
    }

    /// Deletes numbers, then rules, and looks whether they are gone.
    ///
    /// # Errors
    /// The kernel still has some of it.
    pub fn unload(&self, fragment: &Fragment) -> Result<(), KernelError> {
        self.keep_number(fragment, None)?;
        let is_there = |policy: &PolicyText| {
            fragment.rules().iter().find(|rule| policy.has_rule(self.domain, rule)).cloned()
        };
        if is_there(&self.policy()?).is_none() {
            return Ok(());
        }
        let mut lines = vec![self.domain.to_owned()];
        lines.extend(fragment.rules().iter().map(|rule| format!("delete {rule}")));
        self.port.write(PolicyFile::Domain, &lines)?;
        match is_there(&self.policy()?) {
            None => Ok(()),
            Some(line) => Err(KernelError::NotDeleted { line, detail: self.detail() }),
        }
    }

    /// Deletes all numbers of the fragment's groups except `uid`.
    ///
    /// A group without one of the fragment's rules beside it is not the fragment's (see [`crate::group::foreign_use`]):
    /// its numbers are the device's and stay.
    pub fn keep_number(&self, fragment: &Fragment, uid: Option<AppUid>) -> Result<(), KernelError> {
        let surplus = |policy: &PolicyText| -> Vec<String> {
            let owned = fragment.groups().iter().filter(|group| self.has_rule_of(policy, fragment, group));
            let lines = owned.flat_map(|group| {
                let keep = uid.map(|uid| uid.to_string());
                let numbers =
                    policy.numbers(group.as_str()).filter(move |number| Some(*number) != keep.as_deref());
                numbers.map(move |number| format!("number_group {group} {number}"))
            });
            lines.collect()
        };
        let lines = surplus(&self.policy()?);
        if lines.is_empty() {
            return Ok(());
        }
        let deletions: Vec<String> = lines.iter().map(|line| format!("delete {line}")).collect();
        self.port.write(PolicyFile::Exception, &deletions)?;
        match surplus(&self.policy()?).into_iter().next() {
            None => Ok(()),
            Some(line) => Err(KernelError::NotDeleted { line, detail: self.detail() }),
        }
    }

    fn has_rule_of(&self, policy: &PolicyText, fragment: &Fragment, group: &GroupName) -> bool {
        let test = format!("task.uid=@{group}");
        fragment
            .rules()
            .iter()
            .filter(|rule| rule.split(' ').any(|word| word == test))
            .any(|rule| policy.has_rule(self.domain, rule))
    }

    /// The first line that should be in the policy and is not, or should not be and is.
    fn missing(&self, policy: &PolicyText, fragment: &Fragment, uid: AppUid) -> Option<String> {
        let rule = fragment.rules().iter().find(|rule| !policy.has_rule(self.domain, rule)).cloned();
        rule.or_else(|| {
            let number = uid.to_string();
            let wrong = |group: &&GroupName| !policy.numbers(group.as_str()).eq([number.as_str()]);
            fragment.groups().iter().find(wrong).map(|group| number_line(group, uid))
        })
    }

    fn detail(&self) -> String {
        self.port
            .last_rejected()
            .map(|line| format!("; its file 'errors' ends with: {line}"))
            .unwrap_or_default()
    }
}

fn number_line(group: &GroupName, uid: AppUid) -> String {
    format!("number_group {group} {uid}")
}
