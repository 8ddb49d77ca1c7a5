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

bool uri_host_is_listed(const char *hosts, const char *host, size_t length)
{
	size_t name_length;

	for (const char *name = hosts ? hosts : ""; *name; name += name_length) {
		name += strspn(name, ", \t");
		name_length = strcspn(name, ", \t");
		if (name_length && name_length == length && strncasecmp(name, host, length) == 0)
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

const char *query_find(const struct query *query, const char *name)
{
	for (size_t i = query->count; i > 0; i--) {
		if (strcmp(query->parameters[i - 1].name, name) == 0)
			return query->parameters[i - 1].value;
	}
	return NULL;
}
