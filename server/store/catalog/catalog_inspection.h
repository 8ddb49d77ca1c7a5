/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of artifacts, as their inspection found them. */
#ifndef SERVER_STORE_CATALOG_CATALOG_INSPECTION_H
#define SERVER_STORE_CATALOG_CATALOG_INSPECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/module/name.h"

struct artifact;
struct catalog;

/* Files (not folders) of an artifact in the archive's order: up to limit from the offset-th on; *total counts
 * all. */
struct file_row {
	char *path;
	int64_t size_bytes;
	bool has_sha256; /* it was computed */
	struct digest sha256;
};
bool catalog_list_files(struct catalog *catalog, const struct name *name, int64_t offset, size_t limit,
	struct file_row **out, size_t *count, int64_t *total, struct err *err);
void file_rows_destroy(struct file_row *rows, size_t count);

/* Whether an artifact has a file of this path, in normal form; also true where not all of its files are
 * listed, so that it may be one of the others. */
bool catalog_may_have_file(struct catalog *catalog, const struct artifact *artifact, const char *path,
	bool *out, struct err *err);

/* Files that only one of two artifacts has, or that differ in size, or in their digests where both are known,
 * by path: up to limit. *more tells of
 * further ones. */
struct file_change {
	char *path;
	int64_t from_bytes; /* -1: not there, as of the other */
	int64_t to_bytes;
	bool has_digests; /* both are known */
	struct digest from_sha256;
	struct digest to_sha256;
};
bool catalog_compare_files(struct catalog *catalog, const struct name *from, const struct name *to,
	size_t limit, struct file_change **out, size_t *count, bool *more, struct err *err);
void file_changes_destroy(struct file_change *changes, size_t count);

#endif
