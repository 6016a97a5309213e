// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sekisho: registration with the LSM framework, the files below
 * /sys/kernel/security/sekisho/, and the locks.
 *
 * Everything here is a macro of the kernel that Rust cannot expand: DEFINE_LSM,
 * DEFINE_SRCU, DEFINE_MUTEX, fs_initcall. What happens behind the hooks and the
 * files is in Rust (hooks.rs, interface.rs).
 */
#define pr_fmt(fmt) "sekisho: " fmt

#include <linux/init.h>
#include <linux/lsm_hooks.h>
#include <linux/mutex.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/workqueue.h>

#include "sekisho.h"

static int sekisho_enabled __ro_after_init = 1;
/* Set once the hooks are in place: an fs_initcall runs even when lsm= leaves Sekisho out. */
static bool sekisho_running __ro_after_init;

static struct lsm_blob_sizes sekisho_blob_sizes __ro_after_init = {
	.lbs_task = SEKISHO_TASK_BLOB,
	.lbs_sock = SEKISHO_SOCK_BLOB,
};

/* Offset of our part of a task's blob, for sys/task.rs. */
unsigned long sekisho_task_blob_offset __ro_after_init;

static const struct lsm_id sekisho_lsm_id = {
	.name = "sekisho",
	.id = SEKISHO_LSM_ID,
};

/* Readers of the policy snapshot; they may sleep. */
DEFINE_STATIC_SRCU(sekisho_srcu);

int sekisho_read_lock(void)
{
	return srcu_read_lock(&sekisho_srcu);
}

void sekisho_read_unlock(int index)
{
	srcu_read_unlock(&sekisho_srcu, index);
}

void sekisho_wait_for_readers(void)
{
	synchronize_srcu(&sekisho_srcu);
}

static struct mutex sekisho_locks[SEKISHO_LOCK_COUNT] = {
	[SEKISHO_LOCK_WRITER] = __MUTEX_INITIALIZER(sekisho_locks[SEKISHO_LOCK_WRITER]),
	[SEKISHO_LOCK_GRANT_LOG] = __MUTEX_INITIALIZER(sekisho_locks[SEKISHO_LOCK_GRANT_LOG]),
	[SEKISHO_LOCK_REJECT_LOG] = __MUTEX_INITIALIZER(sekisho_locks[SEKISHO_LOCK_REJECT_LOG]),
	[SEKISHO_LOCK_ERRORS] = __MUTEX_INITIALIZER(sekisho_locks[SEKISHO_LOCK_ERRORS]),
};

void sekisho_lock(u32 id)
{
	mutex_lock(&sekisho_locks[id]);
}

void sekisho_unlock(u32 id)
{
	mutex_unlock(&sekisho_locks[id]);
}

/* The reaper frees what publishing a new snapshot has replaced. */
static void sekisho_reap(struct work_struct *work)
{
	sekisho_rs_reap();
}

static DECLARE_WORK(sekisho_reaper, sekisho_reap);

void sekisho_schedule_reaper(void)
{
	/* Before work queues exist nothing can be waiting for memory either: the next publish schedules it. */
	if (system_wq)
		queue_work(system_wq, &sekisho_reaper);
}

void sekisho_flush_reaper(void)
{
	flush_work(&sekisho_reaper);
}

/* One open file of ours: a lock, so that one description serves one caller at a time, and Rust's state. */
struct sekisho_open_file {
	struct mutex lock;
	void *state;
};

static int sekisho_open(struct inode *inode, struct file *file)
{
	struct sekisho_open_file *open = kzalloc(sizeof(*open), GFP_KERNEL);
	int error;

	if (!open)
		return -ENOMEM;
	mutex_init(&open->lock);
	error = sekisho_rs_open((uintptr_t)inode->i_private, file->f_mode & FMODE_WRITE, &open->state);
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

static const struct file_operations sekisho_operations = {
	.open = sekisho_open,
	.release = sekisho_release,
	.read = sekisho_read,
	.write = sekisho_write,
	.llseek = noop_llseek,
};

/* The index is `Kind` of interface.rs. */
static const struct {
	const char *name;
	umode_t mode;
} sekisho_files[] __initconst = {
	{ "domain_policy", 0600 },
	{ "exception_policy", 0600 },
	{ "profile", 0600 },
	{ "manager", 0600 },
	{ "self_domain", 0400 },
	{ "version", 0400 },
	{ "stat", 0400 },
	{ "errors", 0400 },
	{ "activate", 0600 },
	{ "grant_log", 0400 },
	{ "reject_log", 0400 },
};

static int __init sekisho_create_files(void)
{
	struct dentry *directory, *file;
	size_t i;

	if (!sekisho_running)
		return 0;
	directory = securityfs_create_dir("sekisho", NULL);
	if (IS_ERR(directory)) {
		pr_err("cannot create the interface directory: %ld\n", PTR_ERR(directory));
		return PTR_ERR(directory);
	}
	for (i = 0; i < ARRAY_SIZE(sekisho_files); i++) {
		file = securityfs_create_file(sekisho_files[i].name, sekisho_files[i].mode, directory,
					      (void *)i, &sekisho_operations);
		if (IS_ERR(file))
			pr_err("cannot create the file %s: %ld\n", sekisho_files[i].name, PTR_ERR(file));
	}
	return 0;
}
fs_initcall(sekisho_create_files);

static int __init sekisho_init(void)
{
	int error = sekisho_rs_init();

	if (error) {
		pr_err("cannot start: %d; the system runs without it\n", error);
		return error;
	}
	sekisho_task_blob_offset = sekisho_blob_sizes.lbs_task;
	sekisho_sock_blob_offset = sekisho_blob_sizes.lbs_sock;
	sekisho_running = true;
	sekisho_rs_add_hooks(&sekisho_lsm_id);
	pr_info("%s is ready; no policy is active yet\n", sekisho_rs_version);
	if (IS_ENABLED(CONFIG_SECURITY_SEKISHO_SELFTEST))
		sekisho_rs_selftest();
	return 0;
}

DEFINE_LSM(sekisho) = {
	.name = "sekisho",
	.enabled = &sekisho_enabled,
	.blobs = &sekisho_blob_sizes,
	.init = sekisho_init,
};
