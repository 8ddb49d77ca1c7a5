/* SPDX-License-Identifier: Apache-2.0
 *
 * The head of the audit log in the daemon's own log, once a day: where logs are kept elsewhere, so is what
 * proves that no row up to then was changed or removed. */
#ifndef SERVER_REGISTRY_AUDIT_HEADS_H
#define SERVER_REGISTRY_AUDIT_HEADS_H

#include <stdbool.h>
#include <stdint.h>

struct catalog;

/* One thread's. */
struct audit_heads {
	struct catalog *catalog;
	int64_t day; /* that it was told of last, from 1970 on; 0: none yet */
};

/* Tells of it on the first call, and on the first of each day (UTC). Whether it did. */
bool audit_heads_tell(struct audit_heads *heads, int64_t now_s);

#endif
