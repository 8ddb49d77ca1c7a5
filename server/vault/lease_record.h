/* SPDX-License-Identifier: Apache-2.0
 *
 * Leases as they are written down in a bucket. */
#ifndef SERVER_VAULT_LEASE_RECORD_H
#define SERVER_VAULT_LEASE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/vault/vault_terms.h"

enum { LEASE_NONCE_MAX = 32 };

/* The last is never written: the object goes. */
enum lease_state { LEASE_ACTIVE, LEASE_DONE, LEASE_FAILED, LEASE_REMOVED };

struct lease_record {
	enum lease_state state;
	char nonce[LEASE_NONCE_MAX + 1]; /* of who acquired it, */
	int64_t count;                   /* … and how often he has written it: no two texts are the same */
	struct lease_holder holder;
};

/* free() it. */
char *lease_write(const struct name *name, const struct lease_record *record);

/* ERR_UPSTREAM_FAILED where it is none. */
bool lease_read(const char *text, size_t length, struct lease_record *out, struct err *err);

#endif
