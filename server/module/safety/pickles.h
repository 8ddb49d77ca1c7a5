/* SPDX-License-Identifier: Apache-2.0
 *
 * Follows Python pickles opcode by opcode, without running any: which modules they import, also by names that
 * were put on the stack or into the memo. https://docs.python.org/3/library/pickletools.html */
#ifndef SERVER_MODULE_SAFETY_PICKLES_H
#define SERVER_MODULE_SAFETY_PICKLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/own.h"
#include "server/module/safety/safety_findings.h"

struct pickles;

/* How sure it is that a pickle comes. LIKELY: what follows no opcode and imports nothing is taken for none.
 * GUESSED: only what Python would follow as far as a call, or to an end that leaves a value, is one: lists of
 * words begin as imports do. CERTAIN: one that breaks is a finding. */
enum pickles_belief { PICKLES_GUESSED, PICKLES_LIKELY, PICKLES_CERTAIN };

/* Findings go to this place. */
struct pickles *pickles_create(
	struct safety_findings *findings, const char *where, enum pickles_belief belief);
void pickles_destroy(struct pickles *pickles);
AUTO_CLEANER(own_pickles, struct pickles *, pickles_destroy)
#define AUTO_PICKLES AUTO(own_pickles)

/* The next bytes. Several pickles may stand behind each other. False: it needs no more. */
bool pickles_feed(struct pickles *pickles, const uint8_t *data, size_t length);

/* There are no more bytes. */
void pickles_end(struct pickles *pickles);

#endif
