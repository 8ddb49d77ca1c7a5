/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/fast/plainhead.h"

#include <string.h>
#include <strings.h>

#include "server/http/forwarded.h"
#include "server/http/http_token.h"
#include "server/http/request_line.h"

struct seen {
	int hosts;
	int connections;
};

enum meaning {
	MEANS_NOTHING,
	MEANS_HOST,
	MEANS_CONNECTION,
	MEANS_CONDITION,
	MEANS_TOLD_X,
	MEANS_TOLD,
	MEANS_MORE
};

/* Fields that change what is asked for. All others are passed over, as libmicrohttpd and we do elsewhere. */
static const struct {
	const char *name;
	size_t length;
	enum meaning meaning;
} fields[] = {
	{"Host", 4, MEANS_HOST},
	{"Connection", 10, MEANS_CONNECTION},
	{"Range", 5, MEANS_CONDITION},
	{"If-Range", 8, MEANS_CONDITION},
	{"If-Match", 8, MEANS_CONDITION},
	{"If-None-Match", 13, MEANS_CONDITION},
	{"If-Modified-Since", 17, MEANS_CONDITION},
	{"If-Unmodified-Since", 19, MEANS_CONDITION},
	{"X-Forwarded-For", 15, MEANS_TOLD_X},
	{"Forwarded", 9, MEANS_TOLD},
	{"Authorization", 13, MEANS_MORE},
	{"Content-Length", 14, MEANS_MORE},
	{"Transfer-Encoding", 17, MEANS_MORE},
	{"Expect", 6, MEANS_MORE},
	{"Upgrade", 7, MEANS_MORE},
};

static enum meaning meaning_of(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		if (fields[i].length == length && strncasecmp(fields[i].name, name, length) == 0)
			return fields[i].meaning;
	}
	return length > 3 && strncasecmp(name, "If-", 3) == 0 ? MEANS_MORE : MEANS_NOTHING;
}

/* Steps over a word; false where another follows or the bytes end. */
static bool take_word(char **at, const char *end, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(end - *at) < length || memcmp(*at, word, length) != 0)
		return false;
	*at += length;
	return true;
}

static bool read_first_line(char **at, const char *end, struct plain_head *out)
{
	struct request_line line;

	if (request_line_read(*at, (size_t)(end - *at), &line) != LINE_GOOD ||
		(line.method != METHOD_GET && line.method != METHOD_HEAD) || *line.target != '/' ||
		!line.is_ascii || line.minor != 1)
		return false;
	out->method = line.method;
	out->target = line.target;
	(*at)[line.target + line.target_length - *at] = '\0';
	*at += line.length;
	return true;
}

/* Steps over a value with its end of line, and takes the blanks off it. */
static bool read_value(char **at, const char *end, char **out)
{
	char *value = *at;
	char *last;

	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	for (last = value; last < end && ((unsigned char)*last >= ' ' || *last == '\t') && *last != 0x7f;
		last++)
		continue;
	*at = last;
	if (!take_word(at, end, "\r\n"))
		return false;
	while (last > value && (last[-1] == ' ' || last[-1] == '\t'))
		last--;
	*last = '\0';
	*out = value;
	return true;
}

static bool keep_condition(struct plain_head *out, char *name, size_t length, const char *value)
{
	name[length] = '\0';
	if (out->condition_count == PLAIN_CONDITIONS || plain_head_find(out, name))
		return false;
	out->conditions[out->condition_count++] = (struct plain_condition){name, value};
	return true;
}

/* A second field of that name could say something else. */
static bool read_connection(struct plain_head *out, const char *value, int *connections)
{
	out->closes = strcasecmp(value, "close") == 0;
	return ++*connections == 1 && (out->closes || strcasecmp(value, "keep-alive") == 0);
}

static bool read_field(char **at, const char *end, struct plain_head *out, struct seen *seen)
{
	char *name = *at;
	char *value;
	size_t length;

	length = http_token_length(name, (size_t)(end - name));
	*at += length;
	if (length == 0 || !take_word(at, end, ":") || !read_value(at, end, &value))
		return false;
	switch (meaning_of(name, length)) {
	case MEANS_NOTHING:
		return true;
	case MEANS_HOST:
		return ++seen->hosts == 1 && *value;
	case MEANS_CONNECTION:
		return read_connection(out, value, &seen->connections);
	case MEANS_CONDITION:
		return keep_condition(out, name, length, value);
	case MEANS_TOLD_X:
		out->told[FORWARDED_X] = value;
		return true;
	case MEANS_TOLD:
		out->told[FORWARDED_RFC7239] = value;
		return true;
	default:
		return false;
	}
}

bool plain_head_read(char *bytes, size_t length, struct plain_head *out)
{
	const char *end = bytes + length;
	char *at = bytes;
	struct seen seen = {0};

	out->condition_count = 0;
	out->told[FORWARDED_X] = out->told[FORWARDED_RFC7239] = NULL;
	out->closes = false;
	if (!read_first_line(&at, end, out))
		return false;
	while (!take_word(&at, end, "\r\n")) {
		if (!read_field(&at, end, out, &seen))
			return false;
	}
	out->length = (size_t)(at - bytes);
	return seen.hosts == 1;
}

const char *plain_head_find(const void *object, const char *name)
{
	const struct plain_head *head = object;

	for (size_t i = 0; i < head->condition_count; i++) {
		if (strcasecmp(head->conditions[i].name, name) == 0)
			return head->conditions[i].value;
	}
	return NULL;
}
