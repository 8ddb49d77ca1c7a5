/* SPDX-License-Identifier: Apache-2.0
 *
 * A key that this process makes for itself and keeps in memory alone: what is signed with it was given out
 * here, and is good for nothing after a restart (HMAC with SHA-256, RFC 2104). */
#ifndef SERVER_REGISTRY_PROCESS_KEY_H
#define SERVER_REGISTRY_PROCESS_KEY_H

#include <stdint.h>

#include "common/digest.h"

struct process_key {
	uint8_t bytes[32];
};

void process_key_init(struct process_key *key);
/* Wipes it. */
void process_key_finish(struct process_key *key);

/* Of these words; compare it by digest_equal(), which takes the same time whatever differs. */
struct digest process_key_sign(const struct process_key *key, const char *words);

#endif
