/* SPDX-License-Identifier: Apache-2.0
 *
 * Which upstream may have an artifact, and at which URL there. */
#ifndef SERVER_UPSTREAM_UPSTREAM_H
#define SERVER_UPSTREAM_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/name.h"

/* One [upstream NAME] section. All strings are owned by whoever owns the array; those that may be missing are
 * NULL. */
struct upstream {
	char *name;
	char *url;     /* a template: {path} {handle} {version} {format} {query} */
	char *match;   /* globs of handles; NULL matches all */
	char *formats; /* names of formats; NULL is all that the template can express */
	char *ca_file;
	char *bearer_token_file;
	char *basic_file;  /* user:password */
	char *header_file; /* Name: value, one a line */
	char *proxy;       /* NULL is the environment's */
	int64_t rate_bytes_per_s;
	int64_t max_connections;
};

/* Checks a template when the configuration is read: http or https, a host, known words only, and {path} or
 * {handle} and {version}, since one URL cannot be every module's. ERR_BAD_REQUEST. */
bool upstream_check_template(const char *url, struct err *err);

/* Checks the address of a proxy ("http://proxy.example:3128"), or "none". ERR_BAD_REQUEST. */
bool upstream_check_proxy(const char *proxy, struct err *err);

/* Whether this upstream may have the artifact (match, formats; a template that does not name {query} or
 * {format} has one format only: the one that formats lists, or else tf-hub). */
bool upstream_may_have(const struct upstream *upstream, const struct name *name);

/* Whether its template makes an address of a handle alone, so that it can be asked which version is the
 * latest. */
bool upstream_tells_latest(const struct upstream *upstream);

/* The artifact's URL there, or its handle's where the name has no version; free() it. */
char *upstream_url(const struct upstream *upstream, const struct name *name);

/* Whether the upstream's URLs can name a single file of a module as well: those of a hub can. */
bool upstream_has_files(const struct upstream *upstream);

/* Such a file's URL there ("https://hub.example/google/x/1/model.json?tfjs-format=file"); free() it. */
char *upstream_file_url(const struct upstream *upstream, const struct name *name, const char *file);

/* The same as it may be shown to anybody; free() it. */
char *upstream_public_url(const struct upstream *upstream, const struct name *name);

/* Whether a text repeats a credential that the template has: user and password, the token of a path
 * /-/t/<token>, or the value of a parameter that is the same for all modules. */
bool upstream_is_betrayed_by(const struct upstream *upstream, const char *text);

#endif
