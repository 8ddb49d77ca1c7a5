/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/shared_holds.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "server/bundle/strictjson.h"
#include "server/registry/concord.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_versions.h"
#include "server/vault/vault.h"

/* ---- as it is written ---- */

static bool read_text(const json_t *object, const char *key, char *out, size_t size)
{
	const char *text = strictjson_text(object, key);

	return text && snprintf(out, size, "%s", text) < (int)size;
}

/* Without, it is of all bytes: so wrote who did not know them, and of several that is said so. */
static bool read_bytes(const json_t *object, struct hold_entry *out)
{
	const char *hex = strictjson_text(object, "sha256");

	out->is_of_bytes = hex != NULL;
	return !hex || digest_parse(hex, &out->bytes);
}

static bool read_hold(const json_t *object, struct hold_entry *out)
{
	const char *decision = strictjson_text(object, "decision");

	return decision && hold_decision_parse(decision, &out->decision) &&
	       read_text(object, "reason", out->reason, sizeof out->reason) &&
	       read_text(object, "who", out->who, sizeof out->who) &&
	       strictjson_number(object, "at", &out->at_s) && read_bytes(object, out);
}

/* Formats that this version does not know are not its to serve. */
static bool read_said(const struct note *note, const struct name *name, struct hold_entry out[FORMAT_COUNT],
	struct err *err)
{
	json_auto_t *object = NULL;

	memset(out, 0, FORMAT_COUNT * sizeof *out);
	if (note->revision == 0)
		return true;
	if (!concord_read_json(note, name, &object, err))
		return false;
	for (int i = 0; i < FORMAT_COUNT; i++) {
		const json_t *value = json_object_get(object, formats[i].name);

		if (value && !read_hold(value, &out[i]))
			return concord_refuse_text(name, err);
	}
	return true;
}

static json_t *write_hold(const struct hold_entry *hold)
{
	json_t *object = json_pack("{s:s, s:s, s:s, s:I}", "decision", hold_decision_name(hold->decision),
		"reason", hold->reason, "who", hold->who, "at", (json_int_t)hold->at_s);

	if (hold->decision == HOLD_HELD && hold->is_of_bytes)
		(void)json_object_set_new(object, "sha256", json_string(hold->bytes.hex));
	return object;
}

static void put(const struct hold_entry holds[FORMAT_COUNT], struct buffer *text)
{
	json_t *object = json_object();

	for (int i = 0; i < FORMAT_COUNT; i++) {
		if (holds[i].decision != HOLD_NONE)
			(void)json_object_set_new(object, formats[i].name, write_hold(&holds[i]));
	}
	concord_put_json(object, text);
}

static struct hold_entry hold_of(
	enum hold_decision decision, const char *reason, const char *who, int64_t at_s)
{
	struct hold_entry hold = {.decision = decision, .at_s = at_s};

	(void)snprintf(hold.reason, sizeof hold.reason, "%s", reason);
	(void)snprintf(hold.who, sizeof hold.who, "%s", who ? who : "");
	return hold;
}

/* ---- writing ---- */

struct change {
	const struct name *name;
	struct hold_entry holds[FORMAT_COUNT]; /* what is to be; and on return, all that is there */
	bool decides;                          /* what is there gives way */
	bool changed;
};

static bool is_of_others(const struct hold_entry *there, const struct hold_entry *wanted)
{
	return there->is_of_bytes && (!wanted->is_of_bytes || !digest_equal(&there->bytes, &wanted->bytes));
}

/* Whether that changes what is there. Of two bytes that nobody has yet, either may become what it is: then it
 * is held back whatever it has. */
static bool merge(struct hold_entry *there, const struct hold_entry *wanted, bool decides)
{
	if (wanted->decision == HOLD_NONE)
		return false;
	if (there->decision == HOLD_NONE || decides) {
		*there = *wanted;
		return true;
	}
	if (there->decision != HOLD_HELD || wanted->decision != HOLD_HELD || !is_of_others(there, wanted))
		return false;
	there->is_of_bytes = false;
	return true;
}

static bool compose(void *context, const struct note *before, struct buffer *text, struct err *err)
{
	struct change *change = context;
	struct hold_entry there[FORMAT_COUNT];

	if (!read_said(before, change->name, there, err))
		return false;
	change->changed = false;
	for (int i = 0; i < FORMAT_COUNT; i++) {
		if (merge(&there[i], &change->holds[i], change->decides))
			change->changed = true;
	}
	if (change->changed)
		put(there, text);
	return change->changed;
}

static bool agree(struct vault *vault, struct change *change, const char *who, int64_t now_s, struct err *err)
{
	const struct concord concord = {CHANGE_HELD, change->name, who, now_s, compose, change};
	AUTO_NOTE struct note note = {0};

	return concord_write(vault, &concord, &note, err);
}

bool shared_holds_add(struct vault *vault, const struct name *name, const struct digest *bytes,
	const char *reason, const char *who, struct err *err)
{
	struct change change = {.name = name};
	struct hold_entry *hold = &change.holds[name->format];
	int64_t now_s = clock_now_s();
	enum vault_standing standing;
	struct identity there;

	if (!vault_find(vault, name, &standing, &there, err))
		return false;
	if (standing == VAULT_GONE ||
		(standing == VAULT_RECORDED && !digest_equal(&there.checksums.sha256, bytes)))
		return true;
	*hold = hold_of(HOLD_HELD, reason, who, now_s);
	hold->is_of_bytes = true;
	hold->bytes = *bytes;
	return agree(vault, &change, who, now_s, err);
}

/* *any: something of it is on record here. */
static bool find_formats(
	struct catalog *catalog, const struct name *name, bool out[FORMAT_COUNT], bool *any, struct err *err)
{
	AUTO(version_details_finish) struct version_details details = {0};
	bool found;

	*any = false;
	if (!catalog_find_version(catalog, name, &details, &found, err))
		return false;
	for (size_t i = 0; found && i < details.artifact_count; i++) {
		const struct artifact *artifact = &details.artifacts[i].artifact;

		out[artifact->name.format] = artifact->recorded;
		*any = *any || artifact->recorded;
	}
	return true;
}

/* What catalog_decide() would refuse is refused before all nodes have it. */
static bool check_version(struct catalog *catalog, const struct name *name, bool any, struct err *err)
{
	struct artifact artifact;
	bool found;

	if (!catalog_find_artifact(catalog, name, &artifact, &found, err))
		return false;
	if (!found)
		return err_set(err, ERR_NOT_FOUND, "there is no %s", name_path(name).text);
	if (artifact.state == STATE_WITHDRAWN)
		return version_check_state(name, artifact.state, err);
	return any || catalog_refuse_undecidable(name, err);
}

bool shared_holds_decide(struct vault *vault, struct catalog *catalog, const struct name *name,
	const struct decision *decision, struct err *err)
{
	struct change change = {.name = name, .decides = true};
	bool there[FORMAT_COUNT] = {false};
	bool any;

	if (!vault_is_shared(vault))
		return catalog_decide(catalog, name, decision, err);
	if (!find_formats(catalog, name, there, &any, err) || !check_version(catalog, name, any, err))
		return false;
	for (int i = 0; i < FORMAT_COUNT; i++) {
		if (there[i])
			change.holds[i] = hold_of(decision->approves ? HOLD_APPROVED : HOLD_REJECTED,
				decision->reason, decision->who, decision->now_s);
	}
	return agree(vault, &change, decision->who, decision->now_s, err) &&
	       shared_holds_take(vault, catalog, name, err);
}

bool shared_holds_send(struct vault *vault, struct catalog *catalog, const struct name *name, bool dry_run,
	bool *sent, struct err *err)
{
	struct change change = {.name = name};
	bool found;
	bool any = false;

	*sent = false;
	if (!catalog_find_holds(catalog, name, change.holds, &found, err))
		return false;
	for (int i = 0; i < FORMAT_COUNT; i++)
		any = any || change.holds[i].decision != HOLD_NONE;
	if (!any || dry_run) {
		*sent = any;
		return true;
	}
	if (!agree(vault, &change, NULL, clock_now_s(), err))
		return false;
	*sent = change.changed;
	return true;
}

/* ---- taking ---- */

bool shared_holds_take(struct vault *vault, struct catalog *catalog, const struct name *name, struct err *err)
{
	AUTO_NOTE struct note note = {0};
	struct hold_entry holds[FORMAT_COUNT];

	return vault_read_note(vault, CHANGE_HELD, name, &note, err) && read_said(&note, name, holds, err) &&
	       (note.revision == 0 || catalog_take_holds(catalog, name, holds, note.revision, err));
}

bool shared_holds_check(
	struct vault *vault, const struct name *name, const struct digest *bytes, struct err *err)
{
	AUTO_NOTE struct note note = {0};
	struct hold_entry holds[FORMAT_COUNT];
	const struct hold_entry *hold = &holds[name->format];

	if (!vault_read_note(vault, CHANGE_HELD, name, &note, err) || !read_said(&note, name, holds, err))
		return false;
	return hold->decision == HOLD_NONE || hold->decision == HOLD_APPROVED ||
	       (hold->decision == HOLD_HELD && hold->is_of_bytes && !digest_equal(&hold->bytes, bytes)) ||
	       err_set(err, ERR_QUARANTINED,
		       "%.150s is held back: %.200s. Have it approved, or use another version",
		       name_path(name).text, hold->reason);
}
