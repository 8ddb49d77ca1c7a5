/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes attestations in, from whoever may publish, from an upstream and from bundles: judges them by what is
 * here of their version, and keeps them as they came. */
#ifndef SERVER_REGISTRY_ATTESTING_H
#define SERVER_REGISTRY_ATTESTING_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "server/registry/trust.h"
#include "server/store/catalog/catalog_attestations.h"

struct catalog;

/* One that was taken. */
struct attested {
	struct attestation_row row; /* without its text */
	bool has_artifact;          /* the artifact that it is about is here, in this format: */
	enum format format;
	bool created; /* else it was here */
};
void attested_finish(struct attested *attested);

/* Reads those that a bundle carries of a version: rows of what can be read and is about it, in room for
 * ATTESTATIONS_MAX. Each is to be freed as attestation_rows_destroy() does. */
size_t attesting_read_carried(
	const struct name *name, char *const *texts, size_t count, struct attestation_row *out);

/* Keeps an attestation of a version that comes so. who: the token's name, or the upstream's; from:
 * the client's address; NULL: an upstream's. ERR_BAD_REQUEST for what is none, or of something else;
 * ERR_SIGNATURE_REQUIRED where the version may be published with a signature only, and none of the trusted
 * keys has signed it: nothing is kept then; ERR_NOT_FOUND where it is about files, and the archive that has
 * them is not here; fails as catalog_keep_attestation() does, too. */
bool attesting_take(struct catalog *catalog, struct trust *trust, enum arrival arrival,
	const struct name *name, const char *text, const char *who, const char *from, struct attested *out,
	struct err *err);

#endif
