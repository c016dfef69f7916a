// SPDX-License-Identifier: MIT
#include <string.h>

#include "workloads/micro/net.h"

#define ETH_ARP      0x0608 /* network order */
#define ETH_IP       0x0008
#define ARP_REQUEST  0x0100
#define ARP_REPLY    0x0200
#define PROTO_UDP    17
#define ARP_FRAME    60
#define ARP_TRIES    50
#define ARP_WAIT_NS  (100 * NS_PER_MS)
#define ROOM_WAIT_NS (100 * NS_PER_MS)

struct eth {
	uint8_t dst[6], src[6];
	uint16_t type;
} __attribute__((packed));

struct arp {
	struct eth eth;
	uint16_t hw, proto;
	uint8_t hw_len, proto_len;
	uint16_t op;
	uint8_t src_mac[6];
	uint32_t src_ip;
	uint8_t dst_mac[6];
	uint32_t dst_ip;
} __attribute__((packed));

struct udp {
	struct eth eth;
	uint8_t version, tos;
	uint16_t ip_len, id, frag;
	uint8_t ttl, proto;
	uint16_t ip_sum;
	uint32_t src_ip, dst_ip;
	uint16_t src_port, dst_port, udp_len, udp_sum;
} __attribute__((packed));

_Static_assert(sizeof(struct udp) == NET_HEADERS, "headers");

static uint16_t swap16(uint16_t v)
{
	return (uint16_t)(v << 8 | v >> 8);
}

static bool nic_open(struct nic *nic)
{
	static const struct nic_ops *const all[] = {&virtio_net_ops, &e1000_ops};

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		*nic = (struct nic){.ops = all[i]};
		if (all[i]->init(nic))
			return !report_failed();
	}
	return false;
}

static bool wait_room(struct net *net)
{
	uint64_t end = rdtsc() + ns_to_tsc(ROOM_WAIT_NS);

	while (!net->nic.ops->tx_room(&net->nic))
		if (rdtsc() > end)
			return false;
	return true;
}

unsigned net_build_arp(uint8_t *frame, const struct net *net, bool reply)
{
	struct arp *a = (struct arp *)frame;

	memset(a, 0, ARP_FRAME);
	memset(a->eth.dst, 0xff, 6);
	memcpy(a->eth.src, net->nic.mac, 6);
	a->eth.type = ETH_ARP;
	a->hw = swap16(1);
	a->proto = ETH_IP;
	a->hw_len = 6;
	a->proto_len = 4;
	a->op = reply ? ARP_REPLY : ARP_REQUEST;
	memcpy(a->src_mac, net->nic.mac, 6);
	a->src_ip = net->own_ip;
	a->dst_ip = net->peer_ip;
	if (reply) {
		memcpy(a->eth.dst, net->peer_mac, 6);
		memcpy(a->dst_mac, net->peer_mac, 6);
	}
	return ARP_FRAME;
}

static void send_arp(struct net *net, bool reply)
{
	if (!wait_room(net))
		return;
	net->nic.ops->tx_push(&net->nic, net_build_arp(net->nic.ops->tx_buf(&net->nic), net, reply));
	net->nic.ops->tx_kick(&net->nic);
}

static void receive_arp(struct net *net, const struct arp *a)
{
	if (a->dst_ip != net->own_ip || a->src_ip != net->peer_ip)
		return;
	memcpy(net->peer_mac, a->src_mac, 6);
	net->have_mac = true;
	if (a->op == ARP_REQUEST)
		send_arp(net, true);
}

static void receive_udp(struct net *net, const struct udp *u, unsigned frame_len)
{
	unsigned len = swap16(u->udp_len);

	if (u->version != 0x45 || u->proto != PROTO_UDP || u->dst_ip != net->own_ip ||
	    u->src_ip != net->peer_ip || u->src_port != net->port || len < 8 ||
	    len + NET_HEADERS - 8 > frame_len)
		return;
	if (net->receive)
		net->receive(net->arg, u + 1, len - 8);
}

static void receive_frame(void *arg, const uint8_t *frame, unsigned len)
{
	const struct eth *eth = (const void *)frame;

	if (len >= sizeof(struct arp) && eth->type == ETH_ARP)
		receive_arp(arg, (const void *)frame);
	else if (len >= sizeof(struct udp) && eth->type == ETH_IP)
		receive_udp(arg, (const void *)frame, len);
}

unsigned net_poll(struct net *net)
{
	return net->nic.ops->rx_poll(&net->nic, receive_frame, net);
}

static uint16_t checksum(const void *data, unsigned len)
{
	const uint16_t *p = data;
	uint32_t sum = 0;

	for (; len; len -= 2)
		sum += *p++;
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

uint8_t *net_payload(struct net *net, unsigned len)
{
	struct udp *u = (struct udp *)net->nic.ops->tx_buf(&net->nic);

	/* A slot that last held a datagram of this length needs nothing. */
	if (u->eth.type == ETH_IP && u->udp_len == swap16((uint16_t)(len + 8)))
		return (uint8_t *)(u + 1);
	memset(u, 0, sizeof(*u));
	memcpy(u->eth.dst, net->peer_mac, 6);
	memcpy(u->eth.src, net->nic.mac, 6);
	u->eth.type = ETH_IP;
	u->version = 0x45;
	u->ip_len = swap16((uint16_t)(len + 28));
	u->ttl = 64;
	u->proto = PROTO_UDP;
	u->src_ip = net->own_ip;
	u->dst_ip = net->peer_ip;
	u->ip_sum = checksum(&u->version, 20);
	u->src_port = u->dst_port = net->port;
	u->udp_len = swap16((uint16_t)(len + 8)); /* no UDP checksum: 0 says so */
	memset(u + 1, DGRAM_FILL, len);
	return (uint8_t *)(u + 1);
}

void net_push(struct net *net, unsigned len)
{
	net->nic.ops->tx_push(&net->nic, MAX(NET_HEADERS + len, 60));
}

bool net_send(struct net *net, const void *payload, unsigned len)
{
	if (!wait_room(net))
		return false;
	memcpy(net_payload(net, len), payload, len);
	net_push(net, len);
	net->nic.ops->tx_kick(&net->nic);
	return true;
}

/* "10.77.0.2/24": what follows a slash does not matter, there is one peer. */
static bool parse_ip(const char *s, uint32_t *out)
{
	uint8_t byte[4] = {0};
	unsigned n = 0, v = 0, digits = 0;

	for (;; s++) {
		if (*s >= '0' && *s <= '9' && v < 256) {
			v = v * 10 + (unsigned)(*s - '0');
			digits++;
			continue;
		}
		if (!digits || v > 255 || n > 3)
			return false;
		byte[n++] = (uint8_t)v;
		v = digits = 0;
		if (*s != '.')
			break;
	}
	memcpy(out, byte, 4);
	return n == 4 && (!*s || *s == '/');
}

static bool resolve_peer(struct net *net)
{
	for (unsigned i = 0; i < ARP_TRIES && !net->have_mac; i++) {
		uint64_t end = rdtsc() + ns_to_tsc(ARP_WAIT_NS);

		send_arp(net, false);
		while (!net->have_mac && rdtsc() < end)
			net_poll(net);
	}
	return net->have_mac;
}

int net_addresses(struct net *net, const struct workload_job *job)
{
	memset(net, 0, sizeof(*net));
	if (!parse_ip(job->addr, &net->own_ip) || !parse_ip(job->peer, &net->peer_ip))
		return report_fail("net: the micro guest wants IPv4 in addr and peer, got '%s' and '%s'",
				   job->addr, job->peer);
	net->port = swap16((uint16_t)(job->port + DGRAM_PORT_OFFSET));
	return 0;
}

int net_open(struct net *net, const struct workload_job *job)
{
	if (net_addresses(net, job))
		return -1;
	if (!nic_open(&net->nic))
		return report_fail("net: there is no virtio-net and no e1000 card");
	if (!resolve_peer(net))
		return report_fail("net: %s does not answer ARP", job->peer);
	return 0;
}
