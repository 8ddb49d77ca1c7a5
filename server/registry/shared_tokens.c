/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/shared_tokens.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "server/bundle/strictjson.h"
#include "server/registry/concord.h"
#include "server/vault/vault.h"

/* What a note says. */
struct said {
	json_t *object; /* has the scopes */
	struct token_terms terms;
};

static void said_finish(struct said *said)
{
	json_decref(said->object);
}

static bool read_digest(const json_t *object, struct digest *out)
{
	const char *text = strictjson_text(object, "hash");

	return text && digest_parse(text, out);
}

static bool read_said(const struct note *note, const struct name *name, struct said *out, struct err *err)
{
	struct token_terms *terms = &out->terms;

	if (!concord_read_json(note, name, &out->object, err))
		return false;
	*terms = (struct token_terms){.name = name->handle,
		.scopes = strictjson_text(out->object, "scopes"),
		.who = *note->who ? note->who : NULL};
	return (terms->scopes && read_digest(out->object, &terms->hash) &&
		       strictjson_number(out->object, "created_at", &terms->created_at) &&
		       strictjson_number(out->object, "expires_at", &terms->expires_at) &&
		       strictjson_number(out->object, "revoked_at", &terms->revoked_at)) ||
	       concord_refuse_text(name, err);
}

static void put(const struct token_terms *terms, struct buffer *text)
{
	concord_put_json(json_pack("{s:s, s:s, s:I, s:I, s:I}", "hash", terms->hash.hex, "scopes",
				 terms->scopes, "created_at", (json_int_t)terms->created_at, "expires_at",
				 (json_int_t)terms->expires_at, "revoked_at", (json_int_t)terms->revoked_at),
		text);
}

static bool is_valid(const struct token_terms *terms, int64_t now_s)
{
	return terms->revoked_at == 0 && (terms->expires_at == 0 || terms->expires_at > now_s);
}

static struct name name_of(const char *word)
{
	struct name name = {0};

	(void)snprintf(name.handle, sizeof name.handle, "%s", word);
	return name;
}

/* ---- making one ---- */

static bool compose_new(void *context, const struct note *before, struct buffer *text, struct err *err)
{
	const struct token_terms *terms = context;
	const struct name name = name_of(terms->name);
	AUTO(said_finish) struct said said = {0};

	if (before->revision > 0 && !read_said(before, &name, &said, err))
		return false;
	if (before->revision > 0 && digest_equal(&said.terms.hash, &terms->hash))
		return false;
	if (before->revision > 0 && is_valid(&said.terms, clock_now_s()))
		return catalog_refuse_token_name(terms->name, err);
	put(terms, text);
	return true;
}

static bool agree_new(
	struct vault *vault, const struct token_terms *terms, int64_t *revision, struct err *err)
{
	const struct name name = name_of(terms->name);
	const struct concord concord = {
		CHANGE_TOKEN, &name, terms->who, clock_now_s(), compose_new, (void *)terms};
	AUTO_NOTE struct note note = {0};

	if (!concord_write(vault, &concord, &note, err))
		return false;
	*revision = note.revision;
	return true;
}

bool shared_tokens_add(
	struct vault *vault, struct catalog *catalog, const struct token_terms *terms, struct err *err)
{
	int64_t revision;

	if (!vault_is_shared(vault))
		return catalog_add_token(catalog, terms->name, &terms->hash, terms->scopes, terms->created_at,
			terms->expires_at, err);
	return catalog_check_token_name(catalog, terms->name, terms->created_at, err) &&
	       agree_new(vault, terms, &revision, err) && catalog_take_token(catalog, terms, revision, err);
}

bool shared_tokens_send(
	struct vault *vault, const struct token_terms *terms, bool dry_run, bool *sent, struct err *err)
{
	const struct name name = name_of(terms->name);
	AUTO_NOTE struct note there = {0};
	AUTO(said_finish) struct said said = {0};
	int64_t revision;

	if (!vault_read_note(vault, CHANGE_TOKEN, &name, &there, err) ||
		(there.revision > 0 && !read_said(&there, &name, &said, err)))
		return false;
	*sent = there.revision == 0 || !digest_equal(&said.terms.hash, &terms->hash);
	return !*sent || dry_run || agree_new(vault, terms, &revision, err);
}

/* ---- revoking one ---- */

struct revoking {
	struct name name;
	int64_t now_s;
	bool found;
};

static bool compose_revoked(void *context, const struct note *before, struct buffer *text, struct err *err)
{
	struct revoking *revoking = context;
	AUTO(said_finish) struct said said = {0};

	if (before->revision == 0)
		return false;
	if (!read_said(before, &revoking->name, &said, err))
		return false;
	revoking->found = is_valid(&said.terms, revoking->now_s);
	if (!revoking->found)
		return false;
	said.terms.revoked_at = revoking->now_s;
	put(&said.terms, text);
	return true;
}

/* One that this node knows of as valid is none any more where all nodes have it as revoked: that is taken
 * here then, and is enough. */
static bool revoke_here(struct catalog *catalog, const struct revoking *revoking, struct err *err)
{
	return catalog_revoke_token(catalog, revoking->name.handle, revoking->now_s, err) ||
	       (revoking->found && err->code == ERR_NOT_FOUND);
}

bool shared_tokens_revoke(
	struct vault *vault, struct catalog *catalog, const char *name, int64_t now_s, struct err *err)
{
	struct revoking revoking = {.name = name_of(name), .now_s = now_s};
	const struct concord concord = {
		CHANGE_TOKEN, &revoking.name, NULL, now_s, compose_revoked, &revoking};
	AUTO_NOTE struct note note = {0};

	return concord_write(vault, &concord, &note, err) &&
	       (note.revision == 0 || shared_tokens_take(vault, catalog, &revoking.name, err)) &&
	       revoke_here(catalog, &revoking, err);
}

/* ---- taking one ---- */

bool shared_tokens_take(
	struct vault *vault, struct catalog *catalog, const struct name *name, struct err *err)
{
	AUTO_NOTE struct note note = {0};
	AUTO(said_finish) struct said said = {0};

	if (!vault_read_note(vault, CHANGE_TOKEN, name, &note, err))
		return false;
	return note.revision == 0 || (read_said(&note, name, &said, err) &&
					     catalog_take_token(catalog, &said.terms, note.revision, err));
}
