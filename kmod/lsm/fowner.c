// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who gets signals from a file: F_SETOWN and its relatives let the kernel send a
 * signal of the owner's choice (F_SETSIG) whenever something happens to the file,
 * so what counts is who set that up. The kernel keeps his user ids for the check
 * when the signal is sent; the domain and the rest are kept here, beside the few
 * files that have an owner, because a blob in each open file would make every
 * open dearer.
 */
#include <linux/hashtable.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "shims.h"

/* An open file that has an owner. */
struct sekisho_fowner {
	struct hlist_node node;
	const struct file *file;
	/* The process that set it, with a reference. */
	struct pid *process;
	u64 domain;
	struct sekisho_task_info task;
};

/* Signals are sent with interrupts off, also from interrupts. */
static DEFINE_SPINLOCK(sekisho_fowner_lock);
static DEFINE_HASHTABLE(sekisho_fowners, 6);

static struct sekisho_fowner *sekisho_find_fowner(const struct file *file)
{
	struct sekisho_fowner *owner;

	hash_for_each_possible(sekisho_fowners, owner, node, (unsigned long)file)
		if (owner->file == file)
			return owner;
	return NULL;
}

/*
 * The calling task makes somebody the owner of the file. The hook that calls this
 * has no result: without memory nothing is known, and then no signal is sent
 * while a policy is active.
 */
void sekisho_set_fowner(const struct file *file, u64 domain, const struct sekisho_task_info *task)
{
	struct sekisho_fowner *fresh = kmalloc(sizeof(*fresh), GFP_ATOMIC), *owner;
	struct pid *before = NULL;
	unsigned long flags;

	spin_lock_irqsave(&sekisho_fowner_lock, flags);
	owner = sekisho_find_fowner(file);
	if (owner) {
		before = owner->process;
	} else if (fresh) {
		owner = fresh;
		owner->file = file;
		hash_add(sekisho_fowners, &owner->node, (unsigned long)file);
		fresh = NULL;
	}
	if (owner) {
		owner->process = get_pid(task_tgid(current));
		owner->domain = domain;
		owner->task = *task;
	}
	spin_unlock_irqrestore(&sekisho_fowner_lock, flags);
	put_pid(before);
	kfree(fresh);
}

/* Who set the owner; false if that is not known. @own: the signal is for a task of the same process. */
bool sekisho_get_fowner(const struct file *file, struct task_struct *target, u64 *domain,
			struct sekisho_task_info *task, bool *own)
{
	struct sekisho_fowner *owner;
	unsigned long flags;

	spin_lock_irqsave(&sekisho_fowner_lock, flags);
	owner = sekisho_find_fowner(file);
	if (owner) {
		*domain = owner->domain;
		*task = owner->task;
		*own = owner->process == task_tgid(target);
	}
	spin_unlock_irqrestore(&sekisho_fowner_lock, flags);
	return owner;
}

const struct file *sekisho_fowner_file(const struct fown_struct *owner)
{
	return owner->file;
}

/*
 * The hook file_free_security: the file is gone, and nothing can send signals for
 * it any more. Whether it ever had an owner is all that is left to be seen.
 */
void sekisho_file_free_security(struct file *file)
{
	struct sekisho_fowner *owner;
	unsigned long flags;

	if (likely(!file_f_owner(file)))
		return;
	spin_lock_irqsave(&sekisho_fowner_lock, flags);
	owner = sekisho_find_fowner(file);
	if (owner)
		hash_del(&owner->node);
	spin_unlock_irqrestore(&sekisho_fowner_lock, flags);
	if (!owner)
		return;
	put_pid(owner->process);
	kfree(owner);
}
