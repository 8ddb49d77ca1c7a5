/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/route.h"

#include <stdio.h>
#include <string.h>

static const struct {
	enum method method;
	const char *names; /* as Allow lists them */
} allow_names[] = {
	{METHOD_GET, "GET, HEAD"},
	{METHOD_PUT, "PUT"},
	{METHOD_POST, "POST"},
	{METHOD_DELETE, "DELETE"},
};

static bool is_literal(const char *pattern)
{
	size_t length = strlen(pattern);

	return length == 0 || pattern[length - 1] != '*';
}

/* What the pattern leaves of the path: "" for a literal, NULL if it does not match. */
static const char *match(const char *pattern, const char *path)
{
	size_t length = strlen(pattern);

	if (!is_literal(pattern))
		return strncmp(pattern, path, length - 1) == 0 ? path + length - 1 : NULL;
	return strcmp(pattern, path) == 0 ? path + length : NULL;
}

static bool answers(enum method row, enum method asked)
{
	return row == asked || (row == METHOD_GET && asked == METHOD_HEAD);
}

static void write_allow(unsigned methods, char allow[64])
{
	size_t used = 0;

	for (size_t i = 0; i < sizeof allow_names / sizeof *allow_names; i++) {
		if (methods & 1u << allow_names[i].method)
			used += (size_t)snprintf(
				allow + used, 64 - used, "%s%s", used ? ", " : "", allow_names[i].names);
	}
	(void)snprintf(allow + used, 64 - used, "%sOPTIONS", used ? ", " : "");
}

bool route_is_for_own_pages(const struct route *routes, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++) {
		if (routes[i].own_pages && match(routes[i].pattern, path))
			return true;
	}
	return false;
}

/* The pattern that says most of a path, which no other is asked about; NULL if none matches. */
static const char *nearest(const struct route *routes, size_t count, const char *path)
{
	const char *found = NULL;

	for (size_t i = 0; i < count; i++) {
		const char *pattern = routes[i].pattern;

		if (!match(pattern, path))
			continue;
		if (is_literal(pattern))
			return pattern;
		if (!found || strlen(pattern) > strlen(found))
			found = pattern;
	}
	return found;
}

static bool takes(const struct route *row, const char *path)
{
	return !row->takes || row->takes(path);
}

const struct route *route_find(
	const struct route *routes, size_t count, struct request *request, bool *path_known, char allow[64])
{
	const char *pattern = nearest(routes, count, request->path);
	unsigned methods = 0;

	allow[0] = '\0';
	for (size_t i = 0; i < count && pattern; i++) {
		if (strcmp(routes[i].pattern, pattern) != 0)
			continue;
		if (routes[i].any_method || answers(routes[i].method, request->method)) {
			request->rest = match(pattern, request->path);
			*path_known = true;
			return &routes[i];
		}
		if (takes(&routes[i], request->path))
			methods |= 1u << routes[i].method;
	}
	*path_known = methods != 0;
	if (methods)
		write_allow(methods, allow);
	return NULL;
}
