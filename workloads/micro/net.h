/* SPDX-License-Identifier: MIT */
/* Ethernet, ARP, IPv4 and UDP, as much as one flow to the peer needs. */
#ifndef WORKLOADS_MICRO_NET_H
#define WORKLOADS_MICRO_NET_H

#include "workloads/dgram.h"
#include "workloads/micro/nic.h"

#define NET_HEADERS 42 /* Ethernet, IPv4 without options, UDP */

struct net {
	struct nic nic;
	uint32_t own_ip, peer_ip; /* network order */
	uint16_t port;            /* of both sides, network order */
	uint8_t peer_mac[6];
	bool have_mac;
	/* A datagram from the peer. */
	void (*receive)(void *arg, const void *payload, unsigned len);
	void *arg;
};

/* Card, addresses of the job, the peer's MAC by ARP. 0, or -1 after report_fail. */
int net_open(struct net *net, const struct workload_job *job);
/* The addresses alone. */
int net_addresses(struct net *net, const struct workload_job *job);
/* A question for the peer's MAC, or the answer to its own; returns the frame's length. */
unsigned net_build_arp(uint8_t *frame, const struct net *net, bool reply);
/* Handle what has arrived: ARP here, datagrams through receive. How many frames. */
unsigned net_poll(struct net *net);
/*
 * Payload area of the next frame, with all headers before it in place for len bytes. Only when tx_room
 * allows.
 */
uint8_t *net_payload(struct net *net, unsigned len);
void net_push(struct net *net, unsigned len);
/* One datagram now. False when the card has no room within 100 ms. */
bool net_send(struct net *net, const void *payload, unsigned len);

#endif
