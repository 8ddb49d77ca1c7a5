/* SPDX-License-Identifier: Apache-2.0
 *
 * Passes over the store, blob by blob in the order of their digests: how far one is, which blob is next, what
 * has it, and what comes back after it was lost. */
#ifndef SERVER_STORE_CATALOG_CATALOG_PASSES_H
#define SERVER_STORE_CATALOG_CATALOG_PASSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"

enum pass_kind { PASS_VERIFY, PASS_SCRUB, PASS_KIND_COUNT };
const char *pass_kind_name(enum pass_kind kind); /* "verify" … */

struct pass_sums {
	int64_t blobs;
	int64_t bytes;
	int64_t damaged; /* or missing */
};

struct pass {
	int64_t started_s; /* 0: none runs, or was interrupted */
	bool begun;        /* behind has a digest */
	struct digest behind;
	struct pass_sums sums;
	int64_t last_started_s; /* 0: there was no whole one yet */
	int64_t last_ended_s;
	struct pass_sums last;
};

/* How the passes of a kind stand; zeroed where there was none. */
bool catalog_find_pass(struct catalog *catalog, enum pass_kind kind, struct pass *out, struct err *err);
bool catalog_write_pass(
	struct catalog *catalog, enum pass_kind kind, const struct pass *pass, struct err *err);

/* A blob as its row has it. */
struct pass_blob {
	int64_t id; /* 0: there is none */
	struct digest digest;
	int64_t size_bytes;
	bool is_published;
};

/* The next one that is in the store, behind this digest (NULL: from the first on). */
bool catalog_next_blob(
	struct catalog *catalog, const struct digest *behind, struct pass_blob *out, struct err *err);

/* The next one that was published, and is not in the store: it was damaged, or was gone. */
bool catalog_next_lost(
	struct catalog *catalog, const struct digest *behind, struct pass_blob *out, struct err *err);

/* How many there are in the store, and of how many bytes; looks at all of them. */
bool catalog_measure_blobs(struct catalog *catalog, int64_t *out_blobs, int64_t *out_bytes, struct err *err);

/* The artifacts that have a blob's bytes and are not withdrawn, so many at most; free() *out. */
enum { PASS_NAMES_MAX = 100 };
bool catalog_list_blob_names(
	struct catalog *catalog, int64_t blob_id, struct name **out, size_t *out_count, struct err *err);

/* None is in the store any more: for a copy of the database, whose blobs are in a bucket. */
bool catalog_forget_all_blobs(struct catalog *catalog, struct err *err);

/* A blob that was lost is in the store again; *returned is false where no row wants it. With a row in the
 * audit log where it is a published one. */
bool catalog_return_blob(
	struct catalog *catalog, const struct digest *digest, bool *returned, struct err *err);

#endif
