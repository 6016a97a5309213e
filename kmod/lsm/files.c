// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files below /sys/kernel/security/sekisho/, and what their Rust side
 * needs of the kernel: wait queues, other tasks, the kernel's log and audit
 * stream. Which files there are and what they do is in
 * Rust (interface/); no decision is made here.
 */
#define pr_fmt(fmt) "sekisho: " fmt

#include <linux/audit.h>
#include <linux/cred.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/proc_fs.h>
#include <linux/ratelimit.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/wait.h>

#include "sekisho.h"

/* Prototypes for -Wmissing-prototypes; the users are in sys/files.rs and sys/process.rs. */
void sekisho_wake(u32 wait);
struct task_struct *sekisho_find_task(u32 pid, bool global);
void sekisho_put_task(struct task_struct *task);
bool sekisho_audit_is_on(void);
void sekisho_audit(const struct sekisho_refusal *refusal);
void sekisho_say_no_manager(void);
bool sekisho_may_say(void);
void sekisho_warn(const u8 *what, u32 what_size, const u8 *name, u32 name_size);
void sekisho_say(bool error, const u8 *request, u32 request_size, const u8 *who, u32 who_size);

/* One open file of ours: a lock, so that one description serves one caller at a time, and Rust's state. */
struct sekisho_open_file {
	struct mutex lock;
	void *state;
	/* The queue that makes it readable, or SEKISHO_WAIT_COUNT. */
	u32 wait;
	/* A record has been read in part, and the rest is ready. */
	bool has_rest;
};

/* Who waits for a record or a query. */
static wait_queue_head_t sekisho_waits[SEKISHO_WAIT_COUNT] = {
	[SEKISHO_WAIT_GRANT_LOG] = __WAIT_QUEUE_HEAD_INITIALIZER(sekisho_waits[SEKISHO_WAIT_GRANT_LOG]),
	[SEKISHO_WAIT_REJECT_LOG] = __WAIT_QUEUE_HEAD_INITIALIZER(sekisho_waits[SEKISHO_WAIT_REJECT_LOG]),
	[SEKISHO_WAIT_AUDIT_LOG] = __WAIT_QUEUE_HEAD_INITIALIZER(sekisho_waits[SEKISHO_WAIT_AUDIT_LOG]),
	[SEKISHO_WAIT_QUERIES] = __WAIT_QUEUE_HEAD_INITIALIZER(sekisho_waits[SEKISHO_WAIT_QUERIES]),
};

/* Called after the queue has grown, outside of its lock. */
void sekisho_wake(u32 wait)
{
	wake_up_interruptible_poll(&sekisho_waits[wait], EPOLLIN | EPOLLRDNORM);
}

static int sekisho_open(struct inode *inode, struct file *file)
{
	struct sekisho_open_file *open = kzalloc(sizeof(*open), GFP_KERNEL);
	u32 index = (uintptr_t)inode->i_private;
	struct sekisho_file_info info;
	int error;

	if (!open)
		return -ENOMEM;
	mutex_init(&open->lock);
	open->wait = sekisho_rs_file(index, &info) ? info.wait : SEKISHO_WAIT_COUNT;
	error = sekisho_rs_open(index, file->f_mode & FMODE_WRITE, &open->state);
	if (error) {
		kfree(open);
		return error;
	}
	file->private_data = open;
	return 0;
}

static int sekisho_release(struct inode *inode, struct file *file)
{
	struct sekisho_open_file *open = file->private_data;

	sekisho_rs_release(open->state);
	kfree(open);
	return 0;
}

static ssize_t sekisho_read(struct file *file, char __user *buffer, size_t count, loff_t *position)
{
	struct sekisho_open_file *open = file->private_data;
	ssize_t done;

	if (mutex_lock_interruptible(&open->lock))
		return -EINTR;
	done = sekisho_rs_read(open->state, (unsigned long)buffer, min_t(size_t, count, MAX_RW_COUNT));
	WRITE_ONCE(open->has_rest, sekisho_rs_has_rest(open->state));
	mutex_unlock(&open->lock);
	return done;
}

static ssize_t sekisho_write(struct file *file, const char __user *buffer, size_t count, loff_t *position)
{
	struct sekisho_open_file *open = file->private_data;
	ssize_t done;

	if (mutex_lock_interruptible(&open->lock))
		return -EINTR;
	done = sekisho_rs_write(open->state, (unsigned long)buffer, min_t(size_t, count, MAX_RW_COUNT));
	mutex_unlock(&open->lock);
	return done;
}

/*
 * writev(2), piece by piece. With this function here io_uring comes to it too, and
 * is turned away: what is written acts on the calling task, which there is another
 * one or in the middle of something else.
 */
static ssize_t sekisho_write_iter(struct kiocb *request, struct iov_iter *from)
{
	ssize_t done, all = 0;

	if (!is_sync_kiocb(request) || !user_backed_iter(from))
		return -EOPNOTSUPP;
	while (iov_iter_count(from)) {
		done = sekisho_write(request->ki_filp, iter_iov_addr(from), iter_iov_len(from), &request->ki_pos);
		if (done <= 0)
			return all ?: done;
		all += done;
		iov_iter_advance(from, done);
	}
	return all;
}

/* Does not take the description's lock: whoever polls must not wait for a reader whose memory is slow. */
static __poll_t sekisho_poll(struct file *file, poll_table *wait)
{
	struct sekisho_open_file *open = file->private_data;
	__poll_t mask = EPOLLOUT | EPOLLWRNORM;

	if (open->wait >= SEKISHO_WAIT_COUNT)
		return DEFAULT_POLLMASK;
	poll_wait(file, &sekisho_waits[open->wait], wait);
	if (READ_ONCE(open->has_rest) || sekisho_rs_queued(open->wait))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

static const struct file_operations sekisho_operations = {
	.open = sekisho_open,
	.release = sekisho_release,
	.read = sekisho_read,
	.write = sekisho_write,
	.write_iter = sekisho_write_iter,
	.poll = sekisho_poll,
	.llseek = noop_llseek,
};

static int __init sekisho_create_files(void)
{
	struct dentry *directory, *features, *file;
	struct sekisho_file_info info;
	u32 i;

	if (!sekisho_running)
		return 0;
	directory = securityfs_create_dir("sekisho", NULL);
	if (IS_ERR(directory)) {
		pr_err("cannot create the interface directory: %ld\n", PTR_ERR(directory));
		return PTR_ERR(directory);
	}
	features = securityfs_create_dir("features", directory);
	for (i = 0; sekisho_rs_file(i, &info); i++) {
		if (info.is_feature && IS_ERR(features))
			continue;
		file = securityfs_create_file(info.name, info.mode, info.is_feature ? features : directory,
					      (void *)(uintptr_t)i, &sekisho_operations);
		if (IS_ERR(file))
			pr_err("cannot create the file %s: %ld\n", info.name, PTR_ERR(file));
	}
	/* Tools of 1.7 look for their files there, when the directory has been bound to it. */
	if (IS_ENABLED(CONFIG_SECURITY_SEKISHO_PROC_CCS) && !proc_create_mount_point("ccs"))
		pr_err("cannot create the mount point /proc/ccs\n");
	return 0;
}
fs_initcall(sekisho_create_files);

/* A task by its number, with a reference, or NULL. */
struct task_struct *sekisho_find_task(u32 pid, bool global)
{
	struct task_struct *task;

	if (pid > PID_MAX_LIMIT)
		return NULL;
	rcu_read_lock();
	task = global ? find_task_by_pid_ns(pid, &init_pid_ns) : find_task_by_vpid(pid);
	if (task)
		get_task_struct(task);
	rcu_read_unlock();
	return task;
}

void sekisho_put_task(struct task_struct *task)
{
	put_task_struct(task);
}

bool sekisho_audit_is_on(void)
{
	return audit_enabled != AUDIT_OFF;
}

/* Never sleeps: the caller may hold a directory, and a full backlog must not hold everybody else up. */
void sekisho_audit(const struct sekisho_refusal *refusal)
{
	struct audit_buffer *buffer = audit_log_start(audit_context(), GFP_ATOMIC | __GFP_NOWARN, AUDIT_AVC);

	if (!buffer)
		return;
	audit_log_format(buffer, "lsm=sekisho profile=%u mode=%.*s granted=no pid=%u domain=", refusal->profile,
			 (int)refusal->mode_size, refusal->mode, refusal->global_pid);
	audit_log_n_untrustedstring(buffer, (const char *)refusal->domain, refusal->domain_size);
	audit_log_format(buffer, " request=");
	audit_log_n_untrustedstring(buffer, (const char *)refusal->request, refusal->request_size);
	audit_log_end(buffer);
}

/* Somebody who is no manager wanted to write policy (reference 10.2). */
void sekisho_say_no_manager(void)
{
	pr_warn_ratelimited("%s (pid=%u uid=%u) is not permitted to update policies\n", current->comm,
			    task_pid_nr(current), from_kuid(&init_user_ns, current_uid()));
}

/* Whoever is refused must not fill the kernel's log. */
bool sekisho_may_say(void)
{
	static DEFINE_RATELIMIT_STATE(limit, DEFAULT_RATELIMIT_INTERVAL, DEFAULT_RATELIMIT_BURST);

	return __ratelimit(&limit);
}

/* A line of the kernel's log has 1 KiB, and vsnprintf() warns about strings that are longer than 32 KiB. */
static const u32 text_max = 480;

void sekisho_warn(const u8 *what, u32 what_size, const u8 *name, u32 name_size)
{
	pr_warn("WARNING: %.*s %.*s%s\n", (int)min(what_size, text_max), what, (int)min(name_size, text_max), name,
		name_size > text_max ? "..." : "");
}

void sekisho_say(bool error, const u8 *request, u32 request_size, const u8 *who, u32 who_size)
{
	pr_warn("%s: Access %.*s%s denied for %.*s%s\n", error ? "ERROR" : "WARNING",
		(int)min(request_size, text_max), request, request_size > text_max ? "..." : "",
		(int)min(who_size, text_max), who, who_size > text_max ? "..." : "");
}
