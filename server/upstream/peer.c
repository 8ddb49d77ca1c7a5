/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/peer.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "common/network.h"

enum { HOST_MAX = 255 }; /* RFC 1035 */

struct block {
	uint8_t prefix[16];
	unsigned bits;
};

/* IANA's special-purpose registries, as far as something may listen there. */
static const struct block inside_v4[] = {
	{{0}, 8},          /* this network */
	{{10}, 8},         /* private */
	{{100, 64}, 10},   /* shared by carriers */
	{{127}, 8},        /* loopback */
	{{169, 254}, 16},  /* link-local; clouds keep credentials there */
	{{172, 16}, 12},   /* private */
	{{192, 0, 0}, 24}, /* protocol assignments */
	{{192, 168}, 16},  /* private */
	{{198, 18}, 15},   /* benchmarks between networks; some clouds' insides */
	{{224}, 4},        /* multicast */
	{{240}, 4},        /* reserved, broadcast */
};
static const struct block inside_v6[] = {
	{{[15] = 0}, 128},  /* unspecified */
	{{[15] = 1}, 128},  /* loopback */
	{{0xfc}, 7},        /* unique-local */
	{{0xfe, 0x80}, 10}, /* link-local */
	{{0xfe, 0xc0}, 10}, /* site-local */
	{{0xff}, 8},        /* multicast */
	/* Tunnels and translators, behind which any IPv4 address may stand. */
	{{0x20, 0x01}, 32},                         /* Teredo */
	{{0x20, 0x01, 0x00, 0x02}, 48},             /* benchmarks */
	{{0x20, 0x02}, 16},                         /* 6to4 */
	{{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48}, /* NAT64 within a site (RFC 8215) */
};
/* The last four bytes of these are an IPv4 address: mapped, compatible, translated (RFC 6052). */
static const struct block carrying_v4[] = {
	{{[10] = 0xff, [11] = 0xff}, 96},
	{{0}, 96},
	{{0x00, 0x64, 0xff, 0x9b}, 96},
};

static bool is_in_one(const uint8_t *address, const struct block *blocks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (network_covers(address, blocks[i].prefix, blocks[i].bits))
			return true;
	}
	return false;
}

#define IS_IN(address, blocks) is_in_one(address, blocks, sizeof(blocks) / sizeof *(blocks))

bool peer_parse(const char *ip, int port, union peer *out)
{
	union peer peer = {.any = {0}};

	if (inet_pton(AF_INET, ip, &peer.v4.sin_addr) == 1) {
		peer.v4.sin_family = AF_INET;
		peer.v4.sin_port = htons((uint16_t)port);
	} else if (inet_pton(AF_INET6, ip, &peer.v6.sin6_addr) == 1) {
		peer.v6.sin6_family = AF_INET6;
		peer.v6.sin6_port = htons((uint16_t)port);
	} else {
		return false;
	}
	*out = peer;
	return true;
}

int peer_port(const union peer *peer)
{
	switch (peer->any.sa_family) {
	case AF_INET:
		return ntohs(peer->v4.sin_port);
	case AF_INET6:
		return ntohs(peer->v6.sin6_port);
	default:
		return 0;
	}
}

bool peer_is_inside(const union peer *peer)
{
	if (peer->any.sa_family == AF_INET)
		return IS_IN((const uint8_t *)&peer->v4.sin_addr, inside_v4);
	if (peer->any.sa_family == AF_INET6) {
		const uint8_t *address = peer->v6.sin6_addr.s6_addr;

		return IS_IN(address, inside_v6) ||
		       (IS_IN(address, carrying_v4) && IS_IN(address + 12, inside_v4));
	}
	return true;
}

/* Names that a resolver, ours or a proxy's, answers with its own machine (RFC 6761). */
static bool is_local_name(const char *host)
{
	static const char *const names[] = {"localhost", "localhost.localdomain", "localhost6",
		"localhost6.localdomain6", "ip6-localhost", "ip6-loopback"};
	static const char domain[] = ".localhost";
	size_t length = strlen(host);

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcasecmp(host, names[i]) == 0)
			return true;
	}
	return length >= sizeof domain && strcasecmp(host + length - (sizeof domain - 1), domain) == 0;
}

/* All spellings that a proxy may take for an IPv4 address: 127.1, 0x7f000001, 017700000001. */
static bool parse_loosely(const char *host, union peer *out)
{
	*out = (union peer){.v4 = {.sin_family = AF_INET}};
	return inet_aton(host, &out->v4.sin_addr) != 0 || peer_parse(host, 0, out);
}

bool peer_host_is_inside(const char *host)
{
	char bare[HOST_MAX + 1];
	union peer peer;
	size_t length;

	if (*host == '[')
		host++;
	length = strcspn(host, "]%");
	if (length > HOST_MAX)
		return true;
	while (length > 0 && host[length - 1] == '.')
		length--;
	memcpy(bare, host, length);
	bare[length] = '\0';
	if (parse_loosely(bare, &peer))
		return peer_is_inside(&peer);
	return is_local_name(bare);
}
