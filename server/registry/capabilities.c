/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/capabilities.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/digest.h"
#include "common/mem.h"
#include "common/number.h"
#include "server/registry/process_key.h"

static const char prefix[] = "cap_";

struct capabilities {
	struct process_key key;
	struct access *access;
};

struct capabilities *capabilities_create(struct access *access)
{
	struct capabilities *capabilities = mem_zero(1, sizeof *capabilities);

	process_key_init(&capabilities->key);
	capabilities->access = access;
	return capabilities;
}

void capabilities_destroy(struct capabilities *capabilities)
{
	if (!capabilities)
		return;
	process_key_finish(&capabilities->key);
	free(capabilities);
}

static struct digest sign(const struct capabilities *capabilities, enum capability_use use, const char *path,
	const char *who, const char *until)
{
	AUTO_FREE char *words = mem_printf("%d\n%s\n%s\n%s", (int)use, until, who, path);

	return process_key_sign(&capabilities->key, words);
}

struct capability_text capabilities_make(const struct capabilities *capabilities, enum capability_use use,
	const char *path, const char *who, int64_t lifetime_s)
{
	struct capability_text out;
	char until[24];

	(void)snprintf(until, sizeof until, "%" PRId64, clock_now_s() + lifetime_s);
	(void)snprintf(out.text, sizeof out.text, "%s%s_%s_%s", prefix, until, who,
		sign(capabilities, use, path, who, until).hex);
	return out;
}

bool capability_is_one(const char *word)
{
	return word && strncmp(word, prefix, strlen(prefix)) == 0;
}

/* What stands in it: "cap_<until>_<name>_<code>", of which a name may have the sign that parts them. */
struct parts {
	char until[24];
	char who[TOKEN_NAME_MAX + 1];
	int64_t until_s;
	struct digest code;
};

static bool read_word(const char *word, struct parts *out)
{
	const char *number = word + strlen(prefix);
	const char *name = strchr(number, '_');
	const char *code = strrchr(number, '_');
	size_t length;

	if (!name || name == code || name - number >= (ptrdiff_t)sizeof out->until ||
		code - name > (ptrdiff_t)sizeof out->who)
		return false;
	length = (size_t)(name - number);
	memcpy(out->until, number, length);
	out->until[length] = '\0';
	length = (size_t)(code - name) - 1;
	memcpy(out->who, name + 1, length);
	out->who[length] = '\0';
	return number_parse(out->until, &out->until_s) && digest_parse(code + 1, &out->code);
}

static bool refuse(struct err *err)
{
	return err_set(err, ERR_UNAUTHORIZED, "this address is not one that was given out here");
}

bool capabilities_check(const struct capabilities *capabilities, const char *word, enum capability_use use,
	const char *path, char who[TOKEN_NAME_MAX + 1], struct err *err)
{
	struct parts parts;
	struct digest ours, token;

	if (!capability_is_one(word) || !read_word(word, &parts))
		return refuse(err);
	ours = sign(capabilities, use, path, parts.who, parts.until);
	if (!digest_equal(&parts.code, &ours))
		return refuse(err);
	if (parts.until_s <= clock_now_s())
		return err_set(
			err, ERR_UNAUTHORIZED, "this address was good for a while, which is over: ask again");
	if (*parts.who && !access_find_valid(capabilities->access, parts.who, &token, err))
		return err_set(err, ERR_UNAUTHORIZED,
			"this address was good as long as the token %s, which is over", parts.who);
	(void)snprintf(who, TOKEN_NAME_MAX + 1, "%s", parts.who);
	return true;
}
