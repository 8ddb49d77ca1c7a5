/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/strictjson.h"

#include <string.h>

#include "common/clock.h"

static const char digest_prefix[] = "sha256:";

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
	(void)err_set(err, ERR_BAD_REQUEST, "it is no JSON: %.120s", fault.text);
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

bool strictjson_time(const json_t *object, const char *key, int64_t *out_s)
{
	const char *text = strictjson_text(object, key);

	/* As it is written here, so that the same time has one text. */
	return text && clock_parse_rfc3339(text, out_s) && strcmp(clock_rfc3339(*out_s).text, text) == 0;
}

bool strictjson_digest(const json_t *object, const char *key, struct digest *out)
{
	const char *text = strictjson_text(object, key);

	return text && strncmp(text, digest_prefix, strlen(digest_prefix)) == 0 && digest_parse(text, out);
}

json_t *strictjson_digest_value(const struct digest *digest)
{
	return json_sprintf("%s%s", digest_prefix, digest->hex);
}
