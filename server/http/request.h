/* SPDX-License-Identifier: Apache-2.0
 *
 * A request as handlers see it: method, target, headers, body. Knows nothing of the server library. */
#ifndef SERVER_HTTP_REQUEST_H
#define SERVER_HTTP_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/err.h"
#include "common/uri.h"

enum method { METHOD_GET, METHOD_HEAD, METHOD_PUT, METHOD_POST, METHOD_DELETE, METHOD_OPTIONS, METHOD_OTHER };

/* "GET"; "other". */
const char *method_name(enum method method);

/* METHOD_OTHER for all that we do not serve. */
enum method method_of(const char *name, size_t length);

/* A target may be as long as a head; of a longer one the beginning is logged. */
enum { REQUEST_TARGET_MAX = 32 << 10, REQUEST_LOGGED_MAX = 8192, REQUEST_MEMORY_BODY_MAX = 64 << 10 };

struct request {
	enum method method;
	char *path;     /* begins with "/"; percent-decoded; as routes and handlers see it after rewriting */
	char *log_path; /* the target as it may be logged and shown: tokens are replaced by "…" */
	struct query query; /* decoded */
	const char *rest;   /* what the route's "*" matched; points into path */
	char *path_token;   /* from /-/t/<token>/, or NULL */
	char *basic_token;  /* the password of Authorization: Basic, once it is read; or NULL */
	bool as_proxy;      /* the target was in absolute form: the client takes us for its proxy */
	bool ends_in_slash; /* the path as it was sent did, which path does not tell */
	bool http_1_0;
	bool has_body;          /* a Content-Length above 0 or chunked coding */
	int64_t content_length; /* -1: chunked, or no body */
	char client[64];        /* its address as text */
	char origin[64];        /* the same, or of whom a trusted proxy tells; "" until it is known */
	char told_scheme[8];    /* what a trusted proxy says that its client used: "http" or "https"; or "" */
	char *told_host;        /* the same of Host; or NULL */
	struct buffer body;     /* with BODY_MEMORY: the whole of it */
	void *upload;           /* with BODY_UPLOAD: what begin made */
	bool impatient;         /* set by a handler whose reply has to wait: its client ends a connection on
				   which nothing comes for some seconds */
	char who[64];           /* the token's name once the request is authorized; "" for anyone */
	bool by_session;        /* it was authorized by a browser's cookie: to read, and for nothing else */
	int64_t started_us;     /* monotonic */

	/* How headers are found; set by the front, or by a test. */
	const char *(*find_header)(const void *headers, const char *name);
	/* The last of several headers of that name; NULL: find_header knows. */
	const char *(*find_last_header)(const void *headers, const char *name);
	const void *headers;
};

/* A header's value (names in any case), or NULL. Valid as long as the request. */
const char *request_header(const struct request *request, const char *name);

/* The same, the last of several: what a server before us has added. */
const char *request_last_header(const struct request *request, const char *name);

/* Whether a proxy says that it came through it. */
bool request_says_proxied(const struct request *request);

/* Reads a target as it stands in the request line ("/a/b?c", or "http://host/a" in absolute form) into path
 * and query. hosts is the list of hub.hosts: their names are taken off an absolute form, and off
 * "/https://<host>/…" and
 * "/https:/<host>/…"; localhost off an absolute form for the API and our files' own addresses, as kagglehub
 * sends them to its proxy. /-/t/<token>/… becomes path_token and the rest, "/api/v1//" loses a slash.
 * ERR_BAD_REQUEST for broken or encoded-slash paths,
 * "." and ".." and empty segments, an overlong path or query. */
bool request_set_target(struct request *request, const char *target, const char *hosts, struct err *err);

/* Reads Authorization: Basic, whose password is a token and whose user does not matter. */
void request_read_basic(struct request *request);

/* The token that the client presented: Authorization: Bearer, else path_token, else basic_token (which
 * clients send along by themselves, wherever an address with its own right leads them), else NULL. */
const char *request_token(const struct request *request);

/* The value of a cookie; NULL where there is none. free() it. */
char *request_cookie(const struct request *request, const char *name);

/* Whether a page of ours has sent it, as far as the browser tells: not one of another site. */
bool request_is_from_own_page(const struct request *request);

/* What leads a client from this request to another path of ours ("/a/b"), for a Location; free() it. Behind a
 * token's path it is relative: the token is not repeated, and yet the client goes on with it. */
char *request_way_to(const struct request *request, const char *path);

/* Whether Accept ranks text/html above JSON: a browser. */
bool request_wants_html(const struct request *request);

void request_finish(struct request *request);

/* The body as JSON, in which no member stands twice; the caller owns *out. ERR_BAD_REQUEST tells where it is
 * none. */
bool request_read_json(const struct request *request, json_t **out, struct err *err);

#endif
