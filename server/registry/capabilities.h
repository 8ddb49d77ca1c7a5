/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses that carry their own right, for clients that send no token there: each is good for one purpose
 * and one path, for a while, and for this process. */
#ifndef SERVER_REGISTRY_CAPABILITIES_H
#define SERVER_REGISTRY_CAPABILITIES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/registry/access.h"

enum capability_use { CAPABILITY_READS, CAPABILITY_PUTS, CAPABILITY_FOLLOWS };

/* What stands behind "/-/t/" in place of a token. */
struct capability_text {
	char text[TOKEN_NAME_MAX + 112];
};

struct capabilities;

/* With a key that nobody else has, and that is gone with the process. The access must outlive it. destroy
 * takes NULL. */
struct capabilities *capabilities_create(struct access *access);
void capabilities_destroy(struct capabilities *capabilities);
AUTO_CLEANER(own_capabilities, struct capabilities *, capabilities_destroy)
#define AUTO_CAPABILITIES AUTO(own_capabilities)

/* For this path ("/acme/model/1/a.txt", decoded, without a query), until so many seconds from now, and for no
 * longer than the token of this name is valid ("": whose there is none). */
struct capability_text capabilities_make(const struct capabilities *capabilities, enum capability_use use,
	const char *path, const char *who, int64_t lifetime_s);

/* Whether a word has the form of one; it may be forged all the same. NULL is none. */
bool capability_is_one(const char *word);

/* who gets that name. ERR_UNAUTHORIZED where it was not made here, is for something else, or is over. */
bool capabilities_check(const struct capabilities *capabilities, const char *word, enum capability_use use,
	const char *path, char who[TOKEN_NAME_MAX + 1], struct err *err);

#endif
