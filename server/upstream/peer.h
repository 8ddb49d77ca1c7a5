/* SPDX-License-Identifier: Apache-2.0
 *
 * Which addresses lie inside: a stranger's redirect must not lead Larder there. */
#ifndef SERVER_UPSTREAM_PEER_H
#define SERVER_UPSTREAM_PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

/* Room for any address that a transfer may connect to. */
union peer {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Reads a numeric address; false if it is none. */
bool peer_parse(const char *ip, int port, union peer *out);

/* In host byte order; 0 for what is neither IPv4 nor IPv6. */
int peer_port(const union peer *peer);

/* Private, shared (RFC 6598), loopback, link-local, unique-local, unspecified, multicast, reserved or for
 * benchmarks; also when such an IPv4 address is written as an IPv6 one, and whatever a tunnel (6to4, Teredo)
 * leads to. What is neither IPv4 nor IPv6 is inside as well. */
bool peer_is_inside(const union peer *peer);

/* The same of a URL's host, without asking anybody: an address in any spelling, with or without brackets, or
 * a name of the own machine (localhost). Other names are not inside as far as can be told. */
bool peer_host_is_inside(const char *host);

#endif
