/* SPDX-License-Identifier: Apache-2.0
 *
 * IP networks as people write them: "10.0.0.0/8", "2001:db8::/32", or one address, in lists separated by
 * commas or blanks. */
#ifndef COMMON_NETWORK_H
#define COMMON_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

/* Whether every word of the list is a network. ERR_BAD_REQUEST names the one that is not. */
bool network_check_list(const char *list, struct err *err);

/* Whether a numeric address lies in one of the networks; false for what is no address. An IPv4 address that
 * is written as an IPv6 one (::ffff:10.0.0.1) is the IPv4 address. */
bool network_list_has(const char *list, const char *address);

/* Whether the first bits of an address are those of the prefix. */
bool network_covers(const uint8_t *address, const uint8_t *prefix, unsigned bits);

#endif
