// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiting where it keeps nobody else from anything. Most path hooks run with a
 * directory locked. There the call fails with -ERESTARTNOINTR, the task waits on
 * its way back to user space, and the call is made again (waiting.rs).
 */
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/once.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/siphash.h>
#include <linux/task_work.h>
#include <asm/syscall.h>

#include "shims.h"

/*
 * Is the system call itself under way? Until it has returned, its result is not in
 * its place; on the way out io_uring does what could not be done before.
 */
static bool sekisho_in_call(const struct pt_regs *regs)
{
#if defined(CONFIG_X86)
	return (int)regs->ax == -ENOSYS;
#elif defined(CONFIG_ARM64)
	return regs->regs[0] == regs->orig_x0;
#elif defined(CONFIG_ARM)
	return regs->ARM_r0 == regs->ARM_ORIG_r0;
#else
	return true;
#endif
}

/*
 * May the caller be kept waiting at all? Workers and io_uring's own call do what
 * others wait for, whoever dumps core or ends has no way back, and what is not a
 * system call of a program cannot be made again.
 */
bool sekisho_may_wait(void)
{
	u32 call;

	if (!in_task() || current->flags & (PF_KTHREAD | PF_USER_WORKER | PF_EXITING) ||
	    READ_ONCE(current->signal->core_state))
		return false;
	if (!sekisho_in_call(task_pt_regs(current)))
		return false;
	call = sekisho_call();
	return current->in_execve ? call == SEKISHO_CALL_EXECVE : call != SEKISHO_CALL_BUSY;
}

/* Does the file system open with the directory locked, because it opens and creates in one step? */
static bool sekisho_opens_locked(const struct dentry *dentry)
{
	const struct inode *directory;
	bool locked;

	rcu_read_lock();
	directory = d_inode_rcu(READ_ONCE(dentry->d_parent));
	locked = directory && directory->i_op->atomic_open;
	rcu_read_unlock();
	return locked;
}

/* How the hook for this file, which is being opened, may wait. */
u32 sekisho_open_place(const struct file *file)
{
	bool created = file->f_mode & FMODE_CREATED;

	if (current->in_execve)
		return SEKISHO_PLACE_HERE;
	/* What others open on their way, they open below locks of theirs. */
	if (sekisho_call() != SEKISHO_CALL_OPEN)
		return SEKISHO_PLACE_NEVER;
	/* Without a name it has no effect; the file system may not be frozen meanwhile. */
	if (file->f_flags & __O_TMPFILE)
		return SEKISHO_PLACE_LATER;
	if (sekisho_opens_locked(file->f_path.dentry))
		return created && file->f_flags & O_EXCL ? SEKISHO_PLACE_NEVER : SEKISHO_PLACE_LATER;
	/* Made again, the call would say EEXIST. */
	if (created)
		return SEKISHO_PLACE_HERE;
	return file->f_flags & O_TRUNC ? SEKISHO_PLACE_LATER : SEKISHO_PLACE_HERE;
}

/* With a key that nobody knows. */
u64 sekisho_hash(const void *bytes, size_t size)
{
	static siphash_key_t key __read_mostly;

	get_random_once(&key, sizeof(key));
	return siphash(bytes, size, &key);
}

/* Which call this is: made again, it has the same number and arguments and comes from the same place in the program. */
u64 sekisho_call_id(void)
{
	struct pt_regs *regs = task_pt_regs(current);
	unsigned long call[9];

	call[0] = syscall_get_nr(current, regs);
	call[1] = instruction_pointer(regs);
	call[2] = user_stack_pointer(regs);
	syscall_get_arguments(current, regs, call + 3);
	return sekisho_hash(call, sizeof(call));
}

/*
 * On the way back to user space, before signals are delivered or, when one is
 * pending, while they are. On ARM the program counter has been put back by then if
 * the call is made again, and the result is no longer there.
 */
static void sekisho_wait(struct callback_head *work)
{
	struct sekisho_task *task = container_of(work, struct sekisho_task, wait);
	struct pt_regs *regs = task_pt_regs(current);
	bool rewound = instruction_pointer(regs) != task->asked_at;
	bool again = rewound || syscall_get_error(current, regs) == -ERESTARTNOINTR;

	task->wait.func = NULL;
	sekisho_rs_wait(again && !(current->flags & PF_EXITING));
	/*
	 * The kernel makes a call again only when it looks at signals. Said before, as
	 * TWA_SIGNAL would, the rest of the call would take it for a signal that came.
	 */
	if (again && !rewound)
		set_notify_signal(current);
}

/* sekisho_rs_wait() will be called when the call is over. False if there is no way back. */
bool sekisho_wait_later(void)
{
	struct sekisho_task *task = sekisho_task(current);

	if (task->wait.func)
		return true;
	init_task_work(&task->wait, sekisho_wait);
	task->asked_at = instruction_pointer(task_pt_regs(current));
	if (!task_work_add(current, &task->wait, TWA_RESUME))
		return true;
	task->wait.func = NULL;
	return false;
}

/* An execve holds its own process's cred_guard_mutex, and nothing else may be held. */
static void sekisho_assert_unlocked(void)
{
	if (!current->in_execve)
		lockdep_assert_none_held_once();
}

/* The clock of waits, in ticks. */
u64 sekisho_now(void)
{
	return get_jiffies_64();
}

/* So many tenths of a second, in ticks. */
u64 sekisho_tenths(u32 count)
{
	return (u64)(count / 10) * HZ + count % 10 * HZ / 10;
}

/*
 * Sleeps until @end or until @word is not 0 and sekisho_wake_task() was called,
 * whatever signals come; but not if the task is to die (quirk Q20), and then
 * returns false.
 */
bool sekisho_sleep(const u32 *word, u64 end)
{
	u64 now;

	sekisho_assert_unlocked();
	for (;;) {
		set_current_state(TASK_KILLABLE);
		now = get_jiffies_64();
		if (READ_ONCE(*word) || now >= end || fatal_signal_pending(current))
			break;
		schedule_timeout(min_t(u64, end - now, 3600 * HZ));
	}
	__set_current_state(TASK_RUNNING);
	return !fatal_signal_pending(current);
}

struct task_struct *sekisho_current(void)
{
	return current;
}

/* The task must not have ended. */
void sekisho_wake_task(struct task_struct *task)
{
	wake_up_process(task);
}
