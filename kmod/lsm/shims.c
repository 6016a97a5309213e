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
#include <linux/random.h>
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
u64 sekisho_random(void);
u32 sekisho_nofs_enter(void);
void sekisho_nofs_leave(u32 flags);
void *sekisho_buffer_alloc(size_t size);
void sekisho_buffer_free(void *buffer);
const struct path *sekisho_file_path(const struct file *file);
u32 sekisho_file_flags(const struct file *file);
u32 sekisho_file_mode(const struct file *file);
bool sekisho_file_is_backing(const struct file *file);
bool sekisho_file_is_tmpfile(const struct file *file);
bool sekisho_file_truncates_early(const struct file *file);
bool sekisho_dentry_is_dir(const struct dentry *dentry);
bool sekisho_has_mount(const struct path *path);
char *sekisho_path_name(const struct path *path, char *buffer, int size, struct sekisho_path_facts *facts);
void sekisho_program_path(const struct linux_binprm *bprm, struct path *program);
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

u64 sekisho_random(void)
{
	return get_random_u64();
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

/* Type and permissions. */
u32 sekisho_file_mode(const struct file *file)
{
	return file_inode(file)->i_mode;
}

/* Opened by a stacked file system below a file that the user has opened, and that has been judged. */
bool sekisho_file_is_backing(const struct file *file)
{
	return file->f_mode & FMODE_BACKING;
}

bool sekisho_file_is_tmpfile(const struct file *file)
{
	return file->f_flags & __O_TMPFILE;
}

/* FUSE and NFSv4 obey O_TRUNC while they open, before the hook for truncation. */
bool sekisho_file_truncates_early(const struct file *file)
{
	unsigned long magic = file_inode(file)->i_sb->s_magic;

	return (file->f_flags & O_TRUNC) && !(file->f_mode & FMODE_CREATED) &&
	       S_ISREG(file_inode(file)->i_mode) && (magic == FUSE_SUPER_MAGIC || magic == NFS_SUPER_MAGIC);
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

/* TYPE:/way/in/the/file/system */
static char *sekisho_detached_name(struct dentry *dentry, char *buffer, int size)
{
	const char *type = dentry->d_sb->s_type->name;
	int length = strlen(type);
	char *name = dentry_path_raw(dentry, buffer, size);

	if (IS_ERR(name))
		return name;
	if (name - buffer < length + 1)
		return ERR_PTR(-ENAMETOOLONG);
	*--name = ':';
	name -= length;
	memcpy(name, type, length);
	return name;
}

/*
 * The unencoded name of a path, written into the end of @buffer (reference 1.7):
 * a socket's parameters, else what the file system says, else the way to the
 * root of the mount tree, whatever the caller's own root is. An object that is not
 * in that tree (lazy unmount, a file handle) gets the type of its file system and
 * a colon in front of its way to the root of that file system, so that it cannot
 * be taken for one that is.
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
		struct sock *sk;
		int length;

		/* __sock_release() frees the sock with this lock held. */
		inode_lock_shared(inode);
		sk = SOCKET_I(inode)->sk;
		length = sk ? snprintf(buffer, size, "socket:[family=%u:type=%u:protocol=%u]",
				   sk->sk_family, sk->sk_type, sk->sk_protocol) :
			      snprintf(buffer, size, "socket:[unknown]");
		inode_unlock_shared(inode);
		return length < size ? buffer : ERR_PTR(-ENAMETOOLONG);
	}
	if (dentry->d_op && dentry->d_op->d_dname && (!IS_ROOT(dentry) || dentry != path->mnt->mnt_root))
		return dentry->d_op->d_dname(dentry, buffer, size);
	facts->self_depth = sekisho_self_depth(path);
	name = d_absolute_path(path, buffer, size);
	if (name == ERR_PTR(-EINVAL))
		name = sekisho_detached_name(dentry, buffer, size);
	return name;
}

/* Does this link, pinned by the caller, lead to the inode? Looked up again by its own name, from its own directory. */
static bool sekisho_link_leads_to(const struct path *link, const struct inode *inode)
{
	char *buffer = __getname(), *name;
	struct path target;
	bool same = false;

	if (!buffer)
		return false;
	name = d_path(link, buffer, PATH_MAX);
	if (!IS_ERR(name) && !kern_path(name, LOOKUP_FOLLOW, &target)) {
		same = d_backing_inode(target.dentry) == inode;
		path_put(&target);
	}
	__putname(buffer);
	return same;
}

/*
 * The program of an execve as policy names it: the path given to execve with a
 * link in its last component not followed (reference 6.2). The look-up happens
 * after the file was opened, and the caller's directory may change in between.
 * So the entry found is held, and its name counts only if the entry is the
 * opened file or a link that leads to it; else, and for a file named by its
 * descriptor, the name is the path of the opened file. The caller puts @program.
 */
void sekisho_program_path(const struct linux_binprm *bprm, struct path *program)
{
	const struct inode *opened = file_inode(bprm->file);

	if (!bprm->fdpath && !kern_path(bprm->filename, 0, program)) {
		if (d_backing_inode(program->dentry) == opened ||
		    (d_is_symlink(program->dentry) && sekisho_link_leads_to(program, opened)))
			return;
		path_put(program);
	}
	*program = bprm->file->f_path;
	path_get(program);
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
