/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalog's side of documentation trees: what a document makes of a publisher, a collection or a version
 * that is not here yet. Whatever others have set stays. */
#ifndef SERVER_STORE_CATALOG_CATALOG_DOCS_H
#define SERVER_STORE_CATALOG_CATALOG_DOCS_H

#include "server/module/documents/hubdoc.h"
#include "server/store/catalog/catalog.h"

/* Many documents in one transaction: other writers wait for its end. */
struct docs_import;

enum docs_outcome {
	DOCS_NEW,
	DOCS_CHANGED,
	DOCS_SAME,
	DOCS_LEFT, /* the version was withdrawn, or has documentation that somebody has sent */
	DOCS_OUTCOME_COUNT
};

bool docs_import_begin(struct catalog *catalog, int64_t now_s, struct docs_import **out, struct err *err);

/* Takes one document: a version of source `listed` where there was none, with its format, tags and Markdown.
 */
bool docs_import_add(struct docs_import *import, const struct hubdoc *doc, const char *markdown,
	enum docs_outcome *out, struct err *err);

/* Once all are there: a version also comes in the formats of those deployments that are its default ones. */
bool docs_import_link(struct docs_import *import, struct err *err);

/* Writes a row of the audit log with it: which tree it is, and what came of it. */
bool docs_import_audit(struct docs_import *import, const char *tree, const char *detail, struct err *err);

/* Makes what was taken durable. The end drops what was not committed, and frees it; takes NULL. */
bool docs_import_commit(struct docs_import *import, struct err *err);
void docs_import_end(struct docs_import *import);

#endif
