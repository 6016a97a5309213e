// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets: addresses, what a socket remembers, the packet that arrives, and the
 * ports that are never chosen by the kernel.
 */
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
#include <net/netns/ipv4.h>
#include <net/sock.h>
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
	spin_unlock_bh(&own->lock);
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
		WRITE_ONCE(sekisho_sock(sk)->owes_error, true);
}

bool sekisho_sock_owes_error(struct sock *sk)
{
	return unlikely(READ_ONCE(sekisho_sock(sk)->owes_error)) && xchg(&sekisho_sock(sk)->owes_error, false);
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
/* deny_autobind: the ports that we keep back in the list that ip_local_reserved_ports shows. */
static DECLARE_BITMAP(sekisho_reserved, 65536);
static DEFINE_MUTEX(sekisho_reserved_lock);

static bool sekisho_in_ranges(u32 port, const u16 (*ranges)[2], size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (port >= ranges[i][0] && port <= ranges[i][1])
			return true;
	return false;
}

static void sekisho_reserve(struct net *net)
{
	if (net->ipv4.sysctl_local_reserved_ports)
		bitmap_or(net->ipv4.sysctl_local_reserved_ports, net->ipv4.sysctl_local_reserved_ports,
			  sekisho_reserved, 65536);
}

/* Ports that an administrator has reserved beforehand stay so when we let go of them. */
void sekisho_set_autobind(const u16 (*ranges)[2], size_t count)
{
	struct net *net;
	u32 port;

	mutex_lock(&sekisho_reserved_lock);
	down_read(&net_rwsem);
	for (port = 0; port < 65536; port++) {
		bool wanted = sekisho_in_ranges(port, ranges, count);

		if (wanted && !test_bit(port, init_net.ipv4.sysctl_local_reserved_ports))
			__set_bit(port, sekisho_reserved);
		if (!wanted && __test_and_clear_bit(port, sekisho_reserved))
			for_each_net(net)
				clear_bit(port, net->ipv4.sysctl_local_reserved_ports);
	}
	for_each_net(net)
		sekisho_reserve(net);
	up_read(&net_rwsem);
	mutex_unlock(&sekisho_reserved_lock);
}

static int __net_init sekisho_net_init(struct net *net)
{
	sekisho_reserve(net);
	return 0;
}

static struct pernet_operations sekisho_net_operations = {
	.init = sekisho_net_init,
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
