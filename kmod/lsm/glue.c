// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sekisho: registration with the LSM framework, and the locks.
 *
 * Everything here is a macro of the kernel that Rust cannot expand: DEFINE_LSM,
 * DEFINE_SRCU, DEFINE_MUTEX. What happens behind the hooks is in Rust
 * (hooks/), the files below /sys/kernel/security/sekisho/ are in files.c.
 */
#define pr_fmt(fmt) "sekisho: " fmt

#include <linux/init.h>
#include <linux/lsm_hooks.h>
#include <linux/mutex.h>
#include <linux/srcu.h>
#include <linux/workqueue.h>

#include "sekisho.h"

static int sekisho_enabled __ro_after_init = 1;
bool sekisho_running __ro_after_init;

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
	[SEKISHO_LOCK_AUDIT_LOG] = __MUTEX_INITIALIZER(sekisho_locks[SEKISHO_LOCK_AUDIT_LOG]),
	[SEKISHO_LOCK_QUERIES] = __MUTEX_INITIALIZER(sekisho_locks[SEKISHO_LOCK_QUERIES]),
	[SEKISHO_LOCK_PREVIOUS] = __MUTEX_INITIALIZER(sekisho_locks[SEKISHO_LOCK_PREVIOUS]),
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
	/*
	 * Before work queues exist nothing can be waiting for memory either: the next publish schedules it. It may
	 * have much to free, so it is bound to no processor.
	 */
	if (system_unbound_wq)
		queue_work(system_unbound_wq, &sekisho_reaper);
}

void sekisho_flush_reaper(void)
{
	flush_work(&sekisho_reaper);
}

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
