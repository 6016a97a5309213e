// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets: addresses, what a socket remembers, the packet that arrives, and the
 * ports that are never chosen by the kernel.
 */
#define pr_fmt(fmt) "sekisho: " fmt

#include <linux/bitmap.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/lsm_hooks.h>
#include <linux/net.h>
#include <linux/skbuff.h>
#include <linux/sched/task_stack.h>
#include <linux/udp.h>
#include <net/inet_sock.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include <net/netns/ipv4.h>
#include <net/sock.h>
#include <net/udp.h>
#include <asm/syscall.h>

#include "shims.h"

unsigned long sekisho_sock_blob_offset __ro_after_init;

static struct sekisho_sock *sekisho_sock(const struct sock *sk)
{
	void *blob = sk->sk_security + sekisho_sock_blob_offset;

	return PTR_ALIGN(blob, __alignof__(struct sekisho_sock));
}

int sekisho_sk_alloc_security(struct sock *sk, int family, gfp_t priority)
{
	spin_lock_init(&sekisho_sock(sk)->lock);
	return 0;
}

struct sock *sekisho_socket_sk(const struct socket *socket)
{
	return socket->sk;
}

void sekisho_describe_socket(const struct sock *sk, struct sekisho_socket *out)
{
	*out = (struct sekisho_socket){
		.family = sk->sk_family,
		.type = sk->sk_type,
		.protocol = sk->sk_protocol,
		.kernel = sk->sk_kern_sock,
	};
}

/* Who receives from the socket. */
void sekisho_sock_set_owner(struct sock *sk, u64 domain, const struct sekisho_task_info *task)
{
	struct sekisho_sock *own = sekisho_sock(sk);

	spin_lock_bh(&own->lock);
	own->domain = domain;
	own->task = *task;
	WRITE_ONCE(own->judged, 0);
	spin_unlock_bh(&own->lock);
}

u32 sekisho_sock_judged(const struct sock *sk)
{
	return READ_ONCE(sekisho_sock(sk)->judged);
}

void sekisho_sock_set_judged(struct sock *sk, u32 policy)
{
	WRITE_ONCE(sekisho_sock(sk)->judged, policy);
}

static bool sekisho_is_udp(const struct sock *sk)
{
	return sk->sk_type == SOCK_DGRAM && (sk->sk_protocol == IPPROTO_UDP || sk->sk_protocol == IPPROTO_UDPLITE);
}

/*
 * A packet arrives that was judged for the domain by the policy: if it is the
 * only one, that is true of all that wait.
 */
void sekisho_sock_note_judged(struct sock *sk, u64 domain, u32 policy)
{
	struct sekisho_sock *own = sekisho_sock(sk);

	if (!skb_queue_empty_lockless(&sk->sk_receive_queue) ||
	    (sekisho_is_udp(sk) && !skb_queue_empty_lockless(&udp_sk(sk)->reader_queue)))
		return;
	spin_lock_bh(&own->lock);
	if (own->domain == domain)
		WRITE_ONCE(own->judged, policy);
	spin_unlock_bh(&own->lock);
}

/*
 * Shows each packet that waits in the queue to Rust and drops those that it
 * refuses; the next receive calls return ENOMEM, one for each. All of them, not
 * the first only: two who receive at the same time take the second as well.
 * UDP readers take from a queue of their own, which they fill from the usual one.
 */
void sekisho_judge_queue(struct sock *sk, const void *judge)
{
	bool udp = sekisho_is_udp(sk);
	struct sk_buff_head *queue = udp ? &udp_sk(sk)->reader_queue : &sk->sk_receive_queue;
	struct sk_buff_head refused;
	struct sk_buff *skb, *next;

	if (skb_queue_empty_lockless(queue) && skb_queue_empty_lockless(&sk->sk_receive_queue))
		return;
	__skb_queue_head_init(&refused);
	spin_lock_bh(&queue->lock);
	if (udp) {
		spin_lock(&sk->sk_receive_queue.lock);
		skb_queue_splice_tail_init(&sk->sk_receive_queue, queue);
		spin_unlock(&sk->sk_receive_queue.lock);
	}
	skb_queue_walk_safe(queue, skb, next) {
		if (sekisho_rs_judge_packet(sk, skb, judge))
			continue;
		__skb_unlink(skb, queue);
		__skb_queue_tail(&refused, skb);
		if (udp)
			udp_skb_destructor(sk, skb);
	}
	spin_unlock_bh(&queue->lock);
	while ((skb = __skb_dequeue(&refused))) {
		atomic_inc(&sk->sk_drops);
		atomic_inc(&sekisho_sock(sk)->owed);
		kfree_skb(skb);
	}
}

u64 sekisho_sock_owner(struct sock *sk, struct sekisho_task_info *task)
{
	struct sekisho_sock *own = sekisho_sock(sk);
	u64 domain;

	spin_lock_bh(&own->lock);
	domain = own->domain;
	*task = own->task;
	spin_unlock_bh(&own->lock);
	return domain;
}

u32 sekisho_sock_standing(const struct sock *sk)
{
	return READ_ONCE(sekisho_sock(sk)->standing);
}

void sekisho_sock_set_standing(struct sock *sk, u32 standing)
{
	WRITE_ONCE(sekisho_sock(sk)->standing, standing);
}

/*
 * A packet was refused: the receive call that waits for it, or the next one,
 * returns ENOMEM (reference 9.5). The error waits where the kernel keeps those
 * of a socket; sekisho_sock_before_send() sees to it that no send call gets it.
 */
void sekisho_sock_refuse_packet(struct sock *sk)
{
	WRITE_ONCE(sk->sk_err, ENOMEM);
	sk_error_report(sk);
}

void sekisho_sock_before_send(struct sock *sk)
{
	if (unlikely(READ_ONCE(sk->sk_err) == ENOMEM) && cmpxchg(&sk->sk_err, ENOMEM, 0) == ENOMEM)
		atomic_inc(&sekisho_sock(sk)->owed);
}

bool sekisho_sock_owes_error(struct sock *sk)
{
	return atomic_dec_if_positive(&sekisho_sock(sk)->owed) >= 0;
}

void sekisho_sock_hold(struct sock *sk)
{
	sock_hold(sk);
}

void sekisho_sock_put(struct sock *sk)
{
	sock_put(sk);
}

static void sekisho_put_v4(struct sekisho_inet *out, __be32 address, __be16 port)
{
	out->family = 4;
	out->port = ntohs(port);
	memcpy(out->bytes, &address, sizeof(address));
}

static void sekisho_put_v6(struct sekisho_inet *out, const struct in6_addr *address, __be16 port)
{
	out->family = 6;
	out->port = ntohs(port);
	memcpy(out->bytes, address, sizeof(*address));
}

/*
 * Which family an address without one has: IPv4 sockets take it for AF_INET when
 * they bind and send, and raw sockets of IPv6 (also those of L2TP) for AF_INET6.
 */
static int sekisho_unspecified_family(const struct sock *sk)
{
	if (sk->sk_family == AF_INET)
		return AF_INET;
	if (sk->sk_family == AF_INET6 && (sk->sk_type == SOCK_RAW || sk->sk_protocol == IPPROTO_L2TP))
		return AF_INET6;
	return AF_UNSPEC;
}

/*
 * The address that a program gives, which has been copied from it; @unspec says
 * whether it may have no family. False if it is none that can be judged.
 */
bool sekisho_address(const struct sock *sk, const struct sockaddr *address, int length, bool unspec,
		     struct sekisho_inet *out)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	int family;

	if (!address || length < (int)offsetofend(struct sockaddr, sa_family))
		return false;
	family = address->sa_family;
	if (family == AF_UNSPEC && unspec)
		family = sekisho_unspecified_family(sk);
	switch (family) {
	case AF_INET:
		if (length < (int)sizeof(*v4))
			return false;
		sekisho_put_v4(out, v4->sin_addr.s_addr, v4->sin_port);
		return true;
	case AF_INET6:
		if (length < SIN6_LEN_RFC2133)
			return false;
		sekisho_put_v6(out, &v6->sin6_addr, v6->sin6_port);
		return true;
	default:
		return false;
	}
}

bool sekisho_is_unspec(const struct sockaddr *address, int length)
{
	return length >= (int)offsetofend(struct sockaddr, sa_family) && address->sa_family == AF_UNSPEC;
}

/* The destination in a message, if it has one. */
const struct sockaddr *sekisho_message_address(const struct msghdr *message, int *length)
{
	*length = message->msg_namelen;
	return message->msg_name;
}

bool sekisho_message_opens(const struct msghdr *message)
{
	return message->msg_flags & MSG_FASTOPEN;
}

bool sekisho_local_address(const struct sock *sk, struct sekisho_inet *out)
{
	if (sk->sk_family == AF_INET)
		sekisho_put_v4(out, inet_sk(sk)->inet_rcv_saddr, inet_sk(sk)->inet_sport);
#if IS_ENABLED(CONFIG_IPV6)
	else if (sk->sk_family == AF_INET6)
		sekisho_put_v6(out, &sk->sk_v6_rcv_saddr, inet_sk(sk)->inet_sport);
#endif
	else
		return false;
	return true;
}

bool sekisho_peer_address(const struct sock *sk, struct sekisho_inet *out)
{
	if (sk->sk_family == AF_INET)
		sekisho_put_v4(out, inet_sk(sk)->inet_daddr, inet_sk(sk)->inet_dport);
#if IS_ENABLED(CONFIG_IPV6)
	else if (sk->sk_family == AF_INET6)
		sekisho_put_v6(out, &sk->sk_v6_daddr, inet_sk(sk)->inet_dport);
#endif
	else
		return false;
	return true;
}

/* The protocol of a raw socket. */
u32 sekisho_raw_protocol(const struct sock *sk)
{
	return inet_sk(sk)->inet_num;
}

/* Where a packet comes from; to an IPv6 socket an IPv4 packet comes from ::ffff:a.b.c.d. */
bool sekisho_packet_source(const struct sock *sk, const struct sk_buff *skb, struct sekisho_inet *out)
{
	__be16 port = 0;

	if (sk->sk_protocol == IPPROTO_UDP || sk->sk_protocol == IPPROTO_UDPLITE)
		port = udp_hdr(skb)->source;
	if (skb->protocol == htons(ETH_P_IP)) {
		struct in6_addr mapped;

		if (sk->sk_family == AF_INET) {
			sekisho_put_v4(out, ip_hdr(skb)->saddr, port);
			return true;
		}
		ipv6_addr_set_v4mapped(ip_hdr(skb)->saddr, &mapped);
		sekisho_put_v6(out, &mapped, port);
		return true;
	}
	if (skb->protocol == htons(ETH_P_IPV6)) {
		sekisho_put_v6(out, &ipv6_hdr(skb)->saddr, port);
		return true;
	}
	return false;
}

/*
 * Runs on the way back from accept(2), before the program sees the descriptor:
 * the connection is reset, the descriptor closed, and ECONNABORTED returned, as
 * in 1.7. Of other calls (io_uring) only the connection is reset, and what is
 * sent or received on it refused. What has arrived is dropped.
 */
void sekisho_abort_accepted(struct sock *sk, bool called)
{
	struct pt_regs *regs = task_pt_regs(current);
	struct socket *socket;
	struct file *file;
	long fd;
	bool same;

	if (sk->sk_prot->diag_destroy)
		sk->sk_prot->diag_destroy(sk, ECONNABORTED);
	lock_sock(sk);
	__skb_queue_purge(&sk->sk_receive_queue);
	release_sock(sk);
	/* A task that ends has closed everything already. */
	if (!called || !current->files)
		return;
	fd = syscall_get_return_value(current, regs);
	if (fd < 0 || fd > INT_MAX)
		return;
	file = fget(fd);
	if (!file)
		return;
	socket = sock_from_file(file);
	same = socket && socket->sk == sk;
	fput(file);
	if (!same)
		return;
	close_fd(fd);
	syscall_set_return_value(current, regs, -ECONNABORTED, 0);
}

#if defined(CONFIG_SYSCTL) && IS_ENABLED(CONFIG_INET)
/* deny_autobind: the ports that are to be in the list that ip_local_reserved_ports shows, in each network name space. */
#define SEKISHO_PORTS 65536
static DECLARE_BITMAP(sekisho_wanted, SEKISHO_PORTS);
static DEFINE_MUTEX(sekisho_ports_lock);

/* Of one name space: the ports that are in its list because of us, and not because its administrator wants them there. */
struct sekisho_net {
	unsigned long *ours;
};

static unsigned int sekisho_net_id __ro_after_init;

/*
 * Takes out what was put in and is not wanted any more, and puts in what is
 * missing. If something of ours is missing the administrator has written a list of
 * his own since, and what is in it is his.
 */
static int sekisho_reserve(struct net *net)
{
	unsigned long *list = net->ipv4.sysctl_local_reserved_ports;
	struct sekisho_net *own = net_generic(net, sekisho_net_id);
	unsigned int port;

	if (!list)
		return 0;
	if (!own->ours) {
		if (bitmap_empty(sekisho_wanted, SEKISHO_PORTS))
			return 0;
		own->ours = bitmap_zalloc(SEKISHO_PORTS, GFP_KERNEL);
		if (!own->ours)
			return -ENOMEM;
	}
	if (!bitmap_subset(own->ours, list, SEKISHO_PORTS))
		bitmap_zero(own->ours, SEKISHO_PORTS);
	for_each_set_bit(port, own->ours, SEKISHO_PORTS)
		if (!test_bit(port, sekisho_wanted)) {
			clear_bit(port, list);
			__clear_bit(port, own->ours);
		}
	for_each_set_bit(port, sekisho_wanted, SEKISHO_PORTS)
		if (!test_and_set_bit(port, list))
			__set_bit(port, own->ours);
	return 0;
}

void sekisho_set_autobind(const u16 (*ranges)[2], size_t count)
{
	struct net *net;
	size_t i;

	mutex_lock(&sekisho_ports_lock);
	bitmap_zero(sekisho_wanted, SEKISHO_PORTS);
	for (i = 0; i < count; i++)
		if (ranges[i][0] <= ranges[i][1])
			bitmap_set(sekisho_wanted, ranges[i][0], ranges[i][1] - ranges[i][0] + 1);
	down_read(&net_rwsem);
	for_each_net(net)
		if (sekisho_reserve(net))
			pr_err("no memory for deny_autobind in a network name space\n");
	up_read(&net_rwsem);
	mutex_unlock(&sekisho_ports_lock);
}

static int __net_init sekisho_net_init(struct net *net)
{
	int error;

	mutex_lock(&sekisho_ports_lock);
	error = sekisho_reserve(net);
	mutex_unlock(&sekisho_ports_lock);
	return error;
}

static void __net_exit sekisho_net_exit(struct net *net)
{
	bitmap_free(((struct sekisho_net *)net_generic(net, sekisho_net_id))->ours);
}

static struct pernet_operations sekisho_net_operations = {
	.init = sekisho_net_init,
	.exit = sekisho_net_exit,
	.id = &sekisho_net_id,
	.size = sizeof(struct sekisho_net),
};

/* After the sysctl of each name space exists. */
static int __init sekisho_register_net(void)
{
	return register_pernet_subsys(&sekisho_net_operations);
}
late_initcall(sekisho_register_net);
#else
void sekisho_set_autobind(const u16 (*ranges)[2], size_t count)
{
}
#endif
