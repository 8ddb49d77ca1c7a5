/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/capabilities.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "common/clock.h"
#include "common/digest.h"
#include "common/mem.h"
#include "common/number.h"

enum { KEY_BYTES = 32 };

static const char prefix[] = "cap_";

struct capabilities {
	uint8_t key[KEY_BYTES];
};

struct capabilities *capabilities_create(void)
{
	struct capabilities *capabilities = mem_zero(1, sizeof *capabilities);

	random_bytes(capabilities->key, sizeof capabilities->key);
	return capabilities;
}

void capabilities_destroy(struct capabilities *capabilities)
{
	if (!capabilities)
		return;
	OPENSSL_cleanse(capabilities->key, sizeof capabilities->key);
	free(capabilities);
}

static struct digest sign(
	const struct capabilities *capabilities, enum capability_use use, const char *path, const char *until)
{
	AUTO_FREE char *words = mem_printf("%d\n%s\n%s", (int)use, until, path);
	uint8_t code[32];
	size_t length;

	if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, capabilities->key, sizeof capabilities->key,
		    (const unsigned char *)words, strlen(words), code, sizeof code, &length))
		abort();
	return digest_from_bytes(code);
}

struct capability_text capabilities_make(const struct capabilities *capabilities, enum capability_use use,
	const char *path, int64_t lifetime_s)
{
	struct capability_text out;
	char until[24];

	(void)snprintf(until, sizeof until, "%" PRId64, clock_now_s() + lifetime_s);
	(void)snprintf(out.text, sizeof out.text, "%s%s_%s", prefix, until,
		sign(capabilities, use, path, until).hex);
	return out;
}

bool capability_is_one(const char *word)
{
	return word && strncmp(word, prefix, strlen(prefix)) == 0;
}

/* The time until when it is good, and its code. */
static bool read_word(const char *word, char until[24], struct digest *code, int64_t *until_s)
{
	const char *number = word + strlen(prefix);
	size_t length = strcspn(number, "_");

	if (!capability_is_one(word) || length >= 24 || number[length] != '_')
		return false;
	memcpy(until, number, length);
	until[length] = '\0';
	return number_parse(until, until_s) && digest_parse(number + length + 1, code);
}

static bool is_ours(const struct capabilities *capabilities, const char *word, enum capability_use use,
	const char *path, int64_t *until_s)
{
	struct digest told, ours;
	char until[24];

	if (!read_word(word, until, &told, until_s))
		return false;
	ours = sign(capabilities, use, path, until);
	return digest_equal(&told, &ours);
}

bool capabilities_check(const struct capabilities *capabilities, const char *word, enum capability_use use,
	const char *path, struct err *err)
{
	int64_t until_s;

	if (!is_ours(capabilities, word, use, path, &until_s))
		return err_set(err, ERR_UNAUTHORIZED, "this address is not one that was given out here");
	return until_s > clock_now_s() ||
	       err_set(err, ERR_UNAUTHORIZED, "this address was good for a while, which is over: ask again");
}
