/* SPDX-License-Identifier: Apache-2.0
 *
 * One artifact that is to be kept: what is said of it, and what comes of it. */
#ifndef SERVER_STORE_CATALOG_KEEPING_H
#define SERVER_STORE_CATALOG_KEEPING_H

#include <stdint.h>

#include "common/digest.h"
#include "server/module/examination.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"

/* The bundle that something came in (catalog_import.h). */
struct keeping_import {
	int64_t id;
	struct digest contents;
	const char *name;
	const char *who;  /* the token of whoever imports it; NULL: on the folder itself */
	const char *from; /* its client's address; NULL: it is not known */
	bool is_verified; /* its signature was checked */
};

/* Something durable to record about a blob that lies in the store. */
struct keeping {
	const struct name *name;
	enum version_source source; /* published or mirrored */
	const char *published_by;   /* the token's name; NULL for mirrored */
	const char *upstream;       /* the upstream's name; NULL for published */
	const char *from;           /* the client's address; NULL where there is none */
	const struct checksums *checksums;
	int64_t size_bytes;
	const struct examination
		*examination; /* NULL: it is staged with its blob (catalog_staging.h), or elsewhere */
	const struct keeping_import *import; /* NULL: it came another way */
	const struct digest *staged_for;     /* the contents of the bundle that it is staged for; else NULL */
	bool is_new; /* only as a version that nobody has, in no format: else ERR_CONFLICT */
	const char
		*held_for; /* why it is kept in quarantine, unless it was approved before; NULL: it is not */
	bool is_settled;   /* all nodes have agreed on it, whatever is known of the version here */
	bool is_elsewhere; /* its bytes are where all nodes have them, and not here: then nothing examined
			      them */
	int64_t now_s;
};

enum kept {
	KEPT_NEW_VERSION,  /* the version had not been known (or only as listed) */
	KEPT_NEW_ARTIFACT, /* another format of a known version */
	KEPT_AGAIN         /* the very same bytes had been recorded; the blob counts as cached from now on */
};

#endif
