// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lines of exception_policy (reference 3), and the life of groups.

use crate::directive::Directive;
use crate::edit::{strip_delete, Edit, EditError};
use crate::group::{self, Group, GroupId, GroupKind, Members};
use crate::mem::{OutOfMemory, Vec};
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
            Directive::DenyAutobind(from, to) => {
                if policy.exceptions.get().autobind.contains(&[from, to]) {
                    return Ok(false);
                }
                policy.exceptions.edit()?.autobind.push([from, to]).map(|()| true)
            }
            Directive::PathGroup(name, word) => {
                let id = GroupId(slot(&mut policy.groups.edit()?.paths, name)?);
                self.member(GroupKind::Path, id, |edit| edit.add_path(id, word))
            }
            Directive::NumberGroup(name, range) => {
                let id = GroupId(slot(&mut policy.groups.edit()?.numbers, name)?);
                self.member(GroupKind::Number, id, |edit| {
                    if edit.policy.number_group(id).is_some_and(|group| group.members().contains(&range)) {
                        return Ok(false);
                    }
                    edit.policy.groups.edit()?.numbers.change(id.0, |group| group.add(range)).map(|_| true)
                })
            }
            Directive::AddressGroup(name, range) => {
                let id = GroupId(slot(&mut policy.groups.edit()?.addresses, name)?);
                self.member(GroupKind::Address, id, |edit| {
                    if edit.policy.address_group_members(id).contains(&range) {
                        return Ok(false);
                    }
                    edit.policy
                        .groups
                        .edit()?
                        .addresses
                        .change(id.0, |group| group.members.push(range))
                        .map(|_| true)
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
            Directive::DenyAutobind(from, to) => {
                let list = &policy.exceptions.get().autobind;
                if let Some(place) = list.iter().position(|ports| *ports == [from, to]) {
                    policy.exceptions.edit()?.autobind.remove(place);
                }
                Ok(())
            }
            Directive::PathGroup(name, word) => match policy.groups.get().paths.find(name) {
                Some(slot) => {
                    let id = GroupId(slot);
                    self.member(GroupKind::Path, id, |edit| edit.remove_path(id, word))
                }
                None => Ok(()),
            },
            Directive::NumberGroup(name, range) => match policy.groups.get().numbers.find(name) {
                Some(slot) => self.member(GroupKind::Number, GroupId(slot), |edit| {
                    let members =
                        edit.policy.number_group(GroupId(slot)).map_or(&[][..], |group| group.members());
                    match members.iter().position(|old| *old == range) {
                        Some(place) => edit
                            .policy
                            .groups
                            .edit()?
                            .numbers
                            .change(slot, |group| group.remove(place))
                            .map(drop),
                        None => Ok(()),
                    }
                }),
                None => Ok(()),
            },
            Directive::AddressGroup(name, range) => match policy.groups.get().addresses.find(name) {
                Some(slot) => self.member(GroupKind::Address, GroupId(slot), |edit| {
                    let members = edit.policy.address_group_members(GroupId(slot));
                    match members.iter().position(|old| *old == range) {
                        Some(place) => {
                            let remove = |group: &mut Group<Vec<_>>| Ok(group.members.remove(place));
                            edit.policy
                                .groups
                                .edit()?
                                .addresses
                                .change::<_, OutOfMemory>(slot, remove)
                                .map(drop)
                        }
                        None => Ok(()),
                    }
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

    /// The number of a member of a path group.
    fn find_path(&self, id: GroupId, word: &[u8]) -> Option<u32> {
        let mut found = None;
        let index = &self.policy.groups.get().path_member_index;
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
        let groups = self.policy.groups.edit()?;
        let place = groups.path_member_index.place(word);
        let number = groups.path_members.push(&record, None)?;
        let words = |number| group::path_member(&groups.path_members, number).map(|(_, word)| word);
        let mut added = groups.path_member_index.insert(place, number, &words);
        if added.is_ok() {
            added = groups.paths.change(id.0, |group| group.members.push(number)).map(drop);
            if added.is_err() {
                groups.path_member_index.remove(place, number)?;
            }
        }
        if added.is_err() {
            groups.path_members.remove(number)?;
        }
        added.map(|()| true)
    }

    fn remove_path(&mut self, id: GroupId, word: &[u8]) -> Result<(), OutOfMemory> {
        let Some(number) = self.find_path(id, word) else {
            return Ok(());
        };
        let groups = self.policy.groups.edit()?;
        groups.paths.change::<_, OutOfMemory>(id.0, |group| {
            if let Some(place) = group.members.iter().position(|old| *old == number) {
                group.members.remove(place);
            }
            Ok(())
        })?;
        groups.path_member_index.remove(groups.path_member_index.place(word), number)?;
        groups.path_members.remove(number)
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
        fn step<M: Members>(table: &mut Table<Group<M>>, id: GroupId, more: bool) -> Result<(), OutOfMemory> {
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
        fn drop_unused<M: Members>(table: &mut Table<Group<M>>, id: GroupId) -> Result<(), OutOfMemory> {
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

/// The slot of a group, which is created if it is not there.
fn slot<M: Members>(table: &mut Table<Group<M>>, name: &[u8]) -> Result<u32, OutOfMemory> {
    match table.find(name) {
        Some(slot) => Ok(slot),
        None => table.insert(Group::new(name)?),
    }
}
