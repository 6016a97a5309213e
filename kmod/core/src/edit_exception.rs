// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lines of exception_policy (reference 3), and the life of groups.

use crate::directive::Directive;
use crate::edit::{strip_delete, Edit, EditError};
use crate::group::{self, Content, Group, GroupId, GroupKind};
use crate::mem::{OutOfMemory, Vec};
use crate::number::NumberRange;
use crate::ranges;
use crate::table::Table;
use crate::text::Normal;

impl Edit {
    /// Executes a line of exception_policy (reference 3).
    ///
    /// # Errors
    /// The line is wrong: nothing changed. Or there is no memory for it: drop the edit.
    pub fn exception_policy_line(&mut self, line: &[u8]) -> Result<(), EditError> {
        let normal = Normal::new(line)?;
        self.exception_line(normal.bytes()).map_err(|error| match error {
            EditError::Parse(error) => EditError::Parse(normal.restore(error)),
            other => other,
        })
    }

    fn exception_line(&mut self, line: &[u8]) -> Result<(), EditError> {
        let Some((words, delete)) = strip_delete(line)? else {
            return Ok(());
        };
        let directive = Directive::parse(words)?;
        if delete {
            return Ok(self.delete_directive(&directive)?);
        }
        let before = self.memory_before();
        self.add_directive(&directive)?;
        if self.is_over(before) {
            self.delete_directive(&directive)?;
            return Err(EditError::Quota);
        }
        Ok(())
    }

    /// Adds a directive, or does nothing if it is there. True if it was added.
    pub(crate) fn add_directive(&mut self, directive: &Directive<'_>) -> Result<bool, OutOfMemory> {
        let policy = &mut self.policy;
        match *directive {
            Directive::Rule { keep: true, .. } => policy.exceptions.edit()?.keep.add(directive),
            Directive::Rule { .. } => policy.exceptions.edit()?.initialize.add(directive),
            Directive::AllowRead(word) => policy.exceptions.edit()?.global_reads.add(word, None),
            Directive::AllowEnv(word) => policy.exceptions.edit()?.global_envs.add(word, None),
            Directive::FilePattern(word) => policy.exceptions.edit()?.file_patterns.add(word, None),
            Directive::DenyRewrite(word) => policy.exceptions.edit()?.rewrites.add(word, None),
            Directive::Aggregator(from, to) => policy.exceptions.edit()?.aggregators.add(from, Some(to)),
            Directive::DenyAutobind(from, to) => policy.exceptions.edit()?.autobind.add(from, to),
            Directive::PathGroup(name, word) => {
                let id = GroupId(slot(&mut policy.groups.edit()?.paths, name)?);
                self.member(GroupKind::Path, id, |edit| edit.add_path(id, word))
            }
            Directive::NumberGroup(name, range) => {
                let id = GroupId(slot(&mut policy.groups.edit()?.numbers, name)?);
                self.member(GroupKind::Number, id, |edit| edit.add_number(id, range))
            }
            Directive::AddressGroup(name, range) => {
                let id = GroupId(slot(&mut policy.groups.edit()?.addresses, name)?);
                self.member(GroupKind::Address, id, |edit| {
                    let seed = edit.policy.seed;
                    let addresses = &mut edit.policy.groups.edit()?.addresses;
                    Ok(addresses.change(id.0, |group| group.add(range, seed))? == Some(true))
                })
            }
        }
    }

    fn delete_directive(&mut self, directive: &Directive<'_>) -> Result<(), OutOfMemory> {
        let policy = &mut self.policy;
        match *directive {
            Directive::Rule { keep: true, .. } => policy.exceptions.edit()?.keep.delete(directive),
            Directive::Rule { .. } => policy.exceptions.edit()?.initialize.delete(directive),
            Directive::AllowRead(word) => policy.exceptions.edit()?.global_reads.delete(word, None),
            Directive::AllowEnv(word) => policy.exceptions.edit()?.global_envs.delete(word, None),
            Directive::FilePattern(word) => policy.exceptions.edit()?.file_patterns.delete(word, None),
            Directive::DenyRewrite(word) => policy.exceptions.edit()?.rewrites.delete(word, None),
            Directive::Aggregator(from, to) => policy.exceptions.edit()?.aggregators.delete(from, Some(to)),
            Directive::DenyAutobind(from, to) => policy.exceptions.edit()?.autobind.delete(from, to),
            Directive::PathGroup(name, word) => match policy.groups.get().paths.find(name) {
                Some(slot) => {
                    let id = GroupId(slot);
                    self.member(GroupKind::Path, id, |edit| edit.remove_path(id, word))
                }
                None => Ok(()),
            },
            Directive::NumberGroup(name, range) => match policy.groups.get().numbers.find(name) {
                Some(slot) => {
                    let id = GroupId(slot);
                    self.member(GroupKind::Number, id, |edit| edit.remove_number(id, range))
                }
                None => Ok(()),
            },
            Directive::AddressGroup(name, range) => match policy.groups.get().addresses.find(name) {
                Some(slot) => self.member(GroupKind::Address, GroupId(slot), |edit| {
                    let addresses = &mut edit.policy.groups.edit()?.addresses;
                    addresses.change(slot, |group| group.remove(range)).map(drop)
                }),
                None => Ok(()),
            },
        }
    }

    /// Changes the members of a group, which is gone afterwards if nothing is left of it.
    fn member<T>(
        &mut self,
        kind: GroupKind,
        id: GroupId,
        change: impl FnOnce(&mut Edit) -> Result<T, OutOfMemory>,
    ) -> Result<T, OutOfMemory> {
        let result = change(self);
        self.release(kind, id)?;
        result
    }

    fn add_number(&mut self, id: GroupId, member: NumberRange) -> Result<bool, OutOfMemory> {
        let seed = self.policy.seed;
        let groups = self.policy.groups.edit()?;
        let added = groups.numbers.change(id.0, |group| group.add(member, seed))? == Some(true);
        if added {
            groups.number_index.insert(number_range(id, &member))?;
        }
        Ok(added)
    }

    fn remove_number(&mut self, id: GroupId, member: NumberRange) -> Result<(), OutOfMemory> {
        let groups = self.policy.groups.edit()?;
        if groups.numbers.change(id.0, |group| group.remove(member))? == Some(true) {
            groups.number_index.remove(&number_range(id, &member))?;
        }
        Ok(())
    }

    /// The number of a member of a path group.
    fn find_path(&self, id: GroupId, word: &[u8]) -> Option<u32> {
        // A word may be in many groups, and then most groups are small.
        if let Some(few) = self.policy.groups.get().paths.get(id.0).and_then(|group| group.members.few()) {
            let is = |number: &u32| self.policy.path_member(*number).is_some_and(|(_, old)| old == word);
            return few.iter().copied().find(is);
        }
        let mut found = None;
        let index = &self.policy.groups.get().path_members.get().index;
        index.exact(index.place(word), &mut |number| {
            if self.policy.path_member(number) == Some((id, word)) {
                found = Some(number);
            }
            found.is_some()
        });
        found
    }

    fn add_path(&mut self, id: GroupId, word: &[u8]) -> Result<bool, OutOfMemory> {
        if self.find_path(id, word).is_some() {
            return Ok(false);
        }
        let mut record = Vec::with_capacity(word.len().saturating_add(4))?;
        record.extend_from_slice(&id.0.to_le_bytes())?;
        record.extend_from_slice(word)?;
        let seed = self.policy.seed;
        let groups = self.policy.groups.edit()?;
        let members = groups.path_members.edit()?;
        let place = members.index.place(word);
        let number = members.records.push(&record, None)?;
        let words = |number| group::path_member(&members.records, number).map(|(_, word)| word);
        let mut added = members.index.insert(place, number, &words);
        if added.is_ok() {
            added = groups.paths.change(id.0, |group| group.members.add(number, seed)).map(drop);
            if added.is_err() {
                members.index.remove(place, number)?;
            }
        }
        if added.is_err() {
            members.records.remove(number)?;
        }
        added.map(|()| true)
    }

    fn remove_path(&mut self, id: GroupId, word: &[u8]) -> Result<(), OutOfMemory> {
        let Some(number) = self.find_path(id, word) else {
            return Ok(());
        };
        let groups = self.policy.groups.edit()?;
        groups.paths.change(id.0, |group| group.members.remove(number))?;
        let members = groups.path_members.edit()?;
        members.index.remove(members.index.place(word), number)?;
        members.records.remove(number)
    }

    /// The group of a name, created if that is wanted.
    pub(crate) fn find_group(
        &mut self,
        kind: GroupKind,
        name: &[u8],
        create: bool,
    ) -> Result<Option<GroupId>, OutOfMemory> {
        let policy = &mut self.policy;
        let found = match kind {
            GroupKind::Path => policy.groups.get().paths.find(name),
            GroupKind::Number => policy.groups.get().numbers.find(name),
            GroupKind::Address => policy.groups.get().addresses.find(name),
        };
        let slot = match (found, kind) {
            (None, _) if !create => return Ok(None),
            (Some(slot), _) => slot,
            (None, GroupKind::Path) => slot(&mut policy.groups.edit()?.paths, name)?,
            (None, GroupKind::Number) => slot(&mut policy.groups.edit()?.numbers, name)?,
            (None, GroupKind::Address) => slot(&mut policy.groups.edit()?.addresses, name)?,
        };
        Ok(Some(GroupId(slot)))
    }

    /// A group is mentioned once more, or once less.
    pub(crate) fn use_group(&mut self, kind: GroupKind, id: GroupId, more: bool) -> Result<(), OutOfMemory> {
        fn step<M: Content>(table: &mut Table<Group<M>>, id: GroupId, more: bool) -> Result<(), OutOfMemory> {
            let change = |group: &mut Group<M>| {
                group.users =
                    if more { group.users.saturating_add(1) } else { group.users.saturating_sub(1) };
                Ok(())
            };
            table.change(id.0, change).map(drop)
        }
        match kind {
            GroupKind::Path => step(&mut self.policy.groups.edit()?.paths, id, more)?,
            GroupKind::Number => step(&mut self.policy.groups.edit()?.numbers, id, more)?,
            GroupKind::Address => step(&mut self.policy.groups.edit()?.addresses, id, more)?,
        }
        if more {
            return Ok(());
        }
        self.release(kind, id)
    }

    /// Drops a group without members that nothing mentions.
    fn release(&mut self, kind: GroupKind, id: GroupId) -> Result<(), OutOfMemory> {
        fn drop_unused<M: Content>(table: &mut Table<Group<M>>, id: GroupId) -> Result<(), OutOfMemory> {
            if table.get(id.0).is_some_and(Group::is_unused) {
                return table.remove(id.0);
            }
            Ok(())
        }
        match kind {
            GroupKind::Path => drop_unused(&mut self.policy.groups.edit()?.paths, id),
            GroupKind::Number => drop_unused(&mut self.policy.groups.edit()?.numbers, id),
            GroupKind::Address => drop_unused(&mut self.policy.groups.edit()?.addresses, id),
        }
    }
}

/// A member of a number group as the index of all of them has it.
fn number_range(id: GroupId, member: &NumberRange) -> [u64; 6] {
    ranges::range(0, [0, member.min.value], [0, member.max.value], id.0)
}

/// The slot of a group, which is created if it is not there.
fn slot<M: Content>(table: &mut Table<Group<M>>, name: &[u8]) -> Result<u32, OutOfMemory> {
    match table.find(name) {
        Some(slot) => Ok(slot),
        None => table.insert(Group::new(name)?),
    }
}
