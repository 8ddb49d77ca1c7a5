/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/cdn_loop.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/own.h"

static const char id_start[] = "larder-";
static const char token_letters[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~";
static const char id_letters[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~:[]";
static const char blanks[] = " \t";

void cdn_loop_make_id(char out[CDN_LOOP_ID_SIZE])
{
	uint64_t chance;

	random_bytes(&chance, sizeof chance);
	(void)snprintf(out, CDN_LOOP_ID_SIZE, "%s%016" PRIx64, id_start, chance);
}

static const char *skip(const char *text, const char *letters)
{
	return text + strspn(text, letters);
}

/* Behind the closing quotation mark; NULL where there is none, or what no header may have. */
static const char *skip_quoted(const char *text)
{
	for (text++; *text && *text != '"'; text++) {
		if (*text == '\\')
			text++;
		if (*text != '\t' && (iscntrl((unsigned char)*text) || (unsigned char)*text > '~'))
			return NULL;
	}
	return *text == '"' ? text + 1 : NULL;
}

/* Behind "; name=value; …"; NULL where that is malformed. */
static const char *skip_parameters(const char *text)
{
	while (text && *text == ';') {
		const char *name = skip(text + 1, blanks);

		text = skip(name, token_letters);
		if (text == name)
			return NULL;
		if (*text == '=')
			text = text[1] == '"' ? skip_quoted(text + 1) : skip(text + 1, token_letters);
		text = text ? skip(text, blanks) : NULL;
	}
	return text;
}

/* The next cdn-info: its id, and what is behind it. False at the end, or with *rest NULL where it is
 * malformed. */
static bool next_info(const char **rest, const char **id, size_t *length)
{
	const char *text = skip(*rest, " \t,");

	*rest = text;
	if (!*text)
		return false;
	*id = text;
	*length = strspn(text, id_letters);
	text = *length ? skip_parameters(skip(text + *length, blanks)) : NULL;
	*rest = text && (*text == ',' || !*text) ? text : NULL;
	return *rest != NULL;
}

static bool is_larder(const char *id, size_t length)
{
	size_t start = strlen(id_start);

	return length == CDN_LOOP_ID_SIZE - 1 && strncmp(id, id_start, start) == 0 &&
	       strspn(id + start, "0123456789abcdef") >= length - start;
}

static bool refuse_long(struct err *err)
{
	return err_set(err, ERR_LOOP_DETECTED,
		"the request has come through too many servers (CDN-Loop): check the upstreams");
}

/* What we would send must not be too long for who gets it. */
static bool check_length(const char *header, const char *id, struct err *err)
{
	AUTO_FREE char *sent = cdn_loop_append(header, id);

	return strlen(sent) <= CDN_LOOP_MAX || refuse_long(err);
}

bool cdn_loop_check(const char *header, const char *id, struct err *err)
{
	const char *rest = header;
	const char *info;
	size_t length;
	bool passed = false;

	if (!header)
		return true;
	if (strlen(header) > CDN_LOOP_MAX)
		return refuse_long(err);
	while (next_info(&rest, &info, &length))
		passed |= length == strlen(id) && strncmp(info, id, length) == 0;
	if (!rest)
		return err_set(err, ERR_BAD_REQUEST,
			"the CDN-Loop header is malformed (RFC 8586): send it as it came, or none");
	if (passed)
		return err_set(err, ERR_LOOP_DETECTED,
			"the request has come through this server before (CDN-Loop): check the upstreams");
	return check_length(header, id, err);
}

char *cdn_loop_append(const char *header, const char *id)
{
	struct buffer out = {0};
	const char *rest = header ? header : "";
	const char *info;
	size_t length;

	while (next_info(&rest, &info, &length)) {
		if (is_larder(info, length))
			buffer_printf(&out, "%.*s, ", (int)length, info);
	}
	buffer_add_string(&out, id);
	return buffer_take(&out);
}

static bool has_id(const char *header, const char *wanted, size_t wanted_length)
{
	const char *rest = header;
	const char *info;
	size_t length;

	while (next_info(&rest, &info, &length)) {
		if (length == wanted_length && strncmp(info, wanted, length) == 0)
			return true;
	}
	return false;
}

char *cdn_loop_common(const char *header, const char *other)
{
	struct buffer out = {0};
	const char *rest = header;
	const char *info;
	size_t length;

	while (next_info(&rest, &info, &length)) {
		if (has_id(other, info, length))
			buffer_printf(&out, "%s%.*s", out.length ? ", " : "", (int)length, info);
	}
	return buffer_take(&out);
}
