/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/access.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/globs.h"
#include "common/lock.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "server/module/handle_globs.h"
#include "server/ranks.h"
#include "server/registry/attempts.h"
#include "server/registry/shared_tokens.h"
#include "server/registry/token_uses.h"
#include "server/store/catalog/catalog_tokens.h"

static const struct lock_place lock_place = {"access", RANK_ACCESS};

#define LIFETIME_MAX_S (INT64_C(100) * 366 * 86400)

enum { REFRESH_MS = 1000, UNKNOWN_RELOADS_PER_S = 10 };

struct access {
	struct lock mutex; /* guards all below it but what is never changed */
	struct catalog *catalog;
	struct vault *vault;
	bool read_needs_token;

	struct token_secret *tokens; /* as of loaded_ms */
	size_t count;
	bool loaded;
	int64_t loaded_ms;
	int64_t window_ms; /* a second in which reloads for unknown tokens are counted: strangers cause them
			    */
	int window_reloads;
	struct attempts *attempts;
	struct token_uses uses;
};

/* A global one takes no ":<glob>". */
static const struct {
	const char *name;
	bool global;
} rights[RIGHT_COUNT] = {
	[RIGHT_READ] = {"read", true},
	[RIGHT_PUBLISH] = {"publish", false},
	[RIGHT_WITHDRAW] = {"withdraw", false},
	[RIGHT_APPROVE] = {"approve", false},
	[RIGHT_ADMIN] = {"admin", true},
};

/* ---- scopes ---- */

static const char all_scopes[] = "read, publish:<glob>, withdraw:<glob>, approve:<glob> and admin";

/* The glob of a scope for this right ("" for a global one), or NULL where the scope is for another. */
static const char *scope_glob(const char *scope, enum right right)
{
	size_t length = strlen(rights[right].name);

	if (strncmp(scope, rights[right].name, length) != 0)
		return NULL;
	if (rights[right].global)
		return scope[length] ? NULL : "";
	return scope[length] == ':' && scope[length + 1] ? scope + length + 1 : NULL;
}

static bool scope_allows(const char *scope, enum right right, const char *handle)
{
	const char *glob = scope_glob(scope, right);

	if (scope_glob(scope, RIGHT_ADMIN))
		return true;
	return glob && (rights[right].global || (handle && globs_match(glob, handle)));
}

/* Neither separators of lists, which would make several globs of one, nor what would garble a listing. */
static bool is_one_word(const char *scope)
{
	for (const char *c = scope; *c; c++) {
		if (*c == ',' || *c == 127 || (unsigned char)*c <= ' ')
			return false;
	}
	return true;
}

/* Global ones match whatever there is. */
static bool scope_can_match(const char *scope)
{
	const char *colon = strchr(scope, ':');

	return !colon || handle_glob_can_match(colon + 1);
}

static bool scope_is_known(const char *scope)
{
	for (int right = 0; right < RIGHT_COUNT; right++) {
		if (scope_glob(scope, (enum right)right))
			return is_one_word(scope);
	}
	return false;
}

/* The next of some words separated by blanks; the caller owns it. NULL behind the last. */
static char *next_word(const char **words)
{
	const char *start = *words + strspn(*words, " \t");
	size_t length = strcspn(start, " \t");

	*words = start + length;
	return length ? mem_dup_n(start, length) : NULL;
}

static bool scopes_allow(const char *scopes, enum right right, const char *handle)
{
	bool allowed = right == RIGHT_READ;

	while (!allowed) {
		AUTO_FREE char *scope = next_word(&scopes);

		if (!scope)
			return false;
		allowed = scope_allows(scope, right, handle);
	}
	return true;
}

/* Each scope is known; one blank between them. */
static bool read_scopes(const char *scopes, struct buffer *out, struct err *err)
{
	if (strlen(scopes) > TOKEN_SCOPES_MAX)
		return err_set(err, ERR_BAD_REQUEST, "a token takes at most %d characters of scopes",
			TOKEN_SCOPES_MAX);
	for (;;) {
		AUTO_FREE char *scope = next_word(&scopes);

		if (!scope)
			break;
		if (!scope_is_known(scope))
			return err_set(
				err, ERR_BAD_REQUEST, "\"%s\" is no scope; there are %s", scope, all_scopes);
		if (!scope_can_match(scope))
			return err_set(err, ERR_BAD_REQUEST,
				"no module can match \"%s\": its handle has a publisher (a-z, 0-9, -) and a "
				"name, so "
				"say publish:acme/* for all of a publisher's, publish:acme/half-plus-two for "
				"one, or publish:*",
				scope);
		buffer_printf(out, "%s%s", out->length ? " " : "", scope);
	}
	if (!out->length)
		return err_set(err, ERR_BAD_REQUEST, "a token needs a scope; there are %s", all_scopes);
	return true;
}

/* Tokens are judged where a head is: on a thread that serves many connections. The table is small, and read a
 * few times a second at most. */
static bool list_tokens(
	const struct access *access, struct token_secret **out, size_t *out_count, struct err *err)
{
	bool listed;

	thread_excuse(true);
	listed = catalog_list_tokens(access->catalog, out, out_count, err);
	thread_excuse(false);
	return listed;
}

/* ---- the table of tokens ---- */

static bool reload(struct access *access, struct err *err)
{
	struct token_secret *tokens;
	size_t count;

	if (!list_tokens(access, &tokens, &count, err))
		return false;
	token_secrets_destroy(access->tokens, access->count);
	access->tokens = tokens;
	access->count = count;
	access->loaded = true;
	access->loaded_ms = clock_monotonic_ms();
	return true;
}

/* Compares with every token, so that the time tells nothing of where or how far one matches. */
static const struct token_secret *match(const struct access *access, const struct digest *hash)
{
	const struct token_secret *found = NULL;

	for (size_t i = 0; i < access->count; i++) {
		if (digest_equal(&access->tokens[i].hash, hash))
			found = &access->tokens[i];
	}
	return found;
}

static bool may_reload_for_unknown(struct access *access)
{
	int64_t now_ms = clock_monotonic_ms();

	if (now_ms - access->window_ms >= 1000) {
		access->window_ms = now_ms;
		access->window_reloads = 0;
	}
	return access->window_reloads++ < UNKNOWN_RELOADS_PER_S;
}

/* As of a second ago at the latest. *out is NULL where the token is not known; else valid until the mutex is
 * given back. fresh: the table was read for this one. */
static bool find_known(struct access *access, const struct digest *hash, const struct token_secret **out,
	bool *fresh, struct err *err)
{
	*fresh = !access->loaded || clock_monotonic_ms() - access->loaded_ms >= REFRESH_MS;
	if (*fresh && !reload(access, err))
		return false;
	*out = match(access, hash);
	return true;
}

/* One that is not known may have been made a moment ago. */
static bool find_new(struct access *access, const struct digest *hash, bool fresh,
	const struct token_secret **out, struct err *err)
{
	if (*out || fresh || !may_reload_for_unknown(access))
		return true;
	if (!reload(access, err))
		return false;
	*out = match(access, hash);
	return true;
}

void access_forget(struct access *access)
{
	LOCKED(&access->mutex);
	access->loaded = false;
}

/* ---- judging ---- */

static bool check_valid(const struct token_secret *token, struct err *err)
{
	const struct token_row *row = token ? &token->row : NULL;

	if (!row)
		return err_set(err, ERR_UNAUTHORIZED, "this token is not known here");
	if (row->revoked_at)
		return err_set(err, ERR_UNAUTHORIZED, "the token %s was revoked at %s", row->name,
			clock_rfc3339(row->revoked_at).text);
	if (row->expires_at && row->expires_at <= clock_now_s())
		return err_set(err, ERR_UNAUTHORIZED, "the token %s expired at %s", row->name,
			clock_rfc3339(row->expires_at).text);
	return true;
}

static bool check_scopes(const struct token_row *row, enum right right, const char *handle, struct err *err)
{
	bool about_handle = !rights[right].global && handle;

	if (scopes_allow(row->scopes, right, handle))
		return true;
	return err_set(err, ERR_FORBIDDEN, "the token %s lacks the scope %s%s%s", row->name,
		rights[right].name, about_handle ? ":" : "", about_handle ? handle : "");
}

static bool refuse_attempt(unsigned wait_s, struct err *err)
{
	(void)err_set(err, ERR_TOO_MANY_ATTEMPTS,
		"too many tokens that are none came from this address: wait %u seconds, and have the client "
		"present one that is valid",
		wait_s);
	err->retry_after_s = wait_s;
	return false;
}

static bool find_valid(
	struct access *access, const char *secret, const struct token_secret **out, struct err *err)
{
	struct digest hash = digest_of(secret, strlen(secret));
	bool fresh;

	return find_known(access, &hash, out, &fresh, err) && find_new(access, &hash, fresh, out, err) &&
	       check_valid(*out, err);
}

/* A valid token, which counts as used: whatever else came from its address, since nobody guesses one. tries:
 * whether one that is none counts as well. *out is valid until the mutex is given back. */
static bool find_good(struct access *access, const char *secret, const char *origin, bool tries,
	const struct token_secret **out, struct err *err)
{
	struct digest hash = digest_of(secret, strlen(secret));
	int64_t now_ms = clock_monotonic_ms();
	struct err ignored = {0};
	unsigned wait_s = 0;
	bool fresh, good;

	lock_expect(&access->mutex);
	if (!find_known(access, &hash, out, &fresh, err))
		return false;
	if (tries && !check_valid(*out, &ignored) && !attempts_may(access->attempts, origin, now_ms, &wait_s))
		return refuse_attempt(wait_s, err);
	if (!find_new(access, &hash, fresh, out, err))
		return false;
	good = check_valid(*out, err);
	if (good && origin)
		token_uses_note(&access->uses, (*out)->row.id, origin, clock_now_s());
	if (tries && !good)
		attempts_note_failed(access->attempts, origin, now_ms);
	return good;
}

static void take_name(const struct token_secret *token, char who[TOKEN_NAME_MAX + 1])
{
	(void)snprintf(who, TOKEN_NAME_MAX + 1, "%s", token->row.name);
}

static bool check_token(struct access *access, const char *secret, const char *origin, bool tries,
	enum right right, const char *handle, char who[TOKEN_NAME_MAX + 1], struct err *err)
{
	const struct token_secret *token;

	LOCKED(&access->mutex);
	if (!find_good(access, secret, origin, tries, &token, err) ||
		!check_scopes(&token->row, right, handle, err))
		return false;
	take_name(token, who);
	return true;
}

static bool refuse_anonymous(struct err *err)
{
	return err_set(err, ERR_UNAUTHORIZED, "this takes a token: Authorization: Bearer <token>");
}

bool access_identify(struct access *access, const char *secret, const char *origin,
	char who[TOKEN_NAME_MAX + 1], struct err *err)
{
	return check_token(access, secret, origin, true, RIGHT_READ, NULL, who, err);
}

bool access_check(struct access *access, const char *secret, const char *origin, enum right right,
	const char *handle, char who[TOKEN_NAME_MAX + 1], struct err *err)
{
	bool open = right == RIGHT_READ && !access->read_needs_token;
	struct err ignored;

	if (!secret && !open)
		return refuse_anonymous(err);
	if (secret && check_token(access, secret, origin, !open, right, handle, who, open ? &ignored : err))
		return true;
	/* A stale token in some tool's settings does not keep it from what anyone may do. */
	if (open)
		who[0] = '\0';
	return open;
}

/* Whether a scope is for this right, whatever its glob. */
static bool scopes_touch(const char *scopes, enum right right)
{
	for (;;) {
		AUTO_FREE char *scope = next_word(&scopes);

		if (!scope)
			return false;
		if (scope_glob(scope, RIGHT_ADMIN) || scope_glob(scope, right))
			return true;
	}
}

bool access_check_some(struct access *access, const char *secret, const char *origin, enum right right,
	char who[TOKEN_NAME_MAX + 1], struct err *err)
{
	const struct token_secret *token;

	if (!secret)
		return refuse_anonymous(err);
	LOCKED(&access->mutex);
	if (!find_good(access, secret, origin, true, &token, err))
		return false;
	if (!scopes_touch(token->row.scopes, right))
		return err_set(err, ERR_FORBIDDEN, "the token %s lacks the scope %s", token->row.name,
			rights[right].name);
	take_name(token, who);
	return true;
}

/* Whether the glob may match what begins so. Only what stands before its first sign that means others is
 * looked at. */
static bool glob_may_match_below(const char *glob, const char *beginning)
{
	size_t plain = strcspn(glob, "*?[\\"), length = strlen(beginning);

	if (strncmp(glob, beginning, plain < length ? plain : length) != 0)
		return false;
	return glob[plain] || plain > length;
}

static bool scopes_reach(const char *scopes, enum right right, const char *beginning)
{
	for (;;) {
		AUTO_FREE char *scope = next_word(&scopes);
		const char *glob;

		if (!scope)
			return false;
		glob = scope_glob(scope, right);
		if (scope_glob(scope, RIGHT_ADMIN) || (glob && glob_may_match_below(glob, beginning)))
			return true;
	}
}

bool access_check_below(struct access *access, const char *secret, const char *origin, enum right right,
	const char *beginning, char who[TOKEN_NAME_MAX + 1], struct err *err)
{
	const struct token_secret *token;

	if (!access_check_some(access, secret, origin, right, who, err))
		return false;
	LOCKED(&access->mutex);
	if (!find_valid(access, secret, &token, err))
		return false;
	return scopes_reach(token->row.scopes, right, beginning) ||
	       err_set(err, ERR_FORBIDDEN, "the token %s has no scope %s for %.200s*", token->row.name,
		       rights[right].name, beginning);
}

/* ---- by name ---- */

bool access_find_valid(struct access *access, const char *name, struct digest *out, struct err *err)
{
	LOCKED(&access->mutex);

	if ((!access->loaded || clock_monotonic_ms() - access->loaded_ms >= REFRESH_MS) &&
		!reload(access, err))
		return false;
	for (size_t i = 0; i < access->count; i++) {
		const struct token_secret *token = &access->tokens[i];

		if (strcmp(token->row.name, name) == 0 && check_valid(token, err)) {
			*out = token->hash;
			return true;
		}
	}
	return check_valid(NULL, err);
}

/* ---- uses ---- */

static struct token_use *take_uses(struct access *access, bool all, size_t *count)
{
	LOCKED(&access->mutex);

	return token_uses_take(&access->uses, all, clock_now_s(), count);
}

static void put_uses_back(struct access *access, const struct token_use *uses, size_t count)
{
	LOCKED(&access->mutex);

	token_uses_put_back(&access->uses, uses, count);
}

bool access_write_uses(struct access *access, bool all, struct err *err)
{
	size_t count;
	AUTO_FREE struct token_use *uses = take_uses(access, all, &count);

	if (count == 0 || catalog_note_token_uses(access->catalog, uses, count, err))
		return true;
	put_uses_back(access, uses, count);
	return false;
}

/* ---- issuing ---- */

static bool is_token_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t length = strlen(name);

	return length > 0 && length <= TOKEN_NAME_MAX && strspn(name, letters) == length;
}

bool access_issue(struct access *access, const char *name, const char *scopes, int64_t lifetime_s,
	struct token_text *out, struct err *err)
{
	AUTO_BUFFER struct buffer known = {0};
	int64_t now_s = clock_now_s();
	struct token_terms terms = {.name = name, .created_at = now_s};
	struct token_text token;
	uint8_t secret[32];

	if (!is_token_name(name))
		return err_set(err, ERR_BAD_REQUEST, "a token's name has 1 to %d letters, digits and ._-",
			TOKEN_NAME_MAX);
	if (lifetime_s < 0 || lifetime_s > LIFETIME_MAX_S)
		return err_set(err, ERR_BAD_REQUEST, "a token's life ends within 100 years, or not at all");
	if (!read_scopes(scopes, &known, err))
		return false;
	random_bytes(secret, sizeof secret);
	(void)snprintf(token.text, sizeof token.text, "lrd_%s", digest_from_bytes(secret).hex);
	terms.hash = digest_of(token.text, strlen(token.text));
	terms.scopes = buffer_string(&known);
	terms.expires_at = lifetime_s ? now_s + lifetime_s : 0;
	if (!shared_tokens_add(access->vault, access->catalog, &terms, err))
		return false;
	access_forget(access);
	*out = token;
	return true;
}

bool access_revoke(struct access *access, const char *name, struct err *err)
{
	if (!is_token_name(name))
		return err_set(err, ERR_NOT_FOUND, "there is no valid token named %.100s", name);
	if (!shared_tokens_revoke(access->vault, access->catalog, name, clock_now_s(), err))
		return false;
	access_forget(access);
	return true;
}

bool access_create(struct catalog *catalog, struct vault *vault, bool read_needs_token, struct access **out,
	struct err *err)
{
	AUTO_ACCESS struct access *access = mem_zero(1, sizeof *access);

	lock_init(&access->mutex, &lock_place);
	access->catalog = catalog;
	access->vault = vault;
	access->read_needs_token = read_needs_token;
	access->attempts = attempts_create();
	if (!reload(access, err))
		return false;
	*out = TAKE(access);
	return true;
}

void access_destroy(struct access *access)
{
	if (!access)
		return;
	token_secrets_destroy(access->tokens, access->count);
	attempts_destroy(access->attempts);
	token_uses_finish(&access->uses);
	lock_finish(&access->mutex);
	free(access);
}
