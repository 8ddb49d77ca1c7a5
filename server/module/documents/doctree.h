/* SPDX-License-Identifier: Apache-2.0
 *
 * A tree of Markdown files, in a folder or a tar.gz: hands out one page after the other, and tables of places
 * at Kaggle. Links are not followed, and neither many files nor large ones cost more than their limits. */
#ifndef SERVER_MODULE_DOCUMENTS_DOCTREE_H
#define SERVER_MODULE_DOCUMENTS_DOCTREE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

enum { DOCTREE_PAGE_MAX = 1 << 20, DOCTREE_FILES_MAX = 1000000 };

struct doctree_page {
	const char *path;     /* within the tree; whatever the tree says, so it is only to be shown */
	bool is_table;        /* of places at Kaggle, and no Markdown */
	const char *markdown; /* UTF-8 without NUL; NULL where the page cannot be read */
	const char *fault;    /* then the reason */
};

/* What such a table is called, in whichever folder. */
#define DOCTREE_TABLE "kaggle_map.tsv"

/* Calls take for every file that ends in .md or is such a table, which may have table_max bytes, by path in a
 * folder, in its own order in an archive, until it fails; counts what else there is in *others.
 * ERR_INVALID_MODULE where the archive is broken, ERR_TOO_LARGE where there is too much. */
bool doctree_read(const char *path, size_t table_max,
	bool (*take)(void *context, const struct doctree_page *page, struct err *err), void *context,
	size_t *others, struct err *err);

#endif
