/* SPDX-License-Identifier: Apache-2.0
 *
 * The documentation of one version. */
#ifndef SERVER_STORE_CATALOG_CATALOG_DOCUMENTATION_H
#define SERVER_STORE_CATALOG_CATALOG_DOCUMENTATION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/name.h"

struct catalog;
struct hubdoc;

/* A version's Markdown, and what it says in its head. */
struct documentation {
	const char *markdown;
	const struct hubdoc *head; /* NULL for free text: then the version has neither description nor tags */
	const char *who;           /* the token's name; NULL where it came with a tree of documentation */
	int64_t now_s;
	int64_t revision; /* of the note that all nodes have; 0: it is this one's */
	const char *from; /* the client's address; NULL where there is none */
};

/* Sets a version's documentation, and with it description and tags (ERR_NOT_FOUND without the version,
 * ERR_GONE where it was withdrawn, ERR_BUSY where another process has the database, soon); *created tells
 * whether it had none. Nothing where a later note was taken. */
bool catalog_set_documentation(struct catalog *catalog, const struct name *name,
	const struct documentation *documentation, bool *created, struct err *err);
/* The newest active version that has documentation; 0: none has. */
bool catalog_find_documented(struct catalog *catalog, const char *handle, int64_t *out, struct err *err);
/* *out is NULL where there is none; free() it. */
bool catalog_find_documentation(
	struct catalog *catalog, const struct name *name, char **out, struct err *err);

#endif
