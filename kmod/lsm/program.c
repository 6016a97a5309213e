// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which program a task runs: the file that its last execve started, inherited by
 * fork. /proc/PID/exe is another thing: with prctl(PR_SET_MM) a task can put any
 * file there. So the file found there counts only if it is the one that was
 * started, and who asks for another one keeps the one that was.
 */
#include <linux/binfmts.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/prctl.h>
#include <linux/sched/mm.h>

#include "shims.h"

/* Only the task itself writes its program; others compare, and find none while it changes. */
void sekisho_program_started(const struct linux_binprm *bprm)
{
	struct sekisho_program *program = &sekisho_task(current)->program;
	const struct inode *inode = file_inode(bprm->file);
	struct file *kept = program->kept;

	WRITE_ONCE(program->mnt, bprm->file->f_path.mnt);
	WRITE_ONCE(program->dentry, bprm->file->f_path.dentry);
	WRITE_ONCE(program->ino, inode->i_ino);
	WRITE_ONCE(program->dev, inode->i_sb->s_dev);
	WRITE_ONCE(program->generation, inode->i_generation);
	program->kept = NULL;
	if (kept)
		fput(kept);
}

/* A new task runs the program of the one that makes it. */
void sekisho_program_inherited(struct task_struct *child)
{
	struct sekisho_program *program = &sekisho_task(child)->program;

	*program = sekisho_task(current)->program;
	if (program->kept)
		get_file(program->kept);
}

/* The task is gone. */
void sekisho_program_forgotten(struct task_struct *task)
{
	struct sekisho_program *program = &sekisho_task(task)->program;

	if (program->kept)
		fput(program->kept);
}

static bool sekisho_is_started(const struct sekisho_program *program, const struct file *file)
{
	const struct inode *inode = file_inode(file);

	return READ_ONCE(program->mnt) == file->f_path.mnt && READ_ONCE(program->dentry) == file->f_path.dentry &&
	       READ_ONCE(program->ino) == inode->i_ino && READ_ONCE(program->dev) == inode->i_sb->s_dev &&
	       READ_ONCE(program->generation) == inode->i_generation;
}

/* The calling task's program, or NULL if it is not known; put it with sekisho_put_file(). */
struct file *sekisho_exe_file(void)
{
	const struct sekisho_program *program = &sekisho_task(current)->program;
	struct file *file;

	if (program->kept)
		return get_file(program->kept);
	file = current->mm ? get_mm_exe_file(current->mm) : NULL;
	if (file && !sekisho_is_started(program, file)) {
		fput(file);
		return NULL;
	}
	return file;
}

/* The same of another task; not known once that has put another file there. */
struct file *sekisho_other_exe_file(struct task_struct *task)
{
	struct file *file = get_task_exe_file(task);

	if (file && !sekisho_is_started(&sekisho_task(task)->program, file)) {
		fput(file);
		return NULL;
	}
	return file;
}

/* The hook task_prctl: the file is about to be replaced, perhaps. Says nothing against it. */
int sekisho_task_prctl(int option, unsigned long arg2, unsigned long arg3, unsigned long arg4, unsigned long arg5)
{
	struct sekisho_program *program = &sekisho_task(current)->program;

	if (option == PR_SET_MM && (arg2 == PR_SET_MM_EXE_FILE || arg2 == PR_SET_MM_MAP) && !program->kept)
		program->kept = sekisho_exe_file();
	return -ENOSYS;
}
