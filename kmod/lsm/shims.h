/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The C functions that Rust calls; their meaning is documented where they are
 * defined, the Rust side is sys/shims.rs.
 */
#ifndef _SECURITY_SEKISHO_SHIMS_H
#define _SECURITY_SEKISHO_SHIMS_H

#include <linux/kernel_read_file.h>
#include <linux/net.h>
#include <linux/security.h>
#include <linux/skbuff.h>

#include "sekisho.h"

struct io_uring_cmd;
struct lsm_ctx;

/* shims.c */
u64 sekisho_random(void);
u64 sekisho_seconds(void);
u32 sekisho_nofs_enter(void);
void sekisho_nofs_leave(u32 flags);
void *sekisho_buffer_alloc(size_t size);
void sekisho_buffer_free(void *buffer, size_t size);
void sekisho_refill_buffers(void);
unsigned long sekisho_machine_memory(void);
bool sekisho_breathe(void);

/* path.c */
const struct path *sekisho_file_path(const struct file *file);
u32 sekisho_file_flags(const struct file *file);
u32 sekisho_file_mode(const struct file *file);
bool sekisho_file_is_internal(const struct file *file);
bool sekisho_file_is_tmpfile(const struct file *file);
bool sekisho_file_truncates_early(const struct file *file);
bool sekisho_file_is_program(const struct file *file);
struct file *sekisho_shared_file(const struct vm_area_struct *area);
bool sekisho_dentry_is_dir(const struct dentry *dentry);
bool sekisho_has_mount(const struct path *path);
char *sekisho_path_name(const struct path *path, bool locked, char *buffer, int size,
	struct sekisho_path_facts *facts);
void sekisho_put_path(const struct path *path);
void sekisho_put_file(struct file *file);
bool sekisho_path_attributes(const struct path *path, struct sekisho_attributes *out);
bool sekisho_parent_attributes(const struct path *path, struct sekisho_attributes *out);
u32 sekisho_dev_major(u32 dev);
u32 sekisho_dev_minor(u32 dev);
struct file *sekisho_uring_file(const struct io_uring_cmd *command);
u32 sekisho_uring_operation(const struct io_uring_cmd *command);
int sekisho_lookup(const char *name, bool links, struct path *path);
void sekisho_root(struct path *root);
u32 sekisho_filesystem_kind(const char *name);
bool sekisho_conceals(const struct path *path);
void sekisho_describe_mount(const struct path *path, struct sekisho_mount *out);
struct dentry *sekisho_mount_root(const struct vfsmount *mnt);
char *sekisho_super_name(const struct super_block *sb, char *buffer, int size);

/* program.c */
void sekisho_program_started(const struct linux_binprm *bprm);
void sekisho_program_inherited(struct task_struct *child);
void sekisho_program_forgotten(struct task_struct *task);
int sekisho_task_prctl(int option, unsigned long arg2, unsigned long arg3, unsigned long arg4,
	unsigned long arg5);
struct file *sekisho_exe_file(void);
struct file *sekisho_other_exe_file(struct task_struct *task);

/* task.c */
struct sekisho_task *sekisho_task(const struct task_struct *task);
void *sekisho_task_blob(struct task_struct *task);
void *sekisho_current_blob(void);
bool sekisho_in_execve(void);
bool sekisho_task_in_execve(const struct task_struct *task);
void sekisho_task_info(struct sekisho_task_info *info);
void sekisho_other_task_info(struct task_struct *task, struct sekisho_task_info *info);
u32 sekisho_global_pid(void);
bool sekisho_has_mknod(void);
bool sekisho_may_mount(void);
void sekisho_end_workers(void);
void sekisho_process_id(struct sekisho_process_id *out);
bool sekisho_is_user_task(void);
const struct cred *sekisho_own_cred(void);
bool sekisho_same_process(struct task_struct *task);
bool sekisho_signal_is_from_user(const struct kernel_siginfo *info);
u32 sekisho_call(void);
int sekisho_kernel_load_data(enum kernel_load_data_id id, bool contents);
int sekisho_kernel_read_file(struct file *file, enum kernel_read_file_id id, bool contents);
bool sekisho_defer_to_task(struct sekisho_deferred *deferred);
void sekisho_defer(struct sekisho_deferred *deferred);
void sekisho_flush_deferred(void);
char *sekisho_copy_text(const char *text, size_t length);
int sekisho_fill_context(struct lsm_ctx __user *context, u32 *size, void *text, size_t length);

/* waiting.c */
bool sekisho_may_wait(void);
u32 sekisho_open_place(const struct file *file);
u64 sekisho_hash(const void *bytes, size_t size);
u64 sekisho_call_id(void);
bool sekisho_wait_later(void);
u64 sekisho_now(void);
u64 sekisho_tenths(u32 count);
bool sekisho_sleep(const u32 *word, u64 end);
struct task_struct *sekisho_current(void);
void sekisho_wake_task(struct task_struct *task);

/* exec.c */
void sekisho_program_path(const struct linux_binprm *bprm, struct path *program);
void sekisho_named_path(const char *name, const struct file *file, struct path *program);
const struct path *sekisho_bprm_path(const struct linux_binprm *bprm);
const char *sekisho_bprm_filename(const struct linux_binprm *bprm);
unsigned long sekisho_bprm_start(const struct linux_binprm *bprm, u32 *argc, u32 *envc);
unsigned long sekisho_bprm_size(const struct linux_binprm *bprm);
bool sekisho_bprm_copy(const struct linux_binprm *bprm, unsigned long position, char *out,
	u32 size);
void sekisho_bprm_merge_environment(struct linux_binprm *bprm);
int sekisho_bprm_push(struct linux_binprm *bprm, const char *text);
struct file *sekisho_open_program(const char *name);
void sekisho_close_program(struct file *file);
int sekisho_bprm_replace(struct linux_binprm *bprm, struct file *file, const char *name);

/* fowner.c */
void sekisho_set_fowner(const struct file *file, u64 domain, const struct sekisho_task_info *task);
bool sekisho_get_fowner(const struct file *file, struct task_struct *target, u64 *domain,
	struct sekisho_task_info *task, bool *own);
const struct file *sekisho_fowner_file(const struct fown_struct *owner);
void sekisho_file_free_security(struct file *file);

/* net.c */
int sekisho_sk_alloc_security(struct sock *sk, int family, gfp_t priority);
struct sock *sekisho_socket_sk(const struct socket *socket);
void sekisho_describe_socket(const struct sock *sk, struct sekisho_socket *out);
void sekisho_sock_set_owner(struct sock *sk, u64 domain, const struct sekisho_task_info *task);
u64 sekisho_sock_owner(struct sock *sk, struct sekisho_task_info *task);
u32 sekisho_sock_standing(const struct sock *sk);
void sekisho_sock_set_standing(struct sock *sk, u32 standing);
void sekisho_sock_refuse_packet(struct sock *sk);
void sekisho_sock_before_send(struct sock *sk);
bool sekisho_sock_owes_error(struct sock *sk);
u32 sekisho_sock_judged(const struct sock *sk);
void sekisho_sock_set_judged(struct sock *sk, u32 policy);
void sekisho_sock_note_judged(struct sock *sk, u64 domain, u32 policy);
void sekisho_judge_queue(struct sock *sk, const void *judge);
void sekisho_sock_hold(struct sock *sk);
void sekisho_sock_put(struct sock *sk);
bool sekisho_address(const struct sock *sk, const struct sockaddr *address, int length,
	bool unspec, struct sekisho_inet *out);
bool sekisho_is_unspec(const struct sockaddr *address, int length);
const struct sockaddr *sekisho_message_address(const struct msghdr *message, int *length);
bool sekisho_message_opens(const struct msghdr *message);
bool sekisho_local_address(const struct sock *sk, struct sekisho_inet *out);
bool sekisho_peer_address(const struct sock *sk, struct sekisho_inet *out);
u32 sekisho_raw_protocol(const struct sock *sk);
bool sekisho_packet_source(const struct sock *sk, const struct sk_buff *skb,
	struct sekisho_inet *out);
void sekisho_abort_accepted(struct sock *sk, bool called);
void sekisho_set_autobind(const u16 (*ranges)[2], size_t count);

#endif
