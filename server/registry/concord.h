/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes a note that all nodes agree on: read, composed anew of what it says, and exchanged; and where
 * another was faster, once more. */
#ifndef SERVER_REGISTRY_CONCORD_H
#define SERVER_REGISTRY_CONCORD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/own.h"
#include "server/vault/vault_terms.h"

struct vault;

/* What is to be written. */
struct concord {
	enum vault_change change;
	const struct name *name;
	const char *who; /* NULL: nobody in particular */
	int64_t at_s;
	/* Composes the text in place of what was there (revision 0: nothing). False ends it: with *err, or
	 * with ERR_NONE where what is there may stay. May be called several times. */
	bool (*compose)(void *context, const struct note *before, struct buffer *text, struct err *err);
	void *context;
};

/* On success *out is the note that is there, to be finished (note_finish). Else what was there is.
 * ERR_CONFLICT where others are faster again and again. */
bool concord_write(struct vault *vault, const struct concord *concord, struct note *out, struct err *err);

/* Takes the object and writes its text. */
void concord_put_json(json_t *object, struct buffer *text);

/* Reads it; ERR_UPSTREAM_FAILED where a note holds something else. */
bool concord_read_json(const struct note *note, const struct name *name, json_t **out, struct err *err);
bool concord_refuse_text(const struct name *name, struct err *err);

#define AUTO_NOTE AUTO(note_finish)

#endif
