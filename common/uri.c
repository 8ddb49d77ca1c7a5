/* SPDX-License-Identifier: Apache-2.0 */
#include "common/uri.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "common/number.h"

bool uri_decode(char *text, bool plus_is_blank)
{
	char *out = text;

	for (const char *in = text; *in; in++) {
		if (*in == '%') {
			int high = number_of_hex_digit(in[1]);
			int low = high < 0 ? -1 : number_of_hex_digit(in[2]);

			if (low < 0 || (high == 0 && low == 0))
				return false;
			*out++ = (char)(high << 4 | low);
			in += 2;
		} else {
			*out++ = *in == '+' && plus_is_blank ? ' ' : *in;
		}
	}
	*out = '\0';
	return true;
}

void uri_encode(struct buffer *out, const char *text, const char *keep)
{
	for (const char *c = text; *c; c++) {
		if (isalnum((unsigned char)*c) || strchr("-._~", *c) || strchr(keep, *c))
			buffer_add(out, c, 1);
		else
			buffer_printf(out, "%%%02X", (unsigned char)*c);
	}
}

/* Whether the path is one of "folder|folder", or lies in it. */
static bool lies_in(const char *path, const char *folders, size_t length)
{
	const char *end = folders + length;
	size_t first = *path == '/' ? strcspn(path + 1, "/?#") : 0;

	for (const char *folder = folders; folder < end; folder++) {
		size_t folder_length = strcspn(folder, "|");

		if (folder_length > (size_t)(end - folder))
			folder_length = (size_t)(end - folder);
		if (first > 0 && folder_length == first && memcmp(folder, path + 1, first) == 0)
			return true;
		folder += folder_length;
	}
	return false;
}

/* "host", or "host/folder|folder" for what lies in these folders only. */
static bool is_entry(
	const char *entry, size_t entry_length, const char *host, size_t length, const char *path)
{
	const char *slash = memchr(entry, '/', entry_length);
	size_t name_length = slash ? (size_t)(slash - entry) : entry_length;

	if (name_length == 0 || name_length != length || strncasecmp(entry, host, length) != 0)
		return false;
	return !slash || lies_in(path, slash + 1, entry_length - name_length - 1);
}

bool uri_refuse_dots(struct err *err)
{
	return err_set(err, ERR_BAD_REQUEST, "The path has a \".\" or \"..\" segment.");
}

bool uri_host_is_listed(const char *hosts, const char *host, size_t length, const char *path)
{
	size_t entry_length;

	for (const char *entry = hosts ? hosts : ""; *entry; entry += entry_length) {
		entry += strspn(entry, ", \t");
		entry_length = strcspn(entry, ", \t");
		if (is_entry(entry, entry_length, host, length, path))
			return true;
	}
	return false;
}

static bool add_parameter(struct query *query, char *pair)
{
	char *equals = strchr(pair, '=');
	char *value = equals ? equals + 1 : pair + strlen(pair);

	if (query->count == URI_QUERY_MAX)
		return false;
	if (equals)
		*equals = '\0';
	if (!uri_decode(pair, true) || !uri_decode(value, true))
		return false;
	query->parameters[query->count].name = pair;
	query->parameters[query->count].value = value;
	query->count++;
	return true;
}

bool query_parse(const char *text, struct query *out)
{
	struct query query = {.memory = mem_dup(text ? text : "")};
	char *rest = query.memory;

	for (char *pair = strsep(&rest, "&"); pair; pair = strsep(&rest, "&")) {
		if (*pair && !add_parameter(&query, pair)) {
			query_finish(&query);
			return false;
		}
	}
	*out = query;
	return true;
}

void query_finish(struct query *query)
{
	free(query->memory);
	*query = (struct query){0};
}

bool query_set(struct query *query, const char *name, const char *value)
{
	size_t kept = 0;

	for (size_t i = 0; i < query->count; i++) {
		if (strcmp(query->parameters[i].name, name) != 0)
			query->parameters[kept++] = query->parameters[i];
	}
	query->count = kept;
	if (kept == URI_QUERY_MAX)
		return false;
	query->parameters[kept].name = name;
	query->parameters[kept].value = value;
	query->count++;
	return true;
}

const char *query_find(const struct query *query, const char *name)
{
	for (size_t i = query->count; i > 0; i--) {
		if (strcmp(query->parameters[i - 1].name, name) == 0)
			return query->parameters[i - 1].value;
	}
	return NULL;
}
