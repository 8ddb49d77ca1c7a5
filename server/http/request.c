/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/digest.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/secrets.h"

static const char token_prefix[] = "/-/t/";

/* A user's name, a colon and a token. */
enum { BASIC_PAIR_MAX = 512 };

static const char *const methods[] = {
	[METHOD_GET] = "GET",
	[METHOD_HEAD] = "HEAD",
	[METHOD_PUT] = "PUT",
	[METHOD_POST] = "POST",
	[METHOD_DELETE] = "DELETE",
	[METHOD_OPTIONS] = "OPTIONS",
	[METHOD_OTHER] = "other",
};

const char *method_name(enum method method)
{
	return methods[method];
}

enum method method_of(const char *name, size_t length)
{
	enum method method = METHOD_GET;

	while (method != METHOD_OTHER &&
		(strncmp(methods[method], name, length) != 0 || methods[method][length] != '\0'))
		method++;
	return method;
}

const char *request_header(const struct request *request, const char *name)
{
	return request->find_header ? request->find_header(request->headers, name) : NULL;
}

const char *request_last_header(const struct request *request, const char *name)
{
	return request->find_last_header ? request->find_last_header(request->headers, name)
					 : request_header(request, name);
}

bool request_says_proxied(const struct request *request)
{
	static const char *const marks[] = {"Via", "Forwarded", "X-Forwarded-For"};
	bool marked = false;

	for (size_t i = 0; i < sizeof marks / sizeof *marks && !marked; i++)
		marked = request_header(request, marks[i]) != NULL;
	return marked;
}

/* The target as it may be logged. */
static char *loggable(const char *target)
{
	AUTO_FREE char *text = mem_dup_n(target, strnlen(target, REQUEST_LOGGED_MAX));

	return secrets_hide_tokens(text, NULL);
}

/* Steps over "http://" or "https://" (with the slashes that are asked for at least); NULL if it is neither.
 */
static const char *skip_scheme(const char *text, size_t slashes)
{
	size_t length = strncasecmp(text, "https:", 6) == 0 ? 6 : strncasecmp(text, "http:", 5) == 0 ? 5 : 0;
	size_t found = strspn(text + length, "/");

	if (!length || found < slashes || found > 2)
		return NULL;
	return text + length + found;
}

/* What kagglehub asks a server on localhost for, whose address it cannot be told: its calls, and where their
 * answers lead. */
static bool is_asked_of_localhost(const char *path, const char *query)
{
	static const char *const places[] = {"/api/v1/", "/v1/", "/-/t/"};
	bool is_file = query && strstr(query, "-format=");

	for (size_t i = 0; i < sizeof places / sizeof *places && !is_file; i++)
		is_file = strncmp(path, places[i], strlen(places[i])) == 0;
	return is_file;
}

static bool stands_for_localhost(const char *text, const char *query)
{
	static const char localhost[] = "localhost";
	size_t host = strcspn(text, ":/");

	return host == strlen(localhost) && strncasecmp(text, localhost, host) == 0 &&
	       is_asked_of_localhost(text + strcspn(text, "/"), query);
}

/* Takes the authority off "host:port/path": *path begins at the slash, or at the end. */
static bool strip_host(const char *text, const char *hosts, const char **path, struct err *err)
{
	size_t authority = strcspn(text, "/");
	size_t host = strcspn(text, ":/");

	if (!uri_host_is_listed(hosts, text, host, text + authority))
		return err_set(err, ERR_BAD_REQUEST,
			"This server does not stand for the host \"%.*s\"; see hub.hosts.",
			(int)(host < 100 ? host : 100), text);
	*path = text + authority;
	return true;
}

/* Every segment is a name: not empty, not a step up or down. */
static bool check_segments(const char *path, struct err *err)
{
	if (strcmp(path, "/") == 0)
		return true;
	for (const char *at = path; *at; at += strcspn(at, "/")) {
		size_t length = strcspn(++at, "/");

		if (length == 0)
			return err_set(err, ERR_BAD_REQUEST, "The path has an empty segment.");
		if (strncmp(at, "..", length) == 0 && length <= 2)
			return uri_refuse_dots(err);
	}
	return true;
}

static bool has_controls(const char *text)
{
	for (const char *c = text; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return true;
	}
	return false;
}

/* Reads the path as it was sent into decoded text. */
static bool decode_path(char *path, struct err *err)
{
	for (const char *at = strchr(path, '%'); at; at = strchr(at + 1, '%')) {
		if (strncasecmp(at, "%2f", 3) == 0)
			return err_set(err, ERR_BAD_REQUEST, "The path has a percent-encoded slash.");
	}
	if (!uri_decode(path, false) || has_controls(path))
		return err_set(err, ERR_BAD_REQUEST, "The path has a broken or forbidden percent-encoding.");
	return true;
}

/* Takes "/-/t/<token>" off; the token is the caller's, NULL if there is none. */
static bool strip_token(const char **path, char **token, struct err *err)
{
	size_t length;

	if (strncmp(*path, token_prefix, strlen(token_prefix)) != 0)
		return true;
	*path += strlen(token_prefix);
	length = strcspn(*path, "/");
	if (length == 0)
		return err_set(err, ERR_BAD_REQUEST, "The path has an empty token.");
	*token = mem_dup_n(*path, length);
	*path += length;
	return true;
}

/* Takes "/https://<host>" and "/https:/<host>" off. */
static bool strip_embedded_host(const char **path, const char *hosts, struct err *err)
{
	const char *host = **path == '/' ? skip_scheme(*path + 1, 1) : NULL;

	return !host || strip_host(host, hosts, path, err);
}

static char *without_trailing_slash(const char *path)
{
	size_t length = strlen(path);

	if (length == 0)
		return mem_dup("/");
	return mem_dup_n(
		path, length > 1 && path[length - 1] == '/' && path[length - 2] != '/' ? length - 1 : length);
}

/* "tfhub.dev:443", as CONNECT has it, whose sender takes this for a proxy that opens tunnels. */
static bool is_authority(const char *sent)
{
	const char *port = strrchr(sent, ':');

	return port && port > sent && !strchr(sent, '/') && port[1] &&
	       port[1 + strspn(port + 1, "0123456789")] == '\0';
}

static bool refuse_target(const char *sent, struct err *err)
{
	if (is_authority(sent))
		return err_set(err, ERR_BAD_REQUEST,
			"This is no proxy for https: URLs, since none can answer in another's place: ask for "
			"/https://HOST/PATH here, or set http_proxy and ask for http:// URLs.");
	return err_set(err, ERR_BAD_REQUEST,
		"The request's target is no path: it must begin with \"/\", or with \"http://\" where this "
		"is "
		"the client's proxy.");
}

/* kagglehub up to 0.3 puts a slash behind what ends in one. */
static void drop_doubled_slash(char *path)
{
	static const char doubled[] = "/api/v1//";
	size_t length = strlen(doubled);

	if (strncmp(path, doubled, length) == 0)
		memmove(path + length - 1, path + length, strlen(path + length) + 1);
}

static bool strip_absolute(
	const char *absolute, const char *query, const char *hosts, const char **path, struct err *err)
{
	if (!stands_for_localhost(absolute, query))
		return strip_host(absolute, hosts, path, err);
	*path = absolute + strcspn(absolute, "/");
	return true;
}

/* From the path as it was sent to the one that routes and handlers see. */
static bool rewrite_path(
	struct request *request, char *sent, const char *query, const char *hosts, struct err *err)
{
	const char *path = sent;
	const char *absolute = skip_scheme(sent, 2);
	AUTO_FREE char *token = NULL;
	AUTO_FREE char *rewritten = NULL;

	if (absolute && !strip_absolute(absolute, query, hosts, &path, err))
		return false;
	request->as_proxy = absolute != NULL;
	if (*path != '/' && !absolute)
		return refuse_target(sent, err);
	if (!strip_token(&path, &token, err) || !strip_embedded_host(&path, hosts, err))
		return false;
	rewritten = without_trailing_slash(path);
	drop_doubled_slash(rewritten);
	if (!check_segments(rewritten, err))
		return false;
	request->ends_in_slash = strlen(path) > strlen(rewritten);
	request->path = TAKE(rewritten);
	request->path_token = TAKE(token);
	request->rest = request->path + strlen(request->path);
	return true;
}

bool request_set_target(struct request *request, const char *target, const char *hosts, struct err *err)
{
	size_t path_length = strcspn(target, "?");
	const char *query = target[path_length] ? target + path_length + 1 : NULL;
	AUTO_FREE char *sent = NULL;

	request->log_path = loggable(target);
	if (strnlen(target, REQUEST_TARGET_MAX + 1) > REQUEST_TARGET_MAX)
		return err_set(err, ERR_BAD_REQUEST, "The request's target has more than %d bytes.",
			REQUEST_TARGET_MAX);
	sent = mem_dup_n(target, path_length);
	if (!decode_path(sent, err) || !rewrite_path(request, sent, query, hosts, err))
		return false;
	if (!query_parse(query, &request->query))
		return err_set(err, ERR_BAD_REQUEST,
			"The query has a broken percent-encoding or more than %d parameters.", URI_QUERY_MAX);
	return true;
}

/* Piece by piece, since it is longer than what is decoded at once. False where it is no base64. */
static bool decode_basic(const char *text, char pair[BASIC_PAIR_MAX + 1])
{
	enum { PIECE = 64, PIECE_BYTES = PIECE / 4 * 3 };
	size_t left = strlen(text), length = 0;

	if (left % 4 != 0 || left / 4 * 3 > BASIC_PAIR_MAX)
		return false;
	while (left > 0) {
		size_t taken = left < PIECE ? left : PIECE;
		AUTO_FREE char *piece = mem_dup_n(text, taken);
		size_t padding = (piece[taken - 1] == '=') + (piece[taken - 2] == '=');
		size_t bytes = taken / 4 * 3 - padding;

		if (!base64_decode(piece, (uint8_t *)pair + length, bytes))
			return false;
		length += bytes;
		text += taken;
		left -= taken;
	}
	pair[length] = '\0';
	return true;
}

void request_read_basic(struct request *request)
{
	const char *value = request_header(request, "Authorization");
	char pair[BASIC_PAIR_MAX + 1];
	const char *colon;

	if (request->basic_token || !value || strncasecmp(value, "Basic ", 6) != 0 ||
		!decode_basic(value + 6 + strspn(value + 6, " "), pair))
		return;
	colon = strchr(pair, ':');
	if (colon)
		request->basic_token = mem_dup(colon + 1);
}

const char *request_token(const struct request *request)
{
	const char *value = request_header(request, "Authorization");

	if (value && strncasecmp(value, "Bearer ", 7) == 0)
		return value + 7 + strspn(value + 7, " ");
	return request->path_token ? request->path_token : request->basic_token;
}

char *request_cookie(const struct request *request, const char *name)
{
	const char *at = request_header(request, "Cookie");
	size_t length = strlen(name);

	while (at && *at) {
		at += strspn(at, "; \t");
		if (strncmp(at, name, length) == 0 && at[length] == '=')
			return mem_dup_n(at + length + 1, strcspn(at + length + 1, "; \t"));
		at += strcspn(at, ";");
	}
	return NULL;
}

/* By host and port, as far as Host has one: a proxy may have left it out. */
static bool is_own_origin(const struct request *request, const char *origin)
{
	const char *host = request->told_host ? request->told_host : request_header(request, "Host");
	const char *place = strstr(origin, "://");
	size_t length = host ? strlen(host) : 0;

	return place && length > 0 && strncasecmp(place + 3, host, length) == 0 &&
	       (place[3 + length] == '\0' || (place[3 + length] == ':' && !strchr(host, ':')));
}

bool request_is_from_own_page(const struct request *request)
{
	const char *site = request_header(request, "Sec-Fetch-Site");
	const char *origin = request_header(request, "Origin");

	if (site)
		return strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0;
	return !origin || is_own_origin(request, origin);
}

char *request_way_to(const struct request *request, const char *path)
{
	AUTO_BUFFER struct buffer way = {0};
	const char *folder = request->path + 1;

	if (!request->path_token)
		return mem_dup(path);
	buffer_add_string(&way, "./");
	while ((folder = strchr(folder, '/'))) {
		buffer_add_string(&way, "../");
		folder++;
	}
	if (request->ends_in_slash && strcmp(request->path, "/") != 0)
		buffer_add_string(&way, "../");
	buffer_add_string(&way, path + 1);
	return buffer_take(&way);
}

/* The weight of one item of Accept ("text/html;level=1;q=0.8"), in thousandths. */
static int item_weight(const char *item, size_t length)
{
	for (const char *at = item; (at = memchr(at, ';', length - (size_t)(at - item))); at++) {
		const char *parameter = at + 1 + strspn(at + 1, " \t");

		if (strncasecmp(parameter, "q=", 2) == 0) {
			double weight = strtod(parameter + 2, NULL);

			return weight >= 0 && weight < 1 ? (int)(weight * 1000) : 1000;
		}
	}
	return 1000;
}

/* The weight that Accept gives a media type: that of the most specific item which covers it, 0 if none does.
 */
static int accept_weight(const char *accept, const char *type, const char *range)
{
	const char *const forms[] = {type, range, "*/*"};
	int weights[] = {-1, -1, -1};

	for (const char *item = accept; *item; item += strcspn(item, ",")) {
		size_t name;

		item += strspn(item, ", \t");
		name = strcspn(item, ",; \t");
		for (int i = 0; i < 3; i++) {
			if (name == strlen(forms[i]) && strncasecmp(item, forms[i], name) == 0)
				weights[i] = item_weight(item, strcspn(item, ","));
		}
	}
	for (int i = 0; i < 3; i++) {
		if (weights[i] >= 0)
			return weights[i];
	}
	return 0;
}

bool request_wants_html(const struct request *request)
{
	const char *accept = request_header(request, "Accept");

	return accept && accept_weight(accept, "text/html", "text/*") >
				 accept_weight(accept, "application/json", "application/*");
}

void request_finish(struct request *request)
{
	free(TAKE(request->path));
	free(TAKE(request->log_path));
	free(TAKE(request->path_token));
	free(TAKE(request->basic_token));
	free(TAKE(request->told_host));
	query_finish(&request->query);
	buffer_finish(&request->body);
}

bool request_read_json(const struct request *request, json_t **out, struct err *err)
{
	json_error_t fault;
	json_t *body = json_loadb(
		buffer_string(&request->body), request->body.length, JSON_REJECT_DUPLICATES, &fault);

	if (!body)
		return err_set(
			err, ERR_BAD_REQUEST, "the body is no JSON: line %d: %.100s", fault.line, fault.text);
	*out = body;
	return true;
}
