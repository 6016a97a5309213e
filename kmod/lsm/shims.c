// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inline functions and macros of the kernel that Rust cannot call: memory, time,
 * random numbers. Those about files, tasks, execve and sockets are in files of
 * their own.
 */
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "shims.h"

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

/*
 * Buffers for names. A hook that allows is not to allocate, so a few are kept:
 * who comes takes the first that is there, who leaves puts his back. Only when
 * all are in use, and for long names, is memory asked for.
 */
static void *sekisho_buffers[16];

void *sekisho_buffer_alloc(size_t size)
{
	u32 i, start = raw_smp_processor_id();

	for (i = 0; size == SEKISHO_BUFFER_SIZE && i < ARRAY_SIZE(sekisho_buffers); i++) {
		void **place = &sekisho_buffers[(start + i) % ARRAY_SIZE(sekisho_buffers)];
		void *buffer = READ_ONCE(*place) ? xchg(place, NULL) : NULL;

		if (buffer)
			return buffer;
	}
	/* Rust may read all of it, so it is never uninitialised; what a former user left there does not matter. */
	return kvzalloc(size, GFP_KERNEL);
}

void sekisho_buffer_free(void *buffer, size_t size)
{
	u32 i, start = raw_smp_processor_id();

	for (i = 0; size == SEKISHO_BUFFER_SIZE && i < ARRAY_SIZE(sekisho_buffers); i++) {
		void **place = &sekisho_buffers[(start + i) % ARRAY_SIZE(sekisho_buffers)];

		if (!READ_ONCE(*place) && !cmpxchg(place, NULL, buffer))
			return;
	}
	kvfree(buffer);
}

/* Who is about to sleep for long with buffers of his leaves as many to others. */
void sekisho_refill_buffers(void)
{
	void *buffer;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(sekisho_buffers); i++) {
		if (READ_ONCE(sekisho_buffers[i]))
			continue;
		buffer = kvzalloc(SEKISHO_BUFFER_SIZE, GFP_KERNEL);
		if (!buffer)
			return;
		if (cmpxchg(&sekisho_buffers[i], NULL, buffer))
			kvfree(buffer);
	}
}

/* Bytes of memory that the kernel has, as far as a word can say. */
unsigned long sekisho_machine_memory(void)
{
	return min_t(u64, (u64)totalram_pages() << PAGE_SHIFT, ULONG_MAX);
}

/* In long loops: lets others run. False if the task is being killed. */
bool sekisho_breathe(void)
{
	cond_resched();
	return !fatal_signal_pending(current);
}
