/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/strictjson.h"

#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/own.h"

static const char digest_prefix[] = "sha256:";

/* ---- what nobody reads ---- */

/* Over a text that is being shortened in its place. */
struct stripping {
	char *text;
	size_t length;
	size_t at;   /* what is looked at */
	size_t kept; /* how much stays, so far */
};

static void skip_blanks(struct stripping *strip)
{
	while (strip->at < strip->length && strchr(" \t\r\n", strip->text[strip->at]) &&
		strip->text[strip->at])
		strip->at++;
}

static bool skip_text(struct stripping *strip)
{
	for (strip->at++; strip->at < strip->length; strip->at++) {
		if (strip->text[strip->at] == '"') {
			strip->at++;
			return true;
		}
		strip->at += strip->text[strip->at] == '\\';
	}
	return false;
}

/* To what stands behind a value: a comma, or the end of what it is in. */
static bool skip_value(struct stripping *strip)
{
	size_t depth = 0;

	while (strip->at < strip->length) {
		char letter = strip->text[strip->at];

		if (depth == 0 && (letter == ',' || letter == '}' || letter == ']'))
			return letter != ']';
		if (letter == '"') {
			if (!skip_text(strip))
				return false;
			continue;
		}
		depth += letter == '{' || letter == '[';
		depth -= letter == '}' || letter == ']';
		strip->at++;
	}
	return false;
}

static bool is_wanted(const char *key, size_t length, const char *const *keys)
{
	for (; *keys; keys++) {
		if (strlen(*keys) == length && strncmp(*keys, key, length) == 0)
			return true;
	}
	return false;
}

static void keep(struct stripping *strip, size_t from)
{
	size_t length = strip->at - from;

	if (strip->text[strip->kept - 1] != '{')
		strip->text[strip->kept++] = ',';
	(void)memmove(strip->text + strip->kept, strip->text + from, length);
	strip->kept += length;
}

/* False where there is none, or no such thing as a member. */
static bool strip_member(struct stripping *strip, const char *const *keys)
{
	size_t from, key_end;

	skip_blanks(strip);
	from = strip->at;
	if (from == strip->length || strip->text[from] != '"' || !skip_text(strip))
		return false;
	key_end = strip->at - 1;
	skip_blanks(strip);
	if (strip->at == strip->length || strip->text[strip->at] != ':' || !skip_value(strip))
		return false;
	if (is_wanted(strip->text + from + 1, key_end - from - 1, keys))
		keep(strip, from);
	return true;
}

void strictjson_strip(struct buffer *text, const char *const *keys)
{
	struct stripping strip = {.text = text->data, .length = text->length};
	size_t rest = 0;

	skip_blanks(&strip);
	if (strip.at == strip.length || strip.text[strip.at++] != '{')
		return;
	strip.kept = rest = strip.at;
	while (strip_member(&strip, keys)) {
		rest = strip.at;
		if (strip.text[strip.at] != ',')
			break;
		strip.at++;
	}
	/* Its end, or what is broken: it is for the parser to tell. */
	(void)memmove(strip.text + strip.kept, strip.text + rest, strip.length - rest);
	text->length = strip.kept + strip.length - rest;
	text->data[text->length] = '\0';
}

/* ---- parsing ---- */

/* Each value costs many times its bytes in memory, so they are counted before: each stands behind one of
 * these, outside of texts. */
static size_t count_values(const char *text, size_t length)
{
	bool quoted = false;
	size_t values = 1;

	for (size_t i = 0; i < length; i++) {
		if (quoted && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted)
			values += text[i] == ',' || text[i] == '{' || text[i] == '[';
	}
	return values;
}

/* The parser quotes what it stumbled over. */
static void blank_controls(char *text)
{
	for (char *c = text; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7F)
			*c = ' ';
	}
}

bool strictjson_parse(const char *text, size_t length, size_t values_max, json_t **out, struct err *err)
{
	json_error_t fault;
	json_t *value;

	if (count_values(text, length) > values_max)
		return err_set(err, ERR_TOO_LARGE, "it has more than %zu values", values_max);
	value = json_loadb(text, length, JSON_REJECT_DUPLICATES, &fault);
	if (value) {
		*out = value;
		return true;
	}
	(void)err_set(err, ERR_BAD_REQUEST, "it is no JSON: line %d: %.120s", fault.line, fault.text);
	blank_controls(err->text);
	return false;
}

const char *strictjson_text(const json_t *object, const char *key)
{
	const json_t *text = json_object_get(object, key);
	const char *value = json_string_value(text);

	return value && strlen(value) == json_string_length(text) ? value : NULL;
}

bool strictjson_number(const json_t *object, const char *key, int64_t *out)
{
	const json_t *number = json_object_get(object, key);

	if (!json_is_integer(number) || json_integer_value(number) < 0)
		return false;
	*out = json_integer_value(number);
	return true;
}

bool strictjson_names(const char *handle, int64_t version, struct name *out)
{
	AUTO_FREE char *path = NULL;
	struct name name = {.format = FORMAT_TF_HUB};
	struct err err;

	if (strlen(handle) > NAME_PATH_MAX)
		return false;
	path = mem_printf("%s/%" PRId64, handle, version);
	if (!name_parse_versioned(path, &name, &err) || name.version != version ||
		strcmp(name.handle, handle) != 0)
		return false;
	name.format = FORMAT_TF_HUB;
	*out = name;
	return true;
}

bool strictjson_name(const json_t *object, struct name *out, struct err *err)
{
	const char *handle = strictjson_text(object, "handle");
	int64_t version;

	return (handle && strictjson_number(object, "version", &version) &&
		       strictjson_names(handle, version, out)) ||
	       err_set(err, ERR_BAD_REQUEST, "\"handle\" and \"version\" are no module's name");
}

bool strictjson_time(const json_t *object, const char *key, int64_t *out_s)
{
	const char *text = strictjson_text(object, key);

	/* As it is written here, so that the same time has one text. */
	return text && clock_parse_rfc3339(text, out_s) && strcmp(clock_rfc3339(*out_s).text, text) == 0;
}

bool strictjson_is_flipped(const char *text, const char *of)
{
	size_t length = strlen(of);
	int bits = 0;

	if (strlen(text) != length)
		return false;
	for (size_t i = 0; i < length; i++)
		bits += __builtin_popcount((unsigned char)text[i] ^ (unsigned char)of[i]);
	return bits == 1;
}

/* The same digest has one text: capital letters are a bit away from what was written. */
bool strictjson_digest(const json_t *object, const char *key, struct digest *out)
{
	const char *text = strictjson_text(object, key);

	return text && strncmp(text, digest_prefix, strlen(digest_prefix)) == 0 && digest_parse(text, out) &&
	       strcmp(text + strlen(digest_prefix), out->hex) == 0;
}

json_t *strictjson_digest_value(const struct digest *digest)
{
	return json_sprintf("%s%s", digest_prefix, digest->hex);
}
