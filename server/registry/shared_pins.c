/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/shared_pins.h"

#include <stdio.h>

#include "server/registry/concord.h"
#include "server/store/catalog/catalog_space.h"
#include "server/vault/vault.h"

static bool read_said(const struct note *note, const struct name *name, bool *pinned, struct err *err)
{
	json_auto_t *object = NULL;
	const json_t *value;

	*pinned = false;
	if (note->revision == 0)
		return true;
	if (!concord_read_json(note, name, &object, err))
		return false;
	value = json_object_get(object, "pinned");
	*pinned = json_is_true(value);
	return json_is_boolean(value) || concord_refuse_text(name, err);
}

struct change {
	struct name name;
	bool pins;
	bool changed; /* it was otherwise */
};

static bool compose(void *context, const struct note *before, struct buffer *text, struct err *err)
{
	struct change *change = context;
	bool pinned;

	if (!read_said(before, &change->name, &pinned, err))
		return false;
	change->changed = pinned != change->pins;
	if (change->changed)
		concord_put_json(json_pack("{s:b}", "pinned", change->pins), text);
	return change->changed;
}

static bool agree(struct vault *vault, struct change *change, const char *pattern, int64_t now_s,
	int64_t *revision, struct err *err)
{
	const struct concord concord = {CHANGE_PIN, &change->name, NULL, now_s, compose, change};
	AUTO_NOTE struct note note = {0};

	(void)snprintf(change->name.handle, sizeof change->name.handle, "%s", pattern);
	if (!concord_write(vault, &concord, &note, err))
		return false;
	*revision = note.revision;
	return true;
}

bool shared_pins_add(struct vault *vault, struct catalog *catalog, const char *pattern, int64_t now_s,
	bool *added, struct err *err)
{
	struct change change = {.pins = true};
	int64_t revision;

	if (!vault_is_shared(vault))
		return catalog_pin(catalog, pattern, now_s, added, err);
	if (!agree(vault, &change, pattern, now_s, &revision, err) ||
		!catalog_take_pin(catalog, pattern, true, now_s, revision, err))
		return false;
	*added = change.changed;
	return true;
}

bool shared_pins_send(
	struct vault *vault, const char *pattern, int64_t now_s, bool dry_run, bool *sent, struct err *err)
{
	struct change change = {.pins = true};
	AUTO_NOTE struct note there = {0};
	int64_t revision;

	(void)snprintf(change.name.handle, sizeof change.name.handle, "%s", pattern);
	if (!vault_read_note(vault, CHANGE_PIN, &change.name, &there, err))
		return false;
	*sent = there.revision == 0;
	return !*sent || dry_run || agree(vault, &change, pattern, now_s, &revision, err);
}

bool shared_pins_remove(
	struct vault *vault, struct catalog *catalog, const char *pattern, int64_t now_s, struct err *err)
{
	struct change change = {.pins = false};
	int64_t revision;

	if (!vault_is_shared(vault))
		return catalog_unpin(catalog, pattern, err);
	if (!agree(vault, &change, pattern, now_s, &revision, err))
		return false;
	if (change.changed)
		return catalog_take_pin(catalog, pattern, false, now_s, revision, err);
	return catalog_unpin(catalog, pattern, err);
}

bool shared_pins_take(struct vault *vault, struct catalog *catalog, const struct name *name, struct err *err)
{
	AUTO_NOTE struct note note = {0};
	bool pinned;

	return vault_read_note(vault, CHANGE_PIN, name, &note, err) && read_said(&note, name, &pinned, err) &&
	       (note.revision == 0 ||
		       catalog_take_pin(catalog, name->handle, pinned, note.at_s, note.revision, err));
}
