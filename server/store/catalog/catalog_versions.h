/* SPDX-License-Identifier: Apache-2.0
 *
 * One version with all that is known of it, and the versions of a handle. */
#ifndef SERVER_STORE_CATALOG_CATALOG_VERSIONS_H
#define SERVER_STORE_CATALOG_CATALOG_VERSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/findings.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_safety.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_tags.h"

struct saved_model;

/* The bundle that an artifact came in. */
struct imported_from {
	char *name;           /* NULL: it came another way */
	struct digest digest; /* of the bundle's contents */
	char *signer;         /* the fingerprint of the key that proved it; NULL: none was asked for */
	int64_t at;
};

struct artifact_details {
	struct artifact artifact;
	char *published_by; /* the token's name; NULL where it was mirrored */
	char *upstream;     /* NULL where it was published */
	struct imported_from imported_from;
	struct finding *warnings; /* all of them, with their rules, are the details' own */
	size_t warning_count;
	struct safety_rows safety;
	struct saved_model *model; /* of the other formats than tf-hub; NULL without one */
};

struct version_details {
	struct name name;
	enum version_source source;
	enum version_state state;
	char *published_by; /* NULL where there is none, as for all strings here */
	char *upstream;
	char *description;
	struct tags tags;
	int64_t created_at;
	struct artifact_details artifacts[FORMAT_COUNT];
	size_t artifact_count;
	struct saved_model *saved_model; /* of the tf-hub artifact; NULL without one */
};

/* *found is false (and nothing is to be freed) where the version is not known. Withdrawn ones are found, with
 * state. */
bool catalog_find_version(struct catalog *catalog, const struct name *name, struct version_details *out,
	bool *found, struct err *err);
void version_details_finish(struct version_details *details);

struct version_row {
	int64_t version;
	enum version_source source;
	enum version_state state;
	int64_t created_at;
};

struct version_query {
	bool newest;   /* descending instead of ascending */
	int64_t after; /* the version that ended the page before; 0: from the start */
	size_t limit;
};

struct version_list {
	struct version_row *items; /* with state: also those that were withdrawn */
	size_t count;
	int64_t total; /* on all pages; 0 where the handle is not known */
	bool more;
};
/* A page of a handle's versions; version_list_finish() *out. */
bool catalog_list_versions(struct catalog *catalog, const char *handle, const struct version_query *query,
	struct version_list *out, struct err *err);
void version_list_finish(struct version_list *list);

#endif
