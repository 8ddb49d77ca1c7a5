/* SPDX-License-Identifier: Apache-2.0
 *
 * An export: what is selected of a data folder becomes a bundle. In bounded memory however much that is, and
 * beside a daemon that serves and evicts meanwhile. */
#ifndef SERVER_BUNDLE_EXPORTING_H
#define SERVER_BUNDLE_EXPORTING_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/bundle/base.h"
#include "server/bundle/contents.h"
#include "server/bundle/damage.h"
#include "server/bundle/export_watch.h"
#include "server/bundle/outlet.h"
#include "server/bundle/scratch.h"
#include "server/bundle/selection.h"
#include "server/bundle/signature.h"
#include "server/store/catalog/catalog_versions.h"

struct exporting_options {
	struct catalog *catalog;
	const char *data_dir;
	struct scratch_place scratch;
	struct selection *selection; /* sealed; learns what is lacking */
	bool with_pages;             /* all publishers and collections, as opposed to those concerned */
	const char *collection;      /* NULL, or the one that goes */
	struct bundle_header header;
	int64_t changed_since_s;       /* only what changed after this time; 0: all */
	struct base *base;             /* NULL, or a bundle: only what is not in there */
	const struct signing_key *key; /* NULL: it is not signed */
	struct outlet *outlet;         /* NULL: nothing is written, but for the report */
	struct export_watch *watch;
	struct damages *damages; /* what is known to be damaged, and is left out; learns more */
	/* What else people may want to see of a version: an object. NULL: nothing. */
	json_t *(*describe)(const struct version_details *details);
};

struct export_report {
	int64_t versions;
	int64_t withdrawn; /* of these */
	int64_t listed;    /* of these: without bytes, and not withdrawn */
	int64_t artifacts;
	int64_t blobs;
	int64_t blob_bytes;
	int64_t other_bytes; /* what tells of them */
	int64_t publishers;
	int64_t collections;
	int64_t unchanged;   /* versions that were left out, for they are not new */
	int64_t quarantined; /* … for nobody is given them */
	struct bundle_blob contents;
	struct bundle_blob index;
};

/* ERR_DIGEST_MISMATCH where files in the store are not what they were: all of the selection's were looked at
 * then, the damages name them, and the same again can do without them. ERR_NO_SPACE where the medium is full.
 * Both say what to do. */
bool exporting_run(const struct exporting_options *options, struct export_report *out, struct err *err);

#endif
