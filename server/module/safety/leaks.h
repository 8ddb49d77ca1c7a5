/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds private keys and access tokens in texts, by what those who give them out have them begin with. What
 * was found is named, and never told. */
#ifndef SERVER_MODULE_SAFETY_LEAKS_H
#define SERVER_MODULE_SAFETY_LEAKS_H

#include <stddef.h>
#include <stdint.h>

#include "server/module/safety/safety_findings.h"

enum { LEAKS_WINDOW_BYTES = 16 << 10 };

/* Zeroed, it is at the beginning. */
struct leaks {
	size_t length;
	char window[LEAKS_WINDOW_BYTES];
};

void leaks_feed(struct leaks *leaks, struct safety_findings *findings, const char *where, const uint8_t *data,
	size_t length);

/* There are no more bytes. */
void leaks_end(struct leaks *leaks, struct safety_findings *findings, const char *where);

#endif
