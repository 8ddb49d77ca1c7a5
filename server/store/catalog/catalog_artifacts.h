/* SPDX-License-Identifier: Apache-2.0
 *
 * Artifacts and their blobs. */
#ifndef SERVER_STORE_CATALOG_CATALOG_ARTIFACTS_H
#define SERVER_STORE_CATALOG_CATALOG_ARTIFACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"

struct artifact {
	struct name name;
	enum version_source version_source; /* published as soon as one of its artifacts is */
	enum version_source source;         /* of this format, once it is recorded; else the version's */
	enum version_state state;           /* of this format: one that is held back holds back no other */
	bool recorded; /* this format of the version has a digest; all below is set only then */
	struct checksums checksums;
	int64_t size_bytes;
	int64_t unpacked_bytes;
	int64_t file_count;
	int64_t created_at;
	bool cached;   /* the blob is in the store, and as this name's as far as that is known */
	bool examined; /* as this format, at some time */
	int64_t downloads;
	int64_t last_used_at; /* a download, or else when it was kept */
	char held_for[200];   /* why it is quarantined; "" where that is not known */
};

/* What a version in that state is refused with, whatever is asked of it: ERR_GONE, ERR_QUARANTINED. */
bool version_check_state(const struct name *name, enum version_state state, struct err *err);

/* … and where it was to be a new version, and is not: ERR_CONFLICT. */
bool version_refuse_known(const struct name *name, struct err *err);

/* The same of an artifact's version, with why. */
bool artifact_check_state(const struct artifact *artifact, struct err *err);

/* Whether its bytes were ever looked into here: of what only other nodes have had, unpacked_bytes and
 * file_count are 0 for want of knowing better. */
bool artifact_is_examined(const struct artifact *artifact);

/* A published version has the formats that were published, and those that were mirrored before. ERR_NOT_FOUND
 * where this is none of them: no upstream's bytes may ever stand for it. */
bool artifact_check_published(const struct artifact *artifact, struct err *err);

/* What is known of one name with its format. *found is false where the version is not known at all. */
bool catalog_find_artifact(
	struct catalog *catalog, const struct name *name, struct artifact *out, bool *found, struct err *err);

/* Every digest that a row claims with cached = true: answers for start-up checks and gc. */
bool catalog_claims_blob(
	struct catalog *catalog, const struct digest *digest, bool *claimed, struct err *err);

/* Whether its file is to stay where there is one: a row claims it, or it was published and then lost, and
 * lies there again, put back by somebody, or since its file system is back. */
bool catalog_needs_blob(struct catalog *catalog, const struct digest *digest, bool *needed, struct err *err);

/* The blob is no longer in the store: its rows stay, with cached false. */
bool catalog_forget_blob(struct catalog *catalog, const struct digest *digest, struct err *err);

/* How often an artifact was downloaded, and when the last time. */
struct downloads {
	struct name name;
	int64_t count;
	int64_t last_at;
};

/* Adds to artifacts' downloads and sets their time of last use, all in one transaction. What is not known is
 * passed over. */
bool catalog_count_downloads(
	struct catalog *catalog, const struct downloads *items, size_t count, struct err *err);

#endif
