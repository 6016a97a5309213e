// SPDX-License-Identifier: MIT OR Apache-2.0
//! The parts of exception_policy that are no groups (reference 3): one node, so that an edit which does not touch them
//! shares them with one reference.

use crate::lines::Lines;
use crate::link::Node;
use crate::mem::OutOfMemory;
use crate::ports::Ports;
use crate::rules::Rules;
use core::mem::size_of;

/// The lists.
pub(crate) struct Exceptions {
    pub(crate) keep: Rules,
    pub(crate) initialize: Rules,
    pub(crate) global_reads: Lines,
    pub(crate) global_envs: Lines,
    pub(crate) aggregators: Lines,
    pub(crate) file_patterns: Lines,
    pub(crate) rewrites: Lines,
    pub(crate) autobind: Ports,
}

impl Exceptions {
    pub(crate) const fn new(seed: u64) -> Self {
        Exceptions {
            keep: Rules::new(seed),
            initialize: Rules::new(seed),
            global_reads: Lines::new(seed),
            global_envs: Lines::new(seed),
            aggregators: Lines::new(seed),
            file_patterns: Lines::new(seed),
            rewrites: Lines::new(seed),
            autobind: Ports::new(seed),
        }
    }

    /// Bytes of memory of all lists and the node.
    pub(crate) fn bytes(&self) -> usize {
        [
            size_of::<Exceptions>(),
            self.keep.bytes(),
            self.initialize.bytes(),
            self.global_reads.bytes(),
            self.global_envs.bytes(),
            self.aggregators.bytes(),
            self.file_patterns.bytes(),
            self.rewrites.bytes(),
            self.autobind.bytes(),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }
}

impl Node for Exceptions {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Exceptions {
            keep: self.keep.share()?,
            initialize: self.initialize.share()?,
            global_reads: self.global_reads.share()?,
            global_envs: self.global_envs.share()?,
            aggregators: self.aggregators.share()?,
            file_patterns: self.file_patterns.share()?,
            rewrites: self.rewrites.share()?,
            autobind: self.autobind.share()?,
        })
    }

    fn freeze(&mut self) {
        self.keep.freeze();
        self.initialize.freeze();
        self.global_reads.freeze();
        self.global_envs.freeze();
        self.aggregators.freeze();
        self.file_patterns.freeze();
        self.rewrites.freeze();
        self.autobind.freeze();
    }
}
