/* SPDX-License-Identifier: Apache-2.0
 *
 * Documentation in the format of tfhub.dev: a heading that names what it is of, a short description, tags in
 * comments, and then free Markdown. Reads what stands before the free part. */
#ifndef SERVER_MODULE_DOCUMENTS_HUBDOC_H
#define SERVER_MODULE_DOCUMENTS_HUBDOC_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/own.h"
#include "server/module/name.h"

enum hubdoc_kind {
	HUBDOC_MODULE,
	HUBDOC_PLACEHOLDER, /* a module that comes in other formats only */
	HUBDOC_LITE,
	HUBDOC_TFJS,
	HUBDOC_CORAL,
	HUBDOC_PUBLISHER,
	HUBDOC_COLLECTION,
	HUBDOC_KIND_COUNT
};
/* "Module" …, as in the heading. */
const char *hubdoc_kind_name(enum hubdoc_kind kind);

/* HUBDOC_BYTES_MAX: of the documentation of a version, which whoever takes it limits. HUBDOC_LABEL_MAX: bytes
 * of a value by which lists are filtered, since each list and page that has the module repeats it. */
enum { HUBDOC_TAGS_MAX = 256, HUBDOC_VALUE_MAX = 1024, HUBDOC_LABEL_MAX = 100, HUBDOC_BYTES_MAX = 1 << 20 };

struct hubdoc_tag {
	const char *kind; /* as in the interface: "architecture", "fine_tunable" …; a constant */
	char *value;
};

struct hubdoc {
	enum hubdoc_kind kind;
	/* As in the heading; of a publisher only the publisher, without a version. format is that of the
	 * artifact. */
	struct name name;
	bool has_format;   /* what it documents comes as name.format; placeholders, publishers and collections
			      do not */
	char *description; /* of a publisher the name to display */
	struct hubdoc_tag tags[HUBDOC_TAGS_MAX];
	size_t tag_count;
	char *icon_url;   /* NULL without one */
	size_t body_at;   /* where the free part begins, in bytes */
	size_t body_line; /* and its line, from 1 */
};

/* *is_one is false where the first line is no such heading: free Markdown, and nothing is to be freed.
 * ERR_BAD_REQUEST says what breaks the format, *line where. */
bool hubdoc_read(const char *markdown, struct hubdoc **out, bool *is_one, size_t *line, struct err *err);
void hubdoc_destroy(struct hubdoc *doc);
AUTO_CLEANER(own_hubdoc, struct hubdoc *, hubdoc_destroy)
#define AUTO_HUBDOC AUTO(own_hubdoc)

/* Reads the documentation of a version; *out is NULL where it is free Markdown. ERR_BAD_REQUEST also where
 * its heading is that of something else. */
bool hubdoc_read_of(const struct name *name, const char *markdown, struct hubdoc **out, struct err *err);

/* The part of the text that is for people to read: all of it, but for a head that is one. */
const char *hubdoc_body(const char *markdown);

/* Whether it has all that the format requires, as trees of documentation must; what else is read stands
 * without. */
bool hubdoc_check_complete(const struct hubdoc *doc, struct err *err);

/* The name under which hub clients ask for it: deployments have "lite-model/" (or tfjs-, coral-) behind the
 * publisher. ERR_BAD_REQUEST where that is too long. */
bool hubdoc_url_name(const struct hubdoc *doc, struct name *out, struct err *err);

/* The next handle that the text links to on tfhub.dev, also "lite-model/…"; a version at its end is left out
 * of it, and out's version has it. Advances *text; false where there is no more. */
bool hubdoc_next_link(const char **text, struct name *out);

#endif
