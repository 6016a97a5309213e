/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the C and the Rust half of Sekisho know of each other. The Rust side of
 * these declarations is in sys/; the two must say the same.
 */
#ifndef _SECURITY_SEKISHO_H
#define _SECURITY_SEKISHO_H

#include <linux/binfmts.h>
#include <linux/fs.h>
#include <linux/llist.h>
#include <linux/path.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <uapi/linux/lsm.h>

struct sk_buff;
struct sock;

/* The id for lsm_list_modules(2), from include/uapi/linux/lsm.h as our patch leaves it. */
#define SEKISHO_LSM_ID LSM_ID_SEKISHO

/*
 * The file that a task's last execve started, as program.c knows it again. Nothing
 * is held by it, so that a file system can be unmounted as soon as its programs
 * have ended; @kept is, once the task has asked for another file in its place.
 */
struct sekisho_program {
	const struct vfsmount *mnt;
	const struct dentry *dentry;
	unsigned long ino;
	u32 dev, generation;
	struct file *kept;
};

/* The C side's part of the task blob. */
struct sekisho_task {
	/* What the task has left for its way back to user space, newest first. Only the task itself touches it. */
	struct llist_head deferred;
	struct sekisho_program program;
	/* Queued while its function is set; and where the program was when it was. */
	struct callback_head wait;
	unsigned long asked_at;
};

/* Bytes of the task blob: the C side's part, struct Blob of sys/task.rs, and room to align that. */
#define SEKISHO_TASK_BLOB (sizeof(struct sekisho_task) + 64 + 8)

/* Bytes of the buffers for names that are kept: Buffer::FIRST of sys/path.rs. */
#define SEKISHO_BUFFER_SIZE 8192

/* Locks of the Rust side, see sys/lock.rs. */
enum sekisho_lock_id {
	SEKISHO_LOCK_WRITER,
	SEKISHO_LOCK_GRANT_LOG,
	SEKISHO_LOCK_REJECT_LOG,
	SEKISHO_LOCK_ERRORS,
	SEKISHO_LOCK_AUDIT_LOG,
	SEKISHO_LOCK_QUERIES,
	SEKISHO_LOCK_PREVIOUS,
	SEKISHO_LOCK_COUNT,
};

/* Queues that a file can be polled for: Wait of sys/files.rs. */
enum sekisho_wait_id {
	SEKISHO_WAIT_GRANT_LOG,
	SEKISHO_WAIT_REJECT_LOG,
	SEKISHO_WAIT_AUDIT_LOG,
	SEKISHO_WAIT_QUERIES,
	SEKISHO_WAIT_COUNT,
};

/* What a file is called and who may open it: FileInfo of sys/files.rs. */
struct sekisho_file_info {
	const char *name;
	u32 mode;
	/* It stands in the directory features. */
	u32 is_feature;
	/* One of enum sekisho_wait_id, or SEKISHO_WAIT_COUNT. */
	u32 wait;
};

/* A refusal for the kernel's audit stream: Refusal of sys/files.rs. */
struct sekisho_refusal {
	const u8 *mode, *domain, *request;
	u32 mode_size, domain_size, request_size;
	u32 profile, global_pid;
};

/* Credentials and identifiers of the calling task: core's struct Task. */
struct sekisho_task_info {
	u32 uid, gid, euid, egid, suid, sgid, fsuid, fsgid;
	u32 pid, ppid;
	u8 state[3];
	u8 execute_handler;
};

/* A process and its program: Running of sys/task.rs. */
struct sekisho_process_id {
	u64 start, program;
	u32 tgid;
};

/* What sekisho_path_name() found out beside the name. */
struct sekisho_path_facts {
	u32 is_dir;
	/* Components from the end of the name to the one below a procfs root that is the caller's own number; 0: none. */
	u32 self_depth;
};

/* Attributes of a file: core's struct Attributes. */
struct sekisho_attributes {
	u64 ino;
	u32 uid, gid, major, minor, mode, dev_major, dev_minor;
};

/* A mount that move_mount(2) moves. */
struct sekisho_mount {
	const char *type;
	const char *device;
	/*
	 * It is in a tree already; it shows its whole file system; that is in a tree elsewhere, or here; other mounts are on
	 * it; the file system lives on a block device.
	 */
	bool attached, whole, shown, has_mounts, needs_device;
	/* MS_* */
	u32 flags;
	/* The block device; 0 and 0 if the file system has none of its own, or several. */
	u32 major, minor;
};

/* An address and a port, in host order. */
struct sekisho_inet {
	/* 4 or 6 */
	u16 family;
	u16 port;
	u8 bytes[16];
};

/* The kernel's own sockets are not judged. */
struct sekisho_socket {
	u32 family, type, protocol;
	bool kernel;
};

/* System calls that a hook recognises: Call of sys/task.rs. */
enum sekisho_call {
	SEKISHO_CALL_OTHER,
	SEKISHO_CALL_REBOOT,
	SEKISHO_CALL_SETHOSTNAME,
	SEKISHO_CALL_VHANGUP,
	SEKISHO_CALL_DELETE_MODULE,
	SEKISHO_CALL_ADJTIMEX,
	SEKISHO_CALL_MOUNT_SETATTR,
	SEKISHO_CALL_OPEN_TREE,
	SEKISHO_CALL_FSCONFIG,
	SEKISHO_CALL_KEXEC_FILE_LOAD,
	SEKISHO_CALL_ACCEPT,
	SEKISHO_CALL_SCHED_SETATTR,
	/* C only */
	SEKISHO_CALL_EXECVE,
	/* open and its relatives */
	SEKISHO_CALL_OPEN,
	/* io_uring_enter, splice, sendfile: hooks run below locks that the call itself has taken */
	SEKISHO_CALL_BUSY,
};

/* How a hook may wait: Place of waiting.rs. */
enum sekisho_place {
	/* Where it is. */
	SEKISHO_PLACE_HERE,
	/* On the way back to user space, and then the call is made again. */
	SEKISHO_PLACE_LATER,
	/* Not at all. */
	SEKISHO_PLACE_NEVER,
};

/* The head of what a hook leaves to be done later: Deferred of deferred.rs. */
struct sekisho_deferred {
	struct callback_head work;
	struct llist_node node;
};

/* What a socket remembers, in the blob that the framework allocates with it. */
struct sekisho_sock {
	spinlock_t lock;
	u32 standing;
	/* So many receive calls are to return ENOMEM. */
	atomic_t owed;
	/* The policy by which all that is in the queue was judged for the owner; 0: something was not. */
	u32 judged;
	u64 domain;
	struct sekisho_task_info task;
};

/* Bytes of the socket blob, and room to align it. */
#define SEKISHO_SOCK_BLOB (sizeof(struct sekisho_sock) + __alignof__(struct sekisho_sock))

/* net.c */
extern unsigned long sekisho_sock_blob_offset;

/* glue.c */
/* Set once the hooks are in place: an initcall runs even when lsm= leaves Sekisho out. */
extern bool sekisho_running;
void sekisho_lock(u32 id);
void sekisho_unlock(u32 id);
int sekisho_read_lock(void);
void sekisho_read_unlock(int index);
void sekisho_wait_for_readers(void);
void sekisho_schedule_reaper(void);
void sekisho_flush_reaper(void);

/* The Rust side, called from glue.c and files.c. */
int sekisho_rs_init(void);
void sekisho_rs_add_hooks(const struct lsm_id *id);
void sekisho_rs_reap(void);
void sekisho_rs_selftest(void);
bool sekisho_rs_file(u32 index, struct sekisho_file_info *info);
int sekisho_rs_open(u32 index, bool write, void **state);
bool sekisho_rs_has_rest(void *state);
u32 sekisho_rs_queued(u32 wait);
ssize_t sekisho_rs_read(void *state, unsigned long buffer, size_t count);
ssize_t sekisho_rs_write(void *state, unsigned long buffer, size_t count);
void sekisho_rs_release(void *state);
void sekisho_rs_deferred(struct sekisho_deferred *deferred);
void sekisho_rs_wait(bool again);
int sekisho_rs_kernel_loads(bool module, bool kexec);
bool sekisho_rs_judge_packet(struct sock *sk, struct sk_buff *skb, const void *judge);
extern const char sekisho_rs_version[];

#endif
