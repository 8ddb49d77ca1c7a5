/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/vault_keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/number.h"

enum { DIGIT_BITS = 5, BYTE_BITS = 8 };

static const char digits[] = "0123456789abcdefghijklmnopqrstuv";

static const struct {
	const char *under;
	bool has_version;
	bool has_format;
} kinds[VAULT_KIND_COUNT] = {
	[VAULT_IDS] = {"ids/", true, true},
	[VAULT_PUBLISHED] = {"published/", true, true},
	[VAULT_LEASES] = {"leases/", true, true},
	[VAULT_GONE_MARKS] = {"gone/", true, false},
	[VAULT_DOCS] = {"docs/", true, false},
	[VAULT_HOLDS] = {"holds/", true, false},
	[VAULT_TOKENS] = {"tokens/", false, false},
	[VAULT_PINS] = {"pins/", false, false},
};

/* The longest handle as digits with slashes between its pieces, the longest folder, version and format. */
enum {
	HANDLE_DIGITS_MAX = (NAME_PATH_MAX * BYTE_BITS + DIGIT_BITS - 1) / DIGIT_BITS,
	KEY_MAX = HANDLE_DIGITS_MAX + HANDLE_DIGITS_MAX / VAULT_KEY_PIECE + sizeof "published/" + sizeof "/" +
		  20 + sizeof "/archive"
};
_Static_assert((int)KEY_MAX <= (int)BUCKET_KEY_MAX, "a key of every name is one");

/* ---- handles ---- */

static char *add_digit(char *out, unsigned digit, size_t *count)
{
	if (*count > 0 && *count % VAULT_KEY_PIECE == 0)
		*out++ = '/';
	++*count;
	*out++ = digits[digit];
	return out;
}

/* Behind the last one written. */
static char *encode(const char *handle, char *out)
{
	unsigned held = 0;
	int bits = 0;
	size_t count = 0;

	for (const char *at = handle; *at; at++) {
		held = (held << BYTE_BITS | (unsigned char)*at) & 0xfff;
		for (bits += BYTE_BITS; bits >= DIGIT_BITS; bits -= DIGIT_BITS)
			out = add_digit(out, held >> (bits - DIGIT_BITS) & 31, &count);
	}
	if (bits > 0)
		out = add_digit(out, held << (DIGIT_BITS - bits) & 31, &count);
	*out = '\0';
	return out;
}

/* Slashes are passed over: what is not the one spelling shows when it is written again. */
static bool decode(const char *text, size_t length, char out[NAME_PATH_MAX + 1])
{
	unsigned held = 0;
	int bits = 0;
	size_t count = 0;

	for (size_t i = 0; i < length; i++) {
		const char *digit = text[i] ? strchr(digits, text[i]) : NULL;

		if (text[i] == '/')
			continue;
		if (!digit || count == NAME_PATH_MAX)
			return false;
		held = (held << DIGIT_BITS | (unsigned)(digit - digits)) & 0xfff;
		bits += DIGIT_BITS;
		if (bits >= BYTE_BITS)
			out[count++] = (char)(held >> (bits -= BYTE_BITS) & 0xff);
	}
	out[count] = '\0';
	return strlen(out) == count;
}

/* ---- keys ---- */

struct vault_key vault_key_blob(const struct digest *digest)
{
	struct vault_key key;

	(void)snprintf(key.text, sizeof key.text, "blobs/sha256/%.2s/%s", digest->hex, digest->hex);
	return key;
}

const char *vault_keys_under(enum vault_kind kind)
{
	return kinds[kind].under;
}

static char *begin_key(enum vault_kind kind, const struct name *name, struct vault_key *key)
{
	(void)strcpy(key->text, kinds[kind].under);
	return encode(name->handle, key->text + strlen(key->text));
}

struct vault_key vault_keys_of_version(enum vault_kind kind, const struct name *name)
{
	struct vault_key key;
	char *end = begin_key(kind, name, &key);

	(void)snprintf(end, (size_t)(key.text + sizeof key.text - end), "/%" PRId64 "/", name->version);
	return key;
}

struct vault_key vault_keys_of_handle(enum vault_kind kind, const struct name *name)
{
	struct vault_key key;
	char *end = begin_key(kind, name, &key);

	(void)snprintf(end, (size_t)(key.text + sizeof key.text - end), "/");
	return key;
}

struct vault_key vault_key_of(enum vault_kind kind, const struct name *name)
{
	struct vault_key key;
	size_t length;

	if (!kinds[kind].has_version) {
		(void)begin_key(kind, name, &key);
		return key;
	}
	key = vault_keys_of_version(kind, name);
	length = strlen(key.text);
	if (kinds[kind].has_format)
		(void)snprintf(key.text + length, sizeof key.text - length, "%s", formats[name->format].name);
	else
		key.text[length - 1] = '\0';
	return key;
}

/* The part behind the last slash before end, which moves there; NULL where there is none. */
static const char *take_last(const char *start, const char **end)
{
	const char *slash = memrchr(start, '/', (size_t)(*end - start));

	if (slash)
		*end = slash;
	return slash ? slash + 1 : NULL;
}

static bool read_version(const char *text, size_t length, int64_t *out)
{
	char number[24];

	if (length >= sizeof number)
		return false;
	(void)snprintf(number, sizeof number, "%.*s", (int)length, text);
	return number_parse(number, out);
}

/* What stands behind the handle, whose end moves to before it. */
static bool read_tail(enum vault_kind kind, const char *key, const char **end, struct name *name)
{
	const char *part;
	const char *part_end;

	if (kinds[kind].has_format && (!(part = take_last(key, end)) || !format_parse(part, &name->format)))
		return false;
	part_end = *end;
	if (!kinds[kind].has_version)
		return true;
	part = take_last(key, end);
	return part && read_version(part, (size_t)(part_end - part), &name->version);
}

bool vault_key_read(enum vault_kind kind, const char *key, struct name *out)
{
	size_t under = strlen(kinds[kind].under);
	const char *end = key + strlen(key);
	struct name name = *out;

	if (strncmp(key, kinds[kind].under, under) != 0)
		return false;
	key += under;
	if (!read_tail(kind, key, &end, &name) || !decode(key, (size_t)(end - key), name.handle) ||
		strcmp(vault_key_of(kind, &name).text, key - under) != 0)
		return false;
	*out = name;
	return true;
}
