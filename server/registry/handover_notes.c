/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/handover_notes.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/own.h"
#include "server/registry/likeness.h"
#include "server/registry/shared_documents.h"
#include "server/registry/shared_holds.h"
#include "server/registry/shared_pins.h"
#include "server/registry/shared_tokens.h"
#include "server/store/catalog/catalog_documentation.h"
#include "server/store/catalog/catalog_notes.h"
#include "server/store/catalog/catalog_space.h"
#include "server/vault/vault.h"

static const struct {
	const char *topic; /* as people are told */
	const char *noted; /* … and as it is noted */
	bool (*take)(struct vault *vault, struct catalog *catalog, const struct name *name, struct err *err);
} topics[CHANGE_COUNT] = {
	[CHANGE_TOKEN] = {"token", "token", shared_tokens_take},
	[CHANGE_PIN] = {"pin", "pin", shared_pins_take},
	[CHANGE_HELD] = {"decision", "holds", shared_holds_take},
	[CHANGE_DOCUMENTED] = {"documentation", "documentation", shared_documents_take},
};

static void tell(const struct handover *handover, enum vault_change change, const struct name *name,
	enum handover_fate fate, const char *why)
{
	const struct handover_item item = {
		.name = name, .topic = topics[change].topic, .is_version = true, .fate = fate, .why = why};

	handover->tell(handover->context, &item);
}

/* Only what would be so with each of them ends it all. */
static bool settle(const struct handover *handover, enum vault_change change, const struct name *name,
	const struct err *err)
{
	if (err->code == ERR_STORE_UNAVAILABLE || err->code == ERR_NO_SPACE || err->code == ERR_BUSY ||
		err->code == ERR_INTERNAL)
		return false;
	tell(handover, change, name, err->code == ERR_CONFLICT ? HANDOVER_CONFLICT : HANDOVER_FAILED,
		err->text);
	return true;
}

/* ---- over ---- */

static bool has_any(const struct handover *handover, enum vault_change change, const struct name *name,
	bool *out, struct err *err)
{
	AUTO_FREE char *markdown = NULL;

	if (change == CHANGE_HELD)
		return shared_holds_send(handover->vault, handover->catalog, name, true, out, err);
	if (!catalog_find_documentation(handover->catalog, name, &markdown, err))
		return false;
	*out = markdown;
	return true;
}

static bool hand_of_version(const struct handover *handover, enum vault_change change,
	const struct name *name,
	bool (*send)(struct vault *vault, struct catalog *catalog, const struct name *name, bool dry_run,
		bool *sent, struct err *err),
	struct err *err)
{
	bool any, alike, sent;

	if (!has_any(handover, change, name, &any, err) ||
		(any && !likeness_find(handover->catalog, handover->vault, name, &alike, err)))
		return false;
	if (!any || !alike)
		return true;
	if (!send(handover->vault, handover->catalog, name, handover->dry_run, &sent, err))
		return settle(handover, change, name, err);
	tell(handover, change, name, sent ? HANDOVER_SENT : HANDOVER_THERE, NULL);
	return true;
}

bool handover_notes_hold(const struct handover *handover, const struct name *name, struct err *err)
{
	return hand_of_version(handover, CHANGE_HELD, name, shared_holds_send, err);
}

bool handover_notes_document(const struct handover *handover, const struct name *name, struct err *err)
{
	return hand_of_version(handover, CHANGE_DOCUMENTED, name, shared_documents_send, err);
}

static bool is_valid(const struct token_row *row)
{
	return !row->revoked_at && (!row->expires_at || row->expires_at > clock_now_s());
}

static bool hand_token(const struct handover *handover, const struct token_secret *token, struct err *err)
{
	const struct token_row *row = &token->row;
	const struct token_terms terms = {
		row->name, token->hash, row->scopes, row->created_at, row->expires_at, 0, NULL};
	struct name name = {0};
	bool sent;

	if (!is_valid(row))
		return true;
	(void)snprintf(name.handle, sizeof name.handle, "%s", row->name);
	if (!shared_tokens_send(handover->vault, &terms, handover->dry_run, &sent, err))
		return settle(handover, CHANGE_TOKEN, &name, err);
	tell(handover, CHANGE_TOKEN, &name, sent ? HANDOVER_SENT : HANDOVER_THERE, NULL);
	return true;
}

static bool hand_tokens(const struct handover *handover, struct err *err)
{
	struct token_secret *tokens;
	size_t count;
	bool handed = true;

	if (!catalog_list_tokens(handover->catalog, &tokens, &count, err))
		return false;
	for (size_t i = 0; i < count && handed; i++)
		handed = hand_token(handover, &tokens[i], err);
	token_secrets_destroy(tokens, count);
	return handed;
}

static bool hand_pin(const struct handover *handover, const struct pin_row *pin, struct err *err)
{
	struct name name = {0};
	bool sent;

	(void)snprintf(name.handle, sizeof name.handle, "%s", pin->pattern);
	if (!shared_pins_send(handover->vault, pin->pattern, pin->created_at, handover->dry_run, &sent, err))
		return settle(handover, CHANGE_PIN, &name, err);
	tell(handover, CHANGE_PIN, &name, sent ? HANDOVER_SENT : HANDOVER_THERE, NULL);
	return true;
}

static bool hand_pins(const struct handover *handover, struct err *err)
{
	struct pin_row *pins;
	size_t count;
	bool handed = true;

	if (!catalog_list_pins(handover->catalog, &pins, &count, err))
		return false;
	for (size_t i = 0; i < count && handed; i++)
		handed = hand_pin(handover, &pins[i], err);
	pin_rows_destroy(pins, count);
	return handed;
}

bool handover_notes_of_all(const struct handover *handover, struct err *err)
{
	return hand_tokens(handover, err) && hand_pins(handover, err);
}

/* ---- out ---- */

struct taking {
	const struct handover *handover;
	struct err err;
};

/* Documentation that the folder has of its own. */
static bool is_its_own(const struct handover *handover, enum vault_change change, const struct name *name,
	int64_t taken, bool *out, struct err *err)
{
	AUTO_FREE char *markdown = NULL;

	*out = false;
	if (change != CHANGE_DOCUMENTED || taken > 0)
		return true;
	if (!catalog_find_documentation(handover->catalog, name, &markdown, err))
		return false;
	*out = markdown;
	return true;
}

static bool find_taken(const struct handover *handover, enum vault_change change, const struct name *name,
	int64_t *out, struct err *err)
{
	return catalog_find_note(
		handover->catalog, topics[change].noted, name->handle, name->version, out, err);
}

static bool take_one(
	const struct handover *handover, enum vault_change change, const struct name *name, struct err *err)
{
	int64_t before, after;
	bool own;

	if (!find_taken(handover, change, name, &before, err) ||
		!is_its_own(handover, change, name, before, &own, err))
		return false;
	if (own) {
		tell(handover, change, name, HANDOVER_THERE, NULL);
		return true;
	}
	if (handover->dry_run) {
		tell(handover, change, name, before > 0 ? HANDOVER_THERE : HANDOVER_SENT, NULL);
		return true;
	}
	/* Of a version that did not come along. */
	if (!topics[change].take(handover->vault, handover->catalog, name, err))
		return err->code == ERR_NOT_FOUND || err->code == ERR_GONE ||
		       settle(handover, change, name, err);
	if (!find_taken(handover, change, name, &after, err))
		return false;
	tell(handover, change, name, after == before ? HANDOVER_THERE : HANDOVER_SENT, NULL);
	return true;
}

static bool take(void *context, enum vault_change change, const struct name *name)
{
	struct taking *taking = context;
	struct err err = {0};

	if (take_one(taking->handover, change, name, &err))
		return true;
	taking->err = err;
	return false;
}

static bool take_all(const struct handover *handover, enum vault_change change, struct err *err)
{
	struct taking taking = {.handover = handover};
	const struct vault_listener listener = {take, &taking};
	struct vault_place place = {0};
	bool more = true;

	while (more && taking.err.code == ERR_NONE) {
		if (!vault_list(handover->vault, change, &place, &listener, &more, err))
			return false;
	}
	if (taking.err.code != ERR_NONE)
		*err = taking.err;
	return taking.err.code == ERR_NONE;
}

bool handover_notes_take(const struct handover *handover, struct err *err)
{
	return take_all(handover, CHANGE_TOKEN, err) && take_all(handover, CHANGE_PIN, err) &&
	       take_all(handover, CHANGE_HELD, err) && take_all(handover, CHANGE_DOCUMENTED, err);
}
