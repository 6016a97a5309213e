// SPDX-License-Identifier: MIT OR Apache-2.0
//! The four policy files as text. What is printed can be written again and gives the same policy.

use crate::domain::{Domain, DomainId};
use crate::mem::OutOfMemory;
use crate::policy::Policy;
use crate::request::{Class, Operation, PathOp};
use crate::text::{self, Sink};

impl Policy {
    /// Prints domain_policy (reference 10.5): all domains but the deleted ones, oldest first.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print_domain_policy(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        for (_, domain) in self.domains().filter(|(_, domain)| !domain.is_deleted()) {
            self.print_domain(domain, false, sink)?;
        }
        Ok(())
    }

    /// The same with the ACLs that concern transitions only: `select allow_execute` (reference 10.4).
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print_transitions(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        for (_, domain) in self.domains().filter(|(_, domain)| !domain.is_deleted()) {
            self.print_domain(domain, true, sink)?;
        }
        Ok(())
    }

    /// Prints one domain, a deleted one with a line that says so (reference 10.4). Nothing if there is none.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print_selected(
        &self,
        id: DomainId,
        transitions_only: bool,
        sink: &mut dyn Sink,
    ) -> Result<(), OutOfMemory> {
        let Some(domain) = self.domain(id) else {
            return Ok(());
        };
        if domain.is_deleted() {
            sink.put(b"# This is a deleted domain.\n")?;
        }
        self.print_domain(domain, transitions_only, sink)
    }

    fn print_domain(
        &self,
        domain: &Domain,
        transitions_only: bool,
        sink: &mut dyn Sink,
    ) -> Result<(), OutOfMemory> {
        sink.put(domain.name())?;
        sink.put(b"\nuse_profile ")?;
        text::put_u32(sink, u32::from(domain.profile()))?;
        sink.put(b"\n")?;
        let flags = domain.flags();
        for (set, line) in [
            (flags.quota_exceeded, &b"quota_exceeded\n"[..]),
            (flags.transition_failed, b"transition_failed\n"),
            (flags.ignore_global_allow_read, b"ignore_global_allow_read\n"),
            (flags.ignore_global_allow_env, b"ignore_global_allow_env\n"),
        ] {
            if set {
                sink.put(line)?;
            }
        }
        sink.put(b"\n")?;
        for mut entry in domain.entries() {
            if transitions_only {
                match entry.class {
                    Class::Path => {
                        let execute = Operation::Path(PathOp::Execute).bit();
                        entry.bits &= execute | Operation::Path(PathOp::Transit).bit();
                    }
                    Class::ExecuteHandler | Class::DeniedExecuteHandler => {}
                    _ => continue,
                }
            }
            entry.print(self, sink)?;
        }
        sink.put(b"\n")
    }

    /// Prints exception_policy in the order of reference 3.10.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print_exception_policy(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        self.exceptions.get().keep.print(sink)?;
        self.exceptions.get().global_reads.print(b"allow_read", sink)?;
        self.exceptions.get().global_envs.print(b"allow_env", sink)?;
        self.exceptions.get().initialize.print(sink)?;
        self.exceptions.get().aggregators.print(b"aggregator", sink)?;
        self.exceptions.get().file_patterns.print(b"file_pattern", sink)?;
        self.exceptions.get().rewrites.print(b"deny_rewrite", sink)?;
        for (_, group) in self.groups.get().paths.iter() {
            for number in group.members.iter() {
                if let Some((_, word)) = self.path_member(number) {
                    member_line(sink, b"path_group ", group.name())?;
                    sink.put(word)?;
                    sink.put(b"\n")?;
                }
            }
        }
        for (_, group) in self.groups.get().numbers.iter() {
            for member in group.members().iter() {
                member_line(sink, b"number_group ", group.name())?;
                member.print(sink)?;
                sink.put(b"\n")?;
            }
        }
        for (_, group) in self.groups.get().addresses.iter() {
            for member in group.members().iter() {
                member_line(sink, b"address_group ", group.name())?;
                member.print(sink)?;
                sink.put(b"\n")?;
            }
        }
        for [from, to] in self.autobind_ranges() {
            sink.put(b"deny_autobind ")?;
            text::put_u32(sink, u32::from(from))?;
            if from != to {
                sink.put(b"-")?;
                text::put_u32(sink, u32::from(to))?;
            }
            sink.put(b"\n")?;
        }
        Ok(())
    }

    /// Prints profile (reference 7.8).
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print_profiles(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        self.profiles.get().print(sink)
    }

    /// Prints manager (reference 10.2). As in 1.7 it does not show `manage_by_non_root`.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print_managers(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        for name in self.managers.get().iter() {
            sink.put(name)?;
            sink.put(b"\n")?;
        }
        Ok(())
    }
}

fn member_line(sink: &mut dyn Sink, directive: &[u8], group: &[u8]) -> Result<(), OutOfMemory> {
    sink.put(directive)?;
    sink.put(group)?;
    sink.put(b" ")
}
