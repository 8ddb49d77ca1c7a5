/* SPDX-License-Identifier: Apache-2.0
 *
 * The headers before a member's own, GNU's and pax's, and what they say about it. For archive.c. */
#ifndef SERVER_MODULE_ARCHIVES_EXTENSION_H
#define SERVER_MODULE_ARCHIVES_EXTENSION_H

#include "common/buffer.h"
#include "server/module/archives/tape.h"

/* Begins with all zeros. */
struct extension {
	int count;          /* of such headers, those for all members too */
	bool has_long_name; /* GNU */
	bool has_long_link;
	bool has_pax;
	struct pax_records pax;
	struct buffer name; /* GNU's long name or pax's path */
};

void extension_finish(struct extension *extension);

bool extension_is(char type);

/* Reads what lies behind a header of such a type; false where the tape failed or what it says cannot be
 * trusted. */
bool extension_read(struct tape *tape, const struct tar_header *header, struct extension *extension);

#endif
