// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accessors for Rust: inline functions and macros of the kernel, and the fields
 * of VFS structures, whose layout differs between kernels and which Rust
 * therefore never reads itself. No decision is made here.
 */
#include <linux/cred.h>
#include <linux/dcache.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/pid_namespace.h>
#include <linux/proc_fs.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <net/sock.h>
#include <uapi/linux/magic.h>

#include "sekisho.h"

extern unsigned long sekisho_task_blob_offset;

/* Prototypes for -Wmissing-prototypes; the users are in sys/shims.rs. */
void *sekisho_task_blob(struct task_struct *task);
void *sekisho_current_blob(void);
bool sekisho_in_execve(void);
void sekisho_task_info(struct sekisho_task_info *info);
u32 sekisho_global_pid(void);
u64 sekisho_seconds(void);
u32 sekisho_nofs_enter(void);
void sekisho_nofs_leave(u32 flags);
void *sekisho_buffer_alloc(size_t size);
void sekisho_buffer_free(void *buffer);
const struct path *sekisho_file_path(const struct file *file);
u32 sekisho_file_flags(const struct file *file);
bool sekisho_file_is_dir(const struct file *file);
bool sekisho_dentry_is_dir(const struct dentry *dentry);
bool sekisho_has_mount(const struct path *path);
char *sekisho_path_name(const struct path *path, char *buffer, int size, struct sekisho_path_facts *facts);
int sekisho_program_path(const struct linux_binprm *bprm, struct path *program);
struct file *sekisho_exe_file(void);
void sekisho_put_file(struct file *file);
void sekisho_put_path(const struct path *path);

void *sekisho_task_blob(struct task_struct *task)
{
	return task->security + sekisho_task_blob_offset;
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

void sekisho_task_info(struct sekisho_task_info *info)
{
	const struct cred *cred = current_cred();

	*info = (struct sekisho_task_info){
		.uid = from_kuid(&init_user_ns, cred->uid),
		.gid = from_kgid(&init_user_ns, cred->gid),
		.euid = from_kuid(&init_user_ns, cred->euid),
		.egid = from_kgid(&init_user_ns, cred->egid),
		.suid = from_kuid(&init_user_ns, cred->suid),
		.sgid = from_kgid(&init_user_ns, cred->sgid),
		.fsuid = from_kuid(&init_user_ns, cred->fsuid),
		.fsgid = from_kgid(&init_user_ns, cred->fsgid),
		.pid = task_tgid_vnr(current),
		.ppid = task_ppid_nr_ns(current, task_active_pid_ns(current)),
	};
}

u32 sekisho_global_pid(void)
{
	return task_pid_nr(current);
}

u64 sekisho_seconds(void)
{
	return ktime_get_real_seconds();
}

/* Hooks run below locks of the file system: no allocation in them may call back into one. */
u32 sekisho_nofs_enter(void)
{
	return memalloc_nofs_save();
}

void sekisho_nofs_leave(u32 flags)
{
	memalloc_nofs_restore(flags);
}

void *sekisho_buffer_alloc(size_t size)
{
	return kvzalloc(size, GFP_KERNEL);
}

void sekisho_buffer_free(void *buffer)
{
	kvfree(buffer);
}

const struct path *sekisho_file_path(const struct file *file)
{
	return &file->f_path;
}

u32 sekisho_file_flags(const struct file *file)
{
	return file->f_flags;
}

bool sekisho_file_is_dir(const struct file *file)
{
	return S_ISDIR(file_inode(file)->i_mode);
}

bool sekisho_dentry_is_dir(const struct dentry *dentry)
{
	return d_is_dir(dentry);
}

bool sekisho_has_mount(const struct path *path)
{
	return path->mnt && path->dentry;
}

/* Does this name, of an entry directly below a procfs root, stand for the calling process? */
static bool sekisho_is_own_number(struct dentry *dentry)
{
	pid_t tgid = task_tgid_nr_ns(current, proc_pid_ns(dentry->d_sb));
	char text[12];
	bool same;

	if (!tgid)
		return false;
	snprintf(text, sizeof(text), "%d", tgid);
	spin_lock(&dentry->d_lock);
	same = !strcmp(dentry->d_name.name, text);
	spin_unlock(&dentry->d_lock);
	return same;
}

/* How many components from the end of the name the caller's own number in procfs stands; 0: it does not. */
static u32 sekisho_self_depth(const struct path *path)
{
	struct dentry *dentry = path->dentry, *root = dentry->d_sb->s_root;
	u32 depth = 1, found = 0;

	if (dentry->d_sb->s_magic != PROC_SUPER_MAGIC)
		return 0;
	rcu_read_lock();
	while (dentry != path->mnt->mnt_root && dentry != root) {
		struct dentry *parent = READ_ONCE(dentry->d_parent);

		if (parent == root) {
			found = sekisho_is_own_number(dentry) ? depth : 0;
			break;
		}
		if (parent == dentry)
			break;
		dentry = parent;
		depth++;
	}
	rcu_read_unlock();
	return found;
}

/*
 * The unencoded name of a path, written into the end of @buffer (reference 1.7):
 * a socket's parameters, else what the file system says, else the way to the
 * root of the mount tree, whatever the caller's own root is. For a detached tree
 * the way ends at its top.
 *
 * Returns a pointer into @buffer or an ERR_PTR, -ENAMETOOLONG if it is too small.
 */
char *sekisho_path_name(const struct path *path, char *buffer, int size, struct sekisho_path_facts *facts)
{
	struct dentry *dentry = path->dentry;
	struct inode *inode = d_backing_inode(dentry);
	char *name;

	facts->is_dir = inode && S_ISDIR(inode->i_mode);
	facts->self_depth = 0;
	if (inode && inode->i_sb->s_magic == SOCKFS_MAGIC && S_ISSOCK(inode->i_mode)) {
		struct sock *sk = SOCKET_I(inode)->sk;
		int length = sk ? snprintf(buffer, size, "socket:[family=%u:type=%u:protocol=%u]",
					   sk->sk_family, sk->sk_type, sk->sk_protocol) :
				  snprintf(buffer, size, "socket:[unknown]");

		return length < size ? buffer : ERR_PTR(-ENAMETOOLONG);
	}
	if (dentry->d_op && dentry->d_op->d_dname && (!IS_ROOT(dentry) || dentry != path->mnt->mnt_root))
		return dentry->d_op->d_dname(dentry, buffer, size);
	facts->self_depth = sekisho_self_depth(path);
	name = d_absolute_path(path, buffer, size);
	if (name == ERR_PTR(-EINVAL))
		name = dentry_path_raw(dentry, buffer, size);
	return name;
}

/*
 * The program of an execve as policy names it: the path given to execve with a
 * link in its last component not followed (reference 6.2). The look-up happens
 * after the file was opened, so the name counts only if following it leads to
 * that very file; else, and for a file named by its descriptor, it is the path
 * of the opened file. The caller puts @program.
 */
int sekisho_program_path(const struct linux_binprm *bprm, struct path *program)
{
	struct path followed;
	bool same;

	if (!bprm->fdpath && !kern_path(bprm->filename, LOOKUP_FOLLOW, &followed)) {
		same = d_backing_inode(followed.dentry) == file_inode(bprm->file);
		path_put(&followed);
		if (same && !kern_path(bprm->filename, 0, program)) {
			if (d_is_symlink(program->dentry) ||
			    d_backing_inode(program->dentry) == file_inode(bprm->file))
				return 0;
			path_put(program);
		}
	}
	*program = bprm->file->f_path;
	path_get(program);
	return 0;
}

void sekisho_put_path(const struct path *path)
{
	path_put(path);
}

/* The caller's executable file, or NULL; put it with sekisho_put_file(). */
struct file *sekisho_exe_file(void)
{
	return current->mm ? get_mm_exe_file(current->mm) : NULL;
}

void sekisho_put_file(struct file *file)
{
	fput(file);
}
