/* SPDX-License-Identifier: Apache-2.0 */
#include "server/attest/trusted_keys.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "server/bundle/signing_key.h"

static const char blanks[] = " \t\r\n";

struct trusted_key {
	char *name;
	char *path;
	int64_t from_s;
	int64_t until_s; /* INT64_MAX: for ever */
	struct signing_key *key;
};

struct trusted_keys {
	struct trusted_key *items;
	size_t count;
	size_t capacity;
};

void trusted_keys_destroy(struct trusted_keys *keys)
{
	if (!keys)
		return;
	for (size_t i = 0; i < keys->count; i++) {
		free(keys->items[i].name);
		free(keys->items[i].path);
		signing_key_destroy(keys->items[i].key);
	}
	free(keys->items);
	free(keys);
}

/* ---- the list ---- */

/* The next word of a part, which it cuts; NULL at its end. */
static char *next_word(char **at)
{
	char *word = *at + strspn(*at, blanks);

	if (!*word)
		return NULL;
	*at = word + strcspn(word, blanks);
	if (**at)
		*(*at)++ = '\0';
	return word;
}

static bool is_name(const char *text)
{
	return strlen(text) <= KEY_NAME_MAX &&
	       text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")] ==
		       '\0';
}

/* A day is its beginning in UTC. */
static bool read_time(const char *text, int64_t *out)
{
	AUTO_FREE char *day = mem_printf("%.40sT00:00:00Z", text);

	return clock_parse_rfc3339(strlen(text) == strlen("2026-01-01") ? day : text, out);
}

static bool read_limits(char *at, struct trusted_key *key)
{
	const char *word;

	while ((word = next_word(&at))) {
		int64_t *limit = strcmp(word, "from") == 0    ? &key->from_s
				 : strcmp(word, "until") == 0 ? &key->until_s
							      : NULL;
		const char *time = next_word(&at);

		if (!limit || !time || !read_time(time, limit))
			return false;
	}
	return key->from_s < key->until_s;
}

static bool refuse_part(const char *part, struct err *err)
{
	return err_set(err, ERR_BAD_REQUEST,
		"trusted_keys has \"%.100s\", which must be NAME FILE [from TIME] [until TIME]: a name of "
		"letters, digits, \".\", \"_\" and \"-\", the file of a public key, and times such as "
		"2027-01-01 or 2027-01-01T12:00:00Z, the first before the second",
		part);
}

static bool has_name(const struct trusted_keys *keys, const char *name)
{
	for (size_t i = 0; i < keys->count; i++) {
		if (strcmp(keys->items[i].name, name) == 0)
			return true;
	}
	return false;
}

static bool read_part(const char *part, struct trusted_keys *keys, struct err *err)
{
	AUTO_FREE char *copy = mem_dup(part);
	struct trusted_key key = {.until_s = INT64_MAX};
	char *at = copy;
	const char *name = next_word(&at);
	const char *path = next_word(&at);

	if (!name && !path)
		return true;
	if (!path || !is_name(name) || !read_limits(at, &key))
		return refuse_part(part, err);
	if (has_name(keys, name))
		return err_set(err, ERR_BAD_REQUEST, "trusted_keys has two keys of the name %s", name);
	if (keys->count == TRUSTED_KEYS_MAX)
		return err_set(err, ERR_BAD_REQUEST, "trusted_keys has more than %d keys", TRUSTED_KEYS_MAX);
	key.name = mem_dup(name);
	key.path = mem_dup(path);
	MEM_GROW(keys->items, keys->count, keys->capacity);
	keys->items[keys->count++] = key;
	return true;
}

static bool read_list(const char *list, struct trusted_keys **out, struct err *err)
{
	AUTO_TRUSTED_KEYS struct trusted_keys *keys = mem_zero(1, sizeof *keys);

	while (list && *list) {
		size_t length = strcspn(list, ",");
		AUTO_FREE char *part = mem_dup_n(list, length);

		if (!read_part(part, keys, err))
			return false;
		list += length + (list[length] != '\0');
	}
	*out = TAKE(keys);
	return true;
}

bool trusted_keys_check(const char *list, struct err *err)
{
	AUTO_TRUSTED_KEYS struct trusted_keys *keys = NULL;

	return read_list(list, &keys, err);
}

bool trusted_keys_read(const char *list, struct trusted_keys **out, struct err *err)
{
	AUTO_TRUSTED_KEYS struct trusted_keys *keys = NULL;

	if (!read_list(list, &keys, err))
		return false;
	for (size_t i = 0; i < keys->count; i++) {
		struct trusted_key *key = &keys->items[i];

		if (!signing_key_read_verifier(key->path, &key->key, err))
			return err_prefix(err, "the key %s: ", key->name);
	}
	*out = TAKE(keys);
	return true;
}

size_t trusted_keys_count(const struct trusted_keys *keys)
{
	return keys->count;
}

struct digest trusted_keys_digest(const struct trusted_keys *keys)
{
	AUTO_BUFFER struct buffer text = {0};

	for (size_t i = 0; i < keys->count; i++) {
		const struct trusted_key *key = &keys->items[i];

		buffer_printf(&text, "%s %s %" PRId64 " %" PRId64 "\n", key->name,
			signing_key_id(key->key).hex, key->from_s, key->until_s);
	}
	return digest_of(buffer_string(&text), text.length);
}

/* ---- judging ---- */

static bool refuse_signer(const struct trusted_keys *keys, const struct dsse *dsse, struct err *err)
{
	AUTO_BUFFER struct buffer signers = {0};

	dsse_list_signers(dsse, &signers);
	return err_set(err, ERR_SIGNATURE_REQUIRED,
		"it is signed by none of the %zu keys that are trusted here: its signatures name %s",
		keys->count, signers.length > 0 ? buffer_string(&signers) : "none");
}

static bool refuse_time(const struct trusted_key *key, int64_t now_s, struct err *err)
{
	bool is_early = now_s < key->from_s;

	return err_set(err, ERR_SIGNATURE_REQUIRED,
		"it is signed by the key %s, which is trusted %s %s only: sign with one that is trusted now",
		key->name, is_early ? "from" : "until",
		clock_rfc3339(is_early ? key->from_s : key->until_s).text);
}

bool trusted_keys_find_signer(const struct trusted_keys *keys, const struct dsse *dsse, int64_t now_s,
	struct signer *out, struct err *err)
{
	const struct trusted_key *other = NULL; /* has signed, and does not count now */

	for (size_t i = 0; i < keys->count; i++) {
		const struct trusted_key *key = &keys->items[i];

		if (!dsse_may_be_signed_by(dsse, key->key) || !dsse_is_signed_by(dsse, key->key))
			continue;
		if (now_s >= key->from_s && now_s < key->until_s) {
			*out = (struct signer){.id = signing_key_id(key->key)};
			memcpy(out->name, key->name, strlen(key->name) + 1);
			return true;
		}
		other = key;
	}
	return other ? refuse_time(other, now_s, err) : refuse_signer(keys, dsse, err);
}
