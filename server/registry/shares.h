/* SPDX-License-Identifier: Apache-2.0
 *
 * Which clients have how much of something that all share, so that none of them has more than its part. Known
 * by a word of the caller's (a token's name, an address), for as long as they have any. Its user's lock
 * guards it. */
#ifndef SERVER_REGISTRY_SHARES_H
#define SERVER_REGISTRY_SHARES_H

#include <stddef.h>
#include <stdint.h>

#include "common/list.h"

struct share {
	struct list_link link;
	char *client;
	size_t members; /* how often it was taken and not given back */
	size_t placed;  /* how many of those have what is shared; the user's to count */
	uint64_t turn;  /* the number of the last that got it; the user's */
};

struct shares {
	struct list list;
};
void shares_init(struct shares *shares);

/* The client's; it stays until as many are given back. */
struct share *shares_take(struct shares *shares, const char *client);
void shares_give_back(struct share *share);

/* The client's, or NULL. */
struct share *shares_find(const struct shares *shares, const char *client);

#endif
