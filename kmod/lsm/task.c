// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tasks: credentials, the system call under way, and work that has to wait
 * until the task may sleep.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/io_uring.h>
#include <linux/kernel_read_file.h>
#include <linux/llist.h>
#include <linux/lsm_hooks.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/security.h>
#include <linux/task_work.h>
#include <linux/workqueue.h>
#include <uapi/linux/mount.h>
#include <asm/syscall.h>
#include <asm/unistd.h>

#include "shims.h"

extern unsigned long sekisho_task_blob_offset;

/* The C side's part of the blob. */
struct sekisho_task *sekisho_task(const struct task_struct *task)
{
	return task->security + sekisho_task_blob_offset;
}

/* The Rust side's part, behind it. */
void *sekisho_task_blob(struct task_struct *task)
{
	return sekisho_task(task) + 1;
}

void *sekisho_current_blob(void)
{
	return sekisho_task_blob(current);
}

/* Set from before bprm_creds_for_exec until execve has succeeded or failed (fs/exec.c, bprm_execve). */
bool sekisho_in_execve(void)
{
	return current->in_execve;
}

bool sekisho_task_in_execve(const struct task_struct *task)
{
	return task->in_execve;
}

/* Policy counts as the initial user namespace does, which is how the kernel keeps ids: nothing has to be mapped. */
static void sekisho_credentials(const struct cred *cred, struct sekisho_task_info *info)
{
	*info = (struct sekisho_task_info){
		.uid = __kuid_val(cred->uid),
		.gid = __kgid_val(cred->gid),
		.euid = __kuid_val(cred->euid),
		.egid = __kgid_val(cred->egid),
		.suid = __kuid_val(cred->suid),
		.sgid = __kgid_val(cred->sgid),
		.fsuid = __kuid_val(cred->fsuid),
		.fsgid = __kgid_val(cred->fsgid),
	};
}

void sekisho_task_info(struct sekisho_task_info *info)
{
	sekisho_credentials(current_cred(), info);
	info->pid = task_tgid_vnr(current);
	info->ppid = task_ppid_nr_ns(current, task_active_pid_ns(current));
}

/* Of another task; numbers of processes are left 0. */
void sekisho_other_task_info(struct task_struct *task, struct sekisho_task_info *info)
{
	const struct cred *cred = get_task_cred(task);

	sekisho_credentials(cred, info);
	put_cred(cred);
}

u32 sekisho_global_pid(void)
{
	return task_pid_nr(current);
}

bool sekisho_has_mknod(void)
{
	return has_capability_noaudit(current, CAP_MKNOD);
}

/* Ends what io_uring does for the task elsewhere: its workers stay in the domain in which they began. Sleeps. */
void sekisho_end_workers(void)
{
	io_uring_task_cancel();
}

/* Which process this is, and which of its programs: numbers are used again, but not with the same times. */
void sekisho_process_id(struct sekisho_process_id *out)
{
	out->tgid = task_tgid_nr(current);
	out->start = current->group_leader->start_boottime;
	out->program = current->self_exec_id;
}

/* May this context be asked on behalf of a program at all? Interrupts and kernel threads may not. */
bool sekisho_is_user_task(void)
{
	return in_task() && !(current->flags & PF_KTHREAD);
}

/* The credentials of the task itself, whichever it has taken on. */
const struct cred *sekisho_own_cred(void)
{
	return current_real_cred();
}

bool sekisho_same_process(struct task_struct *task)
{
	return same_thread_group(task, current);
}

/* Was the signal sent by a program (kill and its relatives, sigqueue)? */
bool sekisho_signal_is_from_user(const struct kernel_siginfo *info)
{
	return info == SEND_SIG_NOINFO || (info != SEND_SIG_PRIV && SI_FROMUSER(info));
}

/* The capability hook sees what is done only by the system call that is under way. */
static u32 sekisho_native_call(int nr)
{
	switch (nr) {
	case __NR_reboot:
		return SEKISHO_CALL_REBOOT;
	case __NR_sethostname:
	case __NR_setdomainname:
		return SEKISHO_CALL_SETHOSTNAME;
	case __NR_vhangup:
		return SEKISHO_CALL_VHANGUP;
	case __NR_delete_module:
		return SEKISHO_CALL_DELETE_MODULE;
	case __NR_adjtimex:
	case __NR_clock_adjtime:
#ifdef __NR_clock_adjtime64
	case __NR_clock_adjtime64:
#endif
		return SEKISHO_CALL_ADJTIMEX;
	case __NR_mount_setattr:
		return SEKISHO_CALL_MOUNT_SETATTR;
	case __NR_open_tree:
		return SEKISHO_CALL_OPEN_TREE;
	case __NR_fsconfig:
		return SEKISHO_CALL_FSCONFIG;
#ifdef __NR_kexec_file_load
	case __NR_kexec_file_load:
		return SEKISHO_CALL_KEXEC_FILE_LOAD;
#endif
	case __NR_sched_setattr:
		return SEKISHO_CALL_SCHED_SETATTR;
	case __NR_execve:
	case __NR_execveat:
#ifdef __X32_SYSCALL_BIT
	case 520: /* x32 has numbers of its own for the two */
	case 545:
#endif
		return SEKISHO_CALL_EXECVE;
	case __NR_accept:
	case __NR_accept4:
		return SEKISHO_CALL_ACCEPT;
#ifdef __NR_open
	case __NR_open:
	case __NR_creat:
#endif
	case __NR_openat:
	case __NR_openat2:
	case __NR_open_by_handle_at:
		return SEKISHO_CALL_OPEN;
	case __NR_io_uring_enter:
	case __NR_splice:
	case __NR_sendfile:
#ifdef __NR_sendfile64
	case __NR_sendfile64:
#endif
		return SEKISHO_CALL_BUSY;
	default:
		return SEKISHO_CALL_OTHER;
	}
}

#ifdef CONFIG_COMPAT
/* 32-bit programs on a 64-bit kernel: the numbers of i386 and of the ARM EABI are the same but for a few. */
static u32 sekisho_compat_call(int nr)
{
	switch (nr) {
	case 88:
		return SEKISHO_CALL_REBOOT;
	case 74:
	case 121:
		return SEKISHO_CALL_SETHOSTNAME;
	case 111:
		return SEKISHO_CALL_VHANGUP;
	case 129:
		return SEKISHO_CALL_DELETE_MODULE;
	case 124:
	case 405:
	case IS_ENABLED(CONFIG_ARM64) ? 372 : 343:
		return SEKISHO_CALL_ADJTIMEX;
	case 442:
		return SEKISHO_CALL_MOUNT_SETATTR;
	case 428:
		return SEKISHO_CALL_OPEN_TREE;
	case 431:
		return SEKISHO_CALL_FSCONFIG;
#ifdef CONFIG_ARM64
	case 401:
		return SEKISHO_CALL_KEXEC_FILE_LOAD;
#endif
	case IS_ENABLED(CONFIG_ARM64) ? 380 : 351:
		return SEKISHO_CALL_SCHED_SETATTR;
	case 11:
	case IS_ENABLED(CONFIG_ARM64) ? 387 : 358:
		return SEKISHO_CALL_EXECVE;
	case IS_ENABLED(CONFIG_ARM64) ? 285 : 364:
	case IS_ENABLED(CONFIG_ARM64) ? 366 : 102: /* i386 accepts with socketcall */
		return SEKISHO_CALL_ACCEPT;
	case 5:
	case 8:
	case IS_ENABLED(CONFIG_ARM64) ? 322 : 295:
	case 437:
	case IS_ENABLED(CONFIG_ARM64) ? 371 : 342:
		return SEKISHO_CALL_OPEN;
	case 426:
	case IS_ENABLED(CONFIG_ARM64) ? 340 : 313:
	case 187:
	case 239:
		return SEKISHO_CALL_BUSY;
	default:
		return SEKISHO_CALL_OTHER;
	}
}
#endif

static u32 sekisho_any_call(void)
{
	int nr = syscall_get_nr(current, task_pt_regs(current));

#ifdef CONFIG_COMPAT
	if (in_compat_syscall()) {
#ifdef __X32_SYSCALL_BIT
		if (nr & __X32_SYSCALL_BIT)
			return sekisho_native_call(nr & ~__X32_SYSCALL_BIT);
#endif
		return sekisho_compat_call(nr);
	}
#endif
	return sekisho_native_call(nr);
}

u32 sekisho_call(void)
{
	u32 call = sekisho_any_call();

	if (call == SEKISHO_CALL_OPEN_TREE) {
		unsigned long arguments[6];

		/* Without a copy it only opens the path; the flags are in a register, which the program cannot change now. */
		syscall_get_arguments(current, task_pt_regs(current), arguments);
		if (!(arguments[2] & OPEN_TREE_CLONE))
			return SEKISHO_CALL_OTHER;
	}
	return call;
}

/* Hooks that pass an enum by value: clang's and rustc's idea of their type differ, which kCFI would notice. */
int sekisho_kernel_load_data(enum kernel_load_data_id id, bool contents)
{
	return sekisho_rs_kernel_loads(id == LOADING_MODULE, id == LOADING_KEXEC_IMAGE || id == LOADING_KEXEC_INITRAMFS);
}

int sekisho_kernel_read_file(struct file *file, enum kernel_read_file_id id, bool contents)
{
	return sekisho_rs_kernel_loads(id == READING_MODULE, id == READING_KEXEC_IMAGE || id == READING_KEXEC_INITRAMFS);
}

/*
 * What a hook that must not sleep leaves to be done: a record, learning, the
 * decision about an accepted connection. It is done on the task's way back to
 * user space, before the program goes on; what happens outside of a task, or in
 * one that is about to end, goes to a work item.
 */
static LLIST_HEAD(sekisho_waiting);

static void sekisho_run_waiting(struct work_struct *work)
{
	struct sekisho_deferred *deferred, *next;

	llist_for_each_entry_safe(deferred, next, llist_reverse_order(llist_del_all(&sekisho_waiting)), node)
		sekisho_rs_deferred(deferred);
}

static DECLARE_WORK(sekisho_waiting_work, sekisho_run_waiting);

/* The work of the first that the task has left does all of them, in their order: task works run the other way round. */
static void sekisho_run_task_work(struct callback_head *work)
{
	struct sekisho_deferred *deferred, *next;

	llist_for_each_entry_safe(deferred, next, llist_reverse_order(llist_del_all(&sekisho_task(current)->deferred)), node)
		sekisho_rs_deferred(deferred);
}

/* False if the task cannot do it. */
bool sekisho_defer_to_task(struct sekisho_deferred *deferred)
{
	struct llist_head *list = &sekisho_task(current)->deferred;

	if (!sekisho_is_user_task())
		return false;
	if (llist_empty(list)) {
		init_task_work(&deferred->work, sekisho_run_task_work);
		if (task_work_add(current, &deferred->work, TWA_RESUME))
			return false;
	}
	llist_add(&deferred->node, list);
	return true;
}

void sekisho_defer(struct sekisho_deferred *deferred)
{
	if (sekisho_defer_to_task(deferred))
		return;
	if (llist_add(&deferred->node, &sekisho_waiting))
		queue_work(system_wq, &sekisho_waiting_work);
}

/* Waits until everything that was left to the work item has been done. */
void sekisho_flush_deferred(void)
{
	flush_work(&sekisho_waiting_work);
}

/* A copy for the framework, which frees it. */
char *sekisho_copy_text(const char *text, size_t length)
{
	return kmemdup_nul(text, length, GFP_KERNEL);
}

int sekisho_fill_context(struct lsm_ctx __user *context, u32 *size, void *text, size_t length)
{
	return lsm_fill_user_ctx(context, size, text, length, SEKISHO_LSM_ID, 0);
}
