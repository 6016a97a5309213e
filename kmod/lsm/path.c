// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files: their names and attributes, and what is to be known of mounts. Rust
 * never reads a field of a VFS structure itself; no decision is made here.
 */
#include <linux/blkdev.h>
#include <linux/capability.h>
#include <linux/dcache.h>
#include <linux/fs_struct.h>
#include <linux/io_uring/cmd.h>
#include <linux/kdev_t.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>
#include <linux/proc_fs.h>
#include <net/sock.h>
#include <uapi/linux/magic.h>
#include <uapi/linux/mount.h>

#include "../../fs/mount.h"
#include "shims.h"

const struct path *sekisho_file_path(const struct file *file)
{
	/* Of a file that a stacked file system opened below: what the program has opened. */
	return file_user_path(file);
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

/*
 * Opened by a stacked file system below a file that the user has opened, and that
 * has been judged; or what pidfd_open(2) makes, which is no opening of a file.
 */
bool sekisho_file_is_internal(const struct file *file)
{
	return file->f_mode & FMODE_BACKING || file_inode(file)->i_sb->s_magic == PID_FS_MAGIC;
}

bool sekisho_file_is_tmpfile(const struct file *file)
{
	return file->f_flags & __O_TMPFILE;
}

/* File systems whose server does the work obey O_TRUNC while they open, before the hook for truncation. */
bool sekisho_file_truncates_early(const struct file *file)
{
	if (!(file->f_flags & O_TRUNC) || (file->f_mode & FMODE_CREATED) || !S_ISREG(file_inode(file)->i_mode))
		return false;
	switch (file_inode(file)->i_sb->s_magic) {
	case FUSE_SUPER_MAGIC:
	case NFS_SUPER_MAGIC:
	case CIFS_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case V9FS_MAGIC:
	case CODA_SUPER_MAGIC:
	case 0x786f4256: /* vboxsf */
		return true;
	default:
		return false;
	}
}

/* Opened by execve itself, or by the kernel to start a program; others can set the flag too, through ioctl of XFS. */
bool sekisho_file_is_program(const struct file *file)
{
	return (file->f_flags & __FMODE_EXEC) && (!current->mm || sekisho_call() == SEKISHO_CALL_EXECVE);
}

/* The file of a shared mapping, or NULL. */
struct file *sekisho_shared_file(const struct vm_area_struct *area)
{
	return area->vm_flags & VM_SHARED ? area->vm_file : NULL;
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
 * @locked: the caller holds the inode's lock.
 *
 * Returns a pointer into @buffer or an ERR_PTR, -ENAMETOOLONG if it is too small.
 */
char *sekisho_path_name(const struct path *path, bool locked, char *buffer, int size,
			struct sekisho_path_facts *facts)
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
		if (!locked)
			inode_lock_shared(inode);
		sk = SOCKET_I(inode)->sk;
		length = sk ? snprintf(buffer, size, "socket:[family=%u:type=%u:protocol=%u]",
				   sk->sk_family, sk->sk_type, sk->sk_protocol) :
			      snprintf(buffer, size, "socket:[unknown]");
		if (!locked)
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

void sekisho_put_path(const struct path *path)
{
	path_put(path);
}

void sekisho_put_file(struct file *file)
{
	fput(file);
}

/* The inode's attributes, as the initial user namespace and the host's devices are counted. */
static void sekisho_read_attributes(const struct inode *inode, struct sekisho_attributes *out)
{
	*out = (struct sekisho_attributes){
		.uid = __kuid_val(inode->i_uid),
		.gid = __kgid_val(inode->i_gid),
		.ino = inode->i_ino,
		.major = MAJOR(inode->i_sb->s_dev),
		.minor = MINOR(inode->i_sb->s_dev),
		.mode = inode->i_mode,
	};
	if (S_ISBLK(inode->i_mode) || S_ISCHR(inode->i_mode)) {
		out->dev_major = MAJOR(inode->i_rdev);
		out->dev_minor = MINOR(inode->i_rdev);
	}
}

/* False if the object does not exist. */
bool sekisho_path_attributes(const struct path *path, struct sekisho_attributes *out)
{
	const struct inode *inode = d_backing_inode(path->dentry);

	if (!inode)
		return false;
	sekisho_read_attributes(inode, out);
	return true;
}

/* Of the directory that contains the object; for the root of a mount that is the directory it is mounted in. */
bool sekisho_parent_attributes(const struct path *path, struct sekisho_attributes *out)
{
	struct path place = *path;
	struct dentry *parent;

	path_get(&place);
	while (place.dentry == place.mnt->mnt_root && follow_up(&place))
		;
	parent = dget_parent(place.dentry);
	sekisho_read_attributes(d_inode(parent), out);
	dput(parent);
	path_put(&place);
	return true;
}

u32 sekisho_dev_major(u32 dev)
{
	return MAJOR(new_decode_dev(dev));
}

u32 sekisho_dev_minor(u32 dev)
{
	return MINOR(new_decode_dev(dev));
}

/* The file and the number of a command that io_uring brings to a driver. */
struct file *sekisho_uring_file(const struct io_uring_cmd *command)
{
	return command->file;
}

u32 sekisho_uring_operation(const struct io_uring_cmd *command)
{
	return command->cmd_op;
}

/* Looks a name up as the caller sees it, with links or without any; put the path with sekisho_put_path(). */
int sekisho_lookup(const char *name, bool links, struct path *path)
{
	return kern_path(name, links ? LOOKUP_FOLLOW : LOOKUP_NO_SYMLINKS, path);
}

/* The caller's root directory; put it with sekisho_put_path(). */
void sekisho_root(struct path *root)
{
	get_fs_root(current->fs, root);
}

/* 0: no such file system type; 1: it has no device; 2: it lives on a block device. */
u32 sekisho_filesystem_kind(const char *name)
{
	struct file_system_type *type = get_fs_type(name);
	u32 kind;

	if (!type)
		return 0;
	kind = type->fs_flags & FS_REQUIRES_DEV ? 2 : 1;
	put_filesystem(type);
	return kind;
}

/* May the task mount in its name space at all? Linux asks after the hook. */
bool sekisho_may_mount(void)
{
	return ns_capable_noaudit(current->nsproxy->mnt_ns->user_ns, CAP_SYS_ADMIN);
}

/*
 * Would a mount on this place hide another one of the caller's name space? Asked
 * of the mounts that are on this mount, which are few, not of the directories
 * below the place, of which there may be any number.
 */
bool sekisho_conceals(const struct path *path)
{
	const struct mount *child;
	bool hidden = false;

	/* A mount on the root of a mount hides that one; only the first mount of all is not on anything. */
	if (path->dentry == path->mnt->mnt_root)
		return true;
	read_seqlock_excl(&mount_lock);
	list_for_each_entry(child, &real_mount(path->mnt)->mnt_mounts, mnt_child) {
		hidden = is_subdir(child->mnt_mountpoint, path->dentry);
		if (hidden)
			break;
	}
	read_sequnlock_excl(&mount_lock);
	return hidden;
}

/*
 * Is the mount in the tree of a name space? Not one of the kernel's own, nor one
 * that fsmount(2) or open_tree(2) made. The caller holds mount_lock: the name
 * space of those is freed as soon as they have left it, without a grace period.
 */
static bool sekisho_is_attached(const struct mount *mount)
{
	struct mnt_namespace *ns = READ_ONCE(mount->mnt_ns);

	return !IS_ERR_OR_NULL(ns) && !is_anon_ns(ns);
}

/*
 * Is the file system in the tree already? Then a detached mount of all of it is
 * a copy, which looks like a new one otherwise. The caller holds mount_lock, so
 * that no mount leaves the list.
 */
static bool sekisho_is_shown(struct super_block *sb)
{
	const struct mount *mount;

	list_for_each_entry(mount, &sb->s_mounts, mnt_instance)
		if (sekisho_is_attached(mount))
			return true;
	return false;
}

/* The block device on which a file system lives, if it says so: one of several devices (btrfs) does not. */
static u32 sekisho_device_of(const struct super_block *sb)
{
	return sb->s_bdev ? sb->s_bdev->bd_dev : 0;
}

/* What a mount is that move_mount(2) puts into the tree. */
void sekisho_describe_mount(const struct path *path, struct sekisho_mount *out)
{
	const struct mount *mount = real_mount(path->mnt);
	struct super_block *sb = path->mnt->mnt_sb;
	bool attached, shown, has_mounts;

	read_seqlock_excl(&mount_lock);
	attached = sekisho_is_attached(mount);
	shown = sekisho_is_shown(sb);
	has_mounts = !list_empty(&mount->mnt_mounts);
	read_sequnlock_excl(&mount_lock);
	*out = (struct sekisho_mount){
		.type = sb->s_type->name,
		.device = mount->mnt_devname,
		.attached = attached,
		.whole = path->mnt->mnt_root == sb->s_root,
		.shown = shown,
		.has_mounts = has_mounts,
		.major = MAJOR(sekisho_device_of(sb)),
		.minor = MINOR(sekisho_device_of(sb)),
		.needs_device = sb->s_type->fs_flags & FS_REQUIRES_DEV,
		.flags = (sb_rdonly(sb) || (path->mnt->mnt_flags & MNT_READONLY) ? MS_RDONLY : 0) |
			 (path->mnt->mnt_flags & MNT_NOSUID ? MS_NOSUID : 0) |
			 (path->mnt->mnt_flags & MNT_NODEV ? MS_NODEV : 0) |
			 (path->mnt->mnt_flags & MNT_NOEXEC ? MS_NOEXEC : 0),
	};
}

struct dentry *sekisho_mount_root(const struct vfsmount *mnt)
{
	return mnt->mnt_root;
}

/* TYPE:/ of a file system, see sekisho_path_name(). */
char *sekisho_super_name(const struct super_block *sb, char *buffer, int size)
{
	return sekisho_detached_name(sb->s_root, buffer, size);
}
