/* SPDX-License-Identifier: Apache-2.0
 *
 * What was attested of versions, as it was sent, and who had signed it. */
#ifndef SERVER_STORE_CATALOG_CATALOG_ATTESTATIONS_H
#define SERVER_STORE_CATALOG_CATALOG_ATTESTATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/module/name.h"

struct catalog;

struct attestation_row {
	struct digest digest; /* of its text */
	char *predicate_type;
	struct digest subject; /* the artifact that it is about */
	char *signed_by; /* the name of the trusted key, and its id; NULL: none had signed it when it came */
	char *key_id;
	char *who; /* the token's name, or the upstream's; NULL: a bundle brought it */
	int64_t created_at;
	char *text; /* as it was sent */
	const char
		*from; /* of one that comes: from where, for the audit log; it is another's, and not read */
};
void attestation_rows_destroy(struct attestation_row *rows, size_t count);

/* Of one version. */
enum { ATTESTATION_ROWS_MAX = 16, ATTESTATION_ROWS_BYTES_MAX = 1 << 20 };

struct attestation_limits {
	size_t count; /* of one version */
	size_t bytes;
	int64_t pending_since_s; /* those whose artifact has not come, and that were sent before, are
				    forgotten */
};

/* Keeps one, whatever of the version is there. Once more, and *created is false; who had signed it before
 * stays, and is in the row then, where none is told now. Where it has as many as it may have, older ones give
 * way whose artifact has not come. ERR_GONE where the version was withdrawn, ERR_CONFLICT where it has as
 * many of what is here, ERR_BUSY where another process has the database. */
bool catalog_keep_attestation(struct catalog *catalog, const struct name *name, struct attestation_row *row,
	const struct attestation_limits *limits, bool *created, struct err *err);

/* As a part of another transaction: whether one is not here, and fits beside those that are; and adds it;
 * who: brings it, for the audit log. */
struct txn;
bool attestation_is_wanted(struct txn *txn, const struct name *name, const struct attestation_row *row,
	bool *out, struct err *err);
bool attestation_add(struct txn *txn, const struct name *name, const struct attestation_row *row,
	const char *who, struct err *err);

/* Those of a version, in the order in which they came, whatever they are about. Without their texts where
 * these are not wanted. attestation_rows_destroy() them. */
bool catalog_list_attestations(struct catalog *catalog, const struct name *name, bool with_texts,
	struct attestation_row **out, size_t *count, struct err *err);

#endif
