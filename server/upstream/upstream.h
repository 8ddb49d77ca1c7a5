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

struct kaggle_places;

/* Whose API it has. */
enum upstream_kind { UPSTREAM_HUB, UPSTREAM_KAGGLE };

/* One [upstream NAME] section. All strings are owned by whoever owns the array; those that may be missing are
 * NULL. */
struct upstream {
	char *name;
	enum upstream_kind kind;
	char *url;     /* of a hub, a template: {path} {handle} {version} {format} {query}; else the API's */
	char *match;   /* globs of handles; NULL matches all */
	char *formats; /* names of formats; NULL is all that the template can express */
	char *ca_file;
	char *bearer_token_file;
	char *basic_file;             /* user:password */
	char *header_file;            /* Name: value, one a line */
	char *credentials_file;       /* kaggle.json, or a token */
	char *proxy;                  /* NULL is the environment's */
	struct kaggle_places *places; /* of old names, at Kaggle; NULL: none */
	int64_t rate_bytes_per_s;
	int64_t max_connections;
};

/* Checks a url when the configuration is read: http or https, a host, known words only. ERR_BAD_REQUEST. */
bool upstream_check_url(const char *url, struct err *err);

/* Gives an upstream without a url its kind's, where there is one; else NULL stays. */
void upstream_settle(struct upstream *upstream);

/* Checks that the url, which is sound, fits the kind: a hub's has {path} or {handle} and {version}, since one
 * URL cannot be every module's; an API's has no words. ERR_BAD_REQUEST. */
bool upstream_check(const struct upstream *upstream, struct err *err);

/* Checks the address of a proxy ("http://proxy.example:3128"), or "none". ERR_BAD_REQUEST. */
bool upstream_check_proxy(const char *proxy, struct err *err);

/* Whether this upstream may have the artifact (match, which the handle is held against that it has there;
 * formats; a template that does not name {query} or {format} has one format only: the one that formats lists,
 * or else tf-hub). */
bool upstream_may_have(const struct upstream *upstream, const struct name *name);

/* ERR_BLOCKED_BY_POLICY where what the name stands for there is not to come in. */
bool upstream_check_place(const struct upstream *upstream, const struct name *name, struct err *err);

/* Whether it has an address for a handle alone, so that it can be asked which version is the latest. */
bool upstream_tells_latest(const struct upstream *upstream);

/* Whether it tells so in a body, which upstream_latest_in() reads (0: it is not the API's answer), and not
 * by a redirect. */
bool upstream_tells_latest_in_body(const struct upstream *upstream);
int64_t upstream_latest_in(const struct upstream *upstream, const char *body, size_t length);

/* Where it lists the files of which the artifact is one; NULL: the artifact has an address of its own. And
 * the address of the file that such a list names; NULL: it has none. free() both. False: it is no such list.
 */
char *upstream_listing_url(const struct upstream *upstream, const struct name *name);
bool upstream_listed_url(const struct upstream *upstream, const struct name *name, const char *list,
	size_t length, char **out);

/* Whether it redirects to addresses that are good for a while: what they refuse may be had by asking anew. */
bool upstream_signs(const struct upstream *upstream);

/* Says behind the sentence in *err what it wants of us, where its own answer has this status. */
void upstream_explain(const struct upstream *upstream, const struct name *name, int status, struct err *err);

/* The artifact's URL there, or its handle's where the name has no version; free() it. */
char *upstream_url(const struct upstream *upstream, const struct name *name);

/* Where it tells what is attested of a version, if it is a Larder; free() it. NULL: its template has no place
 * for that. */
char *upstream_attestations_url(const struct upstream *upstream, const struct name *name);

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
