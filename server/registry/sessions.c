/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/sessions.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "common/clock.h"
#include "common/digest.h"
#include "common/mem.h"
#include "common/number.h"

/* Of the token's name and the end, by what is kept of the token, which no two have in common. */
static struct digest sign(const struct digest *token, const char *name, const char *until)
{
	AUTO_FREE char *words = mem_printf("larder-session\n%s\n%s", name, until);
	uint8_t code[32];
	size_t length;

	if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, token->bytes, sizeof token->bytes,
		    (const unsigned char *)words, strlen(words), code, sizeof code, &length))
		abort();
	return digest_from_bytes(code);
}

bool sessions_begin(struct access *access, const char *secret, const char *origin, struct session_text *out,
	struct err *err)
{
	char who[TOKEN_NAME_MAX + 1];
	struct digest token;
	char until[24];

	if (!access_identify(access, secret, origin, who, err) ||
		!access_find_valid(access, who, &token, err))
		return false;
	(void)snprintf(until, sizeof until, "%" PRId64, clock_now_s() + SESSION_LIFETIME_S);
	(void)snprintf(out->text, sizeof out->text, "%s.%s.%s", who, until, sign(&token, who, until).hex);
	return true;
}

static bool refuse(struct err *err)
{
	return err_set(err, ERR_UNAUTHORIZED, "you are signed in no longer");
}

bool sessions_check(struct access *access, const char *session, char who[TOKEN_NAME_MAX + 1], struct err *err)
{
	AUTO_FREE char *name = mem_dup(session);
	char *code = strrchr(name, '.'), *until;
	struct digest token, told, ours;
	int64_t until_s;

	if (!code)
		return refuse(err);
	*code++ = '\0';
	until = strrchr(name, '.');
	if (!until || strlen(code) >= sizeof told.hex || !digest_parse(code, &told))
		return refuse(err);
	*until++ = '\0';
	if (strlen(name) > TOKEN_NAME_MAX || strlen(until) > 20 || !number_parse(until, &until_s) ||
		!access_find_valid(access, name, &token, err))
		return refuse(err);
	ours = sign(&token, name, until);
	if (!digest_equal(&told, &ours) || until_s <= clock_now_s())
		return refuse(err);
	(void)snprintf(who, TOKEN_NAME_MAX + 1, "%s", name);
	return true;
}
