// SPDX-License-Identifier: GPL-2.0-only
/*
 * execve: the name of the program, its arguments and environment, and putting
 * another program in its place.
 */
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/fs_struct.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/sched/mm.h>
#include <linux/security.h>
#include <uapi/linux/magic.h>

#include "shims.h"

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

/* Is it below the caller's root? A descriptor from before a chroot leads elsewhere. */
static bool sekisho_is_reachable(const struct path *path)
{
	struct path root;
	bool reachable;

	get_fs_root(current->fs, &root);
	reachable = path_is_under(path, &root);
	path_put(&root);
	return reachable;
}

/*
 * Is this entry, pinned by the caller, the opened file or a link that leads to it?
 * A link that procfs makes up is no name (reference 6.4), and one outside of the
 * caller's root says something else to whoever wrote it than it does here.
 */
static bool sekisho_is_program(const struct path *entry, const struct inode *opened)
{
	if (d_backing_inode(entry->dentry) == opened)
		return true;
	return d_is_symlink(entry->dentry) && entry->dentry->d_sb->s_magic != PROC_SUPER_MAGIC &&
	       sekisho_is_reachable(entry) && sekisho_link_leads_to(entry, opened);
}

/* Links that procfs makes up are not followed on the way either: a name with one in it is none. */
static const unsigned int sekisho_name_lookup = LOOKUP_NO_MAGICLINKS;

/* execveat(2) with a directory's descriptor and a name: the kernel calls the program /dev/fd/DESCRIPTOR/NAME. */
static bool sekisho_below_descriptor(const struct linux_binprm *bprm, struct path *program)
{
	struct file *directory;
	int fd, name = 0;
	bool found;

	if (sscanf(bprm->fdpath, "/dev/fd/%d/%n", &fd, &name) != 1 || !name || !bprm->fdpath[name])
		return false;
	directory = fget_raw(fd);
	if (!directory)
		return false;
	found = !vfs_path_lookup(directory->f_path.dentry, directory->f_path.mnt, bprm->fdpath + name,
				 sekisho_name_lookup, program);
	fput(directory);
	if (found && !sekisho_is_program(program, file_inode(bprm->file))) {
		path_put(program);
		found = false;
	}
	return found;
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
	if (!bprm->fdpath)
		sekisho_named_path(bprm->filename, bprm->file, program);
	else if (!sekisho_below_descriptor(bprm, program))
		sekisho_named_path(NULL, bprm->file, program);
}

/* The same for a file that was opened by a name. */
void sekisho_named_path(const char *name, const struct file *file, struct path *program)
{
	const struct inode *opened = file_inode(file);

	if (name && !kern_path(name, sekisho_name_lookup, program)) {
		if (sekisho_is_program(program, opened))
			return;
		path_put(program);
	}
	*program = file->f_path;
	path_get(program);
}

/* The file that is being executed. */
const struct path *sekisho_bprm_path(const struct linux_binprm *bprm)
{
	return &bprm->file->f_path;
}

/* The file name as it was given to execve. */
const char *sekisho_bprm_filename(const struct linux_binprm *bprm)
{
	return bprm->filename;
}

/* Where the argument strings begin; the environment's follow them. */
unsigned long sekisho_bprm_start(const struct linux_binprm *bprm, u32 *argc, u32 *envc)
{
	*argc = bprm->argc;
	*envc = bprm->envc;
	return bprm->p;
}

/* How many bytes they have: they end where the program's name begins. */
unsigned long sekisho_bprm_size(const struct linux_binprm *bprm)
{
	return bprm->exec - bprm->p;
}

/* Copies @size bytes, all in one page, out of the new program's stack. */
bool sekisho_bprm_copy(const struct linux_binprm *bprm, unsigned long position, char *out, u32 size)
{
	struct page *page;
	int got;

	mmap_read_lock(bprm->mm);
	got = get_user_pages_remote(bprm->mm, position, 1, FOLL_FORCE, &page, NULL);
	mmap_read_unlock(bprm->mm);
	if (got <= 0)
		return false;
	memcpy_from_page(out, page, offset_in_page(position), size);
	put_page(page);
	return true;
}

/* The old environment becomes arguments, the new one is empty. */
void sekisho_bprm_merge_environment(struct linux_binprm *bprm)
{
	bprm->argc += bprm->envc;
	bprm->envc = 0;
}

/* Puts an argument in front of all others. */
int sekisho_bprm_push(struct linux_binprm *bprm, const char *text)
{
	int error = copy_string_kernel(text, bprm);

	if (!error)
		bprm->argc++;
	return error;
}

/* Opens a program as execve does. */
struct file *sekisho_open_program(const char *name)
{
	return open_exec(name);
}

void sekisho_close_program(struct file *file)
{
	exe_file_allow_write_access(file);
	fput(file);
}

/* Executes @file, which was opened by @name, in place of the program; takes over the reference if there is no error. */
int sekisho_bprm_replace(struct linux_binprm *bprm, struct file *file, const char *name)
{
	int error = bprm_change_interp(name, bprm);

	if (error)
		return error;
	swap(bprm->file, file);
	sekisho_close_program(file);
	return 0;
}
