/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/module_target.h"

#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "common/own.h"
#include "common/uri.h"
#include "server/module/name.h"

static const char usual_query[] = "tf-hub-format=compressed";

/* Names on these mean what a registry has; a server may know of more (hub.hosts). */
static const char *const hubs[] = {
	"tfhub.dev", "www.tfhub.dev", "hub.tensorflow.google.cn", "gcs.tensorflow.google.cn"};

/* What is behind the scheme of a URL; NULL: it is none. */
static const char *host_of(const char *text)
{
	static const char *const schemes[] = {"http://", "https://"};

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		if (strncasecmp(text, schemes[i], strlen(schemes[i])) == 0)
			return text + strlen(schemes[i]);
	}
	return NULL;
}

static bool begins_with(const char *text, const char *host)
{
	size_t length = strlen(host);

	return strncasecmp(text, host, length) == 0 && (text[length] == '/' || text[length] == '\0');
}

/* Its path where the host is the server's or a hub's; NULL: it is another's. */
static const char *path_behind(const char *host, const char *server)
{
	const char *own = host_of(server);

	if (own && begins_with(host, own))
		return host + strlen(own);
	for (size_t i = 0; i < sizeof hubs / sizeof *hubs; i++) {
		if (begins_with(host, hubs[i]))
			return host + strlen(hubs[i]);
	}
	return NULL;
}

static bool refuse_host(const char *text, const char *host, const char *server, struct err *err)
{
	const char *end = host + strcspn(host, "/?#");

	return err_set(err, ERR_BAD_REQUEST,
		"%.100s is on another server than %.100s, which would be asked: add --server %.*s, or leave "
		"the server out of the name.",
		text, server, (int)(end - text > 100 ? 100 : end - text), text);
}

bool module_target_path(const char *text, const struct remote *remote, char **out, struct err *err)
{
	const char *host = host_of(text + strspn(text, "/"));
	const char *server = remote_server(remote);
	const char *path = host ? path_behind(host, server) : text;

	if (!path)
		return refuse_host(text, host, server, err);
	path += strspn(path, "/");
	*out = mem_dup_n(path, host ? strcspn(path, "#") : strlen(path));
	return true;
}

bool module_target_check(const char *text, const struct remote *remote, struct err *err)
{
	const char *host = host_of(text);
	const char *server = remote_server(remote);

	return !host || remote_is_named(remote) || path_behind(host, server) ||
	       refuse_host(text, host, server, err);
}

bool module_target_write(const char *path, const char *server, struct buffer *out, struct err *err)
{
	size_t origin = strlen(server);
	const char *query;
	AUTO_FREE char *words = NULL;

	if (strncmp(path, server, origin) == 0 && path[origin] == '/')
		path += origin;
	path += strspn(path, "/");
	query = strchr(path, '?');
	words = query ? mem_dup_n(path, (size_t)(query - path)) : mem_dup(path);
	if (!*words || strlen(words) > NAME_PATH_MAX)
		return err_set(err, ERR_BAD_REQUEST,
			"\"%.100s\" is no module: name it as acme/half-plus-two/1, or without its version "
			"for the latest.",
			path);
	buffer_add_string(out, "/");
	uri_encode(out, words, "/:");
	buffer_add_string(out, "?");
	if (query && query[1])
		uri_encode(out, query + 1, "=&,%");
	else
		buffer_add_string(out, usual_query);
	return true;
}

/* ---- the latest ---- */

/* A redirect and a refusal have no file; what has one is no name without a version. */
static bool refuse_file(void *context, const struct remote_head *head, struct err *err)
{
	(void)context;
	(void)head;
	return err_set(err, ERR_BAD_REQUEST, "It is a file.");
}

static bool take_nothing(void *context, const void *bytes, size_t length, struct err *err)
{
	return refuse_file(context, bytes, err) && length == 0;
}

/* As paths are in URLs: a server's word becomes what is asked for, and shown. */
static bool is_plain(const char *location)
{
	for (; *location; location++) {
		if (*location <= ' ' || *location > '~')
			return false;
	}
	return true;
}

static char *bare_path(const char *location)
{
	AUTO_FREE char *path = remote_path_of(location);
	char *query = strchr(path, '?');

	if (query && strcmp(query + 1, usual_query) == 0)
		*query = '\0';
	return mem_dup(path + strspn(path, "/"));
}

bool module_target_find_latest(struct remote *remote, const char *path, char **out, json_t **problem)
{
	AUTO(remote_reply_finish) struct remote_reply reply = {0};
	AUTO_BUFFER struct buffer target = {0};
	struct remote_download download = {.begin = refuse_file, .take = take_nothing};
	struct remote_head head;
	struct err err;

	*problem = NULL;
	if (!module_target_write(path, remote_server(remote), &target, &err))
		return false;
	download.target = buffer_string(&target);
	if (!remote_get_file(remote, &download, &head, &reply, &err))
		return false;
	if (head.status == 302 && *head.location && is_plain(head.location)) {
		*out = bare_path(head.location);
		return true;
	}
	*problem = TAKE(reply.json);
	return false;
}
