/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/destination.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/network.h"
#include "common/own.h"

/* "…/1/" is meant as "…/1". */
static char *without_last_slashes(const char *path)
{
	size_t length = strlen(path);

	while (length > 0 && path[length - 1] == '/')
		length--;
	return mem_dup_n(path, length);
}

/* "localhost:8080/acme/x/1", "registry.example.org/acme/x/1": no publisher has such signs. */
static bool begins_with_host(const char *url)
{
	size_t length = strcspn(url, "/");

	return url[length] == '/' && length > 0 && strcspn(url, ":.[") < length && *url != '.';
}

/* Where a token may go in clear text. */
static bool is_loopback(const char *url)
{
	bool is_boxed = *url == '[';
	size_t length = strcspn(url + is_boxed, is_boxed ? "]/" : ":/");
	AUTO_FREE char *host = mem_dup_n(url + is_boxed, length);

	return strcmp(host, "localhost") == 0 || network_list_has("127.0.0.0/8, ::1", host);
}

static bool is_host_of(const char *url, const char *server)
{
	const char *scheme = strstr(server, "://");
	const char *host = scheme ? scheme + 3 : server;
	size_t length = strcspn(host, "/");

	return strncmp(url, host, length) == 0 && url[length] == '/';
}

bool destination_read(const char *url, const char *default_server, struct destination *out, struct err *err)
{
	const char *scheme = strstr(url, "://");
	const char *host = scheme ? scheme + 3 : begins_with_host(url) ? url : NULL;
	bool is_default = host == url && default_server && is_host_of(url, default_server);
	const char *found = host ? strchr(host, '/') : url;
	AUTO_FREE char *path = found ? without_last_slashes(found) : NULL;

	*out = (struct destination){0};
	if (host == url && !is_default && !is_loopback(url))
		return err_set(err, ERR_BAD_REQUEST,
			"%s: begin it with https:// or http://, or leave the registry to --server or "
			"$LARDER_SERVER.",
			url);
	if (path && strchr(path, '?'))
		return err_set(err, ERR_BAD_REQUEST,
			"%s: leave out what begins with \"?\": a version is meant, with all of its formats.",
			url);
	if (path && *path && !name_parse_versioned(path + strspn(path, "/"), &out->name, err))
		return err_prefix(err, "%s: ", url);
	if (!path || !*path)
		return err_set(err, ERR_BAD_REQUEST,
			"\"%s\" is no URL of a version, such as http://127.0.0.1:8080/acme/half-plus-two/1.",
			url);
	out->server = host && !is_default ? mem_dup_n(url, (size_t)(found - url)) : mem_dup(default_server);
	return true;
}

void destination_finish(struct destination *destination)
{
	free(destination->server);
}
