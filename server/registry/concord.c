/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/concord.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/bundle/strictjson.h"
#include "server/vault/vault.h"

enum { WRITE_TRIES = 16, VALUES_MAX = 128 };

/* *over: it is written, or may stay. */
static bool write_once(
	struct vault *vault, const struct concord *concord, struct note *out, bool *over, struct err *err)
{
	AUTO_BUFFER struct buffer text = {0};

	*over = false;
	*err = (struct err){0};
	if (!vault_read_note(vault, concord->change, concord->name, out, err))
		return false;
	if (!concord->compose(concord->context, out, &text, err)) {
		*over = err->code == ERR_NONE;
		return *over;
	}
	buffer_finish(&out->text);
	out->text = text;
	text = (struct buffer){0};
	out->at_s = concord->at_s;
	(void)snprintf(out->who, sizeof out->who, "%s", concord->who ? concord->who : "");
	*over = vault_write_note(vault, concord->change, concord->name, out, err);
	return *over || err->code == ERR_CONFLICT;
}

bool concord_write(struct vault *vault, const struct concord *concord, struct note *out, struct err *err)
{
	bool over = false;

	for (int i = 0; i < WRITE_TRIES; i++) {
		struct note note = {0};
		bool goes_on = write_once(vault, concord, &note, &over, err);

		if (over) {
			*out = note;
			return true;
		}
		note_finish(&note);
		if (!goes_on)
			return false;
	}
	return false;
}

void concord_put_json(json_t *object, struct buffer *text)
{
	AUTO_FREE char *line = json_dumps(object, JSON_COMPACT);

	buffer_add_string(text, line ? line : "{}");
	json_decref(object);
}

bool concord_refuse_text(const struct name *name, struct err *err)
{
	return err_set(err, ERR_UPSTREAM_FAILED,
		"what the bucket says of %.200s is nothing that this version of Larder can read",
		name->handle);
}

bool concord_read_json(const struct note *note, const struct name *name, json_t **out, struct err *err)
{
	return strictjson_parse(buffer_string(&note->text), note->text.length, VALUES_MAX, out, err) ||
	       concord_refuse_text(name, err);
}
