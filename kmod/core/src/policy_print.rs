// SPDX-License-Identifier: MIT OR Apache-2.0
//! The four policy files as text. What is printed can be written again and gives the same policy.

use crate::mem::OutOfMemory;
use crate::policy::Policy;
use crate::profile::PROFILE_VERSION;
use crate::text::{self, Sink};

impl Policy {
    /// Prints domain_policy (reference 10.5): all domains but the deleted ones, oldest first.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print_domain_policy(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        for (_, domain) in self.domains().filter(|(_, domain)| !domain.is_deleted()) {
            sink.put(domain.name())?;
            sink.put(b"\nuse_profile ")?;
            text::put_u32(sink, u32::from(domain.profile()))?;
            sink.put(b"\n")?;
            if domain.flags().quota_exceeded {
                sink.put(b"quota_exceeded\n")?;
            }
            if domain.flags().transition_failed {
                sink.put(b"transition_failed\n")?;
            }
            sink.put(b"\n")?;
            for entry in &domain.entries {
                entry.print(self, sink)?;
            }
            sink.put(b"\n")?;
        }
        Ok(())
    }

    /// Prints exception_policy in the order of reference 3.10.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print_exception_policy(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        for rule in self.keep.iter().chain(self.initialize.iter()) {
            rule.print(sink)?;
        }
        for (_, group) in self.path_groups.iter() {
            for member in group.members() {
                member_line(sink, b"path_group ", group.name())?;
                sink.put(member.as_bytes())?;
                sink.put(b"\n")?;
            }
        }
        for (_, group) in self.number_groups.iter() {
            for member in group.members() {
                member_line(sink, b"number_group ", group.name())?;
                member.print(sink)?;
                sink.put(b"\n")?;
            }
        }
        Ok(())
    }

    /// Prints profile (reference 7.8).
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print_profiles(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        sink.put(b"PROFILE_VERSION=")?;
        text::put_u32(sink, PROFILE_VERSION)?;
        sink.put(b"\n")?;
        for number in 0..=u8::MAX {
            if let Some(profile) = self.profile(number) {
                profile.print(number, sink)?;
            }
        }
        Ok(())
    }

    /// Prints manager (reference 10.2). As in 1.7 it does not show `manage_by_non_root`.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print_managers(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        for manager in &self.managers {
            manager.print(sink)?;
        }
        Ok(())
    }
}

fn member_line(sink: &mut dyn Sink, directive: &[u8], group: &[u8]) -> Result<(), OutOfMemory> {
    sink.put(directive)?;
    sink.put(group)?;
    sink.put(b" ")
}
