/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/sessions.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/digest.h"
#include "common/mem.h"
#include "common/number.h"
#include "server/registry/process_key.h"

struct sessions {
	struct process_key key;
	struct access *access;
};

struct sessions *sessions_create(struct access *access)
{
	struct sessions *sessions = mem_zero(1, sizeof *sessions);

	process_key_init(&sessions->key);
	sessions->access = access;
	return sessions;
}

void sessions_destroy(struct sessions *sessions)
{
	if (!sessions)
		return;
	process_key_finish(&sessions->key);
	free(sessions);
}

/* Of the token's name and the end, and of what is kept of the token, which no two of a name have in common.
 */
static struct digest sign(
	const struct sessions *sessions, const struct digest *token, const char *name, const char *until)
{
	AUTO_FREE char *words = mem_printf("larder-session\n%s\n%s\n%s", token->hex, name, until);

	return process_key_sign(&sessions->key, words);
}

bool sessions_begin(const struct sessions *sessions, const char *secret, const char *origin,
	struct session_text *out, struct err *err)
{
	char who[TOKEN_NAME_MAX + 1];
	struct digest token;
	char until[24];

	if (!access_identify(sessions->access, secret, origin, who, err) ||
		!access_find_valid(sessions->access, who, &token, err))
		return false;
	(void)snprintf(until, sizeof until, "%" PRId64, clock_now_s() + SESSION_LIFETIME_S);
	(void)snprintf(
		out->text, sizeof out->text, "%s.%s.%s", who, until, sign(sessions, &token, who, until).hex);
	return true;
}

static bool refuse(struct err *err)
{
	return err_set(err, ERR_UNAUTHORIZED, "you are signed in no longer");
}

bool sessions_check(
	const struct sessions *sessions, const char *session, char who[TOKEN_NAME_MAX + 1], struct err *err)
{
	AUTO_FREE char *name = mem_dup(session);
	char *code = strrchr(name, '.'), *until;
	struct digest token, told, ours;
	int64_t until_s, now_s = clock_now_s();

	if (!code)
		return refuse(err);
	*code++ = '\0';
	until = strrchr(name, '.');
	if (!until || strlen(code) >= sizeof told.hex || !digest_parse(code, &told))
		return refuse(err);
	*until++ = '\0';
	if (strlen(name) > TOKEN_NAME_MAX || strlen(until) > 20 || !number_parse(until, &until_s) ||
		!access_find_valid(sessions->access, name, &token, err))
		return refuse(err);
	ours = sign(sessions, &token, name, until);
	if (!digest_equal(&told, &ours) || until_s <= now_s || until_s > now_s + SESSION_LIFETIME_S)
		return refuse(err);
	(void)snprintf(who, TOKEN_NAME_MAX + 1, "%s", name);
	return true;
}
