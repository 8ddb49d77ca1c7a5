/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules by which something is put on record, within a transaction: whoever keeps one artifact and whoever
 * imports a whole bundle go by the same. Nobody but the catalog's files includes this. */
#ifndef SERVER_STORE_CATALOG_CATALOG_RECORDS_H
#define SERVER_STORE_CATALOG_CATALOG_RECORDS_H

#include "common/digest.h"
#include "server/store/catalog/catalog_rows.h"
#include "server/store/catalog/keeping.h"

/* What is on record of a name with its format. */
struct record {
	struct version_ids ids;
	int64_t blob_id; /* 0: this format has none */
	struct digest digest;
	enum version_source source; /* of this format */
	bool is_imported;           /* a bundle has brought this format, and nobody else since */
	bool refresh;               /* what was written since calls for module_refresh() */
};
bool record_find(struct txn *txn, const struct name *name, struct record *out, struct err *err);

/* Whether it may be kept; fails as catalog_keep() does. */
bool keeping_check(
	struct txn *txn, const struct keeping *keeping, const struct record *record, struct err *err);

/* Keeps what may be kept, but for module_refresh(). ERR_NOT_FOUND where it was to be staged, and is not. */
bool keeping_record(struct txn *txn, const struct keeping *keeping, struct record *record, enum kept *out,
	struct err *err);

/* Holds back what was kept, where the keeping says why and nobody has decided of it before. */
bool hold_record(struct txn *txn, const struct keeping *keeping, struct record *record, struct err *err);

/* Holds back what was kept before, unless somebody has decided of it; *held: it was not held back yet. The
 * module is refreshed. */
bool hold_late(struct txn *txn, const struct name *name, const struct digest *digest, const char *reason,
	int64_t now_s, bool *held, struct err *err);

/* Whether a version may be given this: not once it is withdrawn, nor where it is held back, unless a bundle
 * has it, which changes nothing about that. */
bool hold_lets_in(const struct keeping *keeping, const struct record *record, struct err *err);

/* How this format of a version stands takes the place of how the version does. */
bool hold_narrow_state(struct txn *txn, enum format format, struct version_ids *ids, struct err *err);

/* A version of the keeping's source that is not known yet. */
bool version_add(struct txn *txn, const struct keeping *keeping, struct version_ids *ids, struct err *err);

/* Writes down a blob that lies in the store, with its examination. */
bool blob_record(struct txn *txn, const struct keeping *keeping, int64_t *out_id, struct err *err);

/* The blob in the store that has these bytes and was examined as this format; 0: there is none. */
bool staged_find(struct txn *txn, const struct keeping *keeping, int64_t *out_id, struct err *err);

/* The blobs of a withdrawn version that nothing else claims. */
struct orphans {
	int64_t ids[FORMAT_COUNT];
	struct digest digests[FORMAT_COUNT];
	size_t count;
};
bool version_withdraw(
	struct txn *txn, int64_t version_id, int64_t now_s, struct orphans *out, struct err *err);

#endif
