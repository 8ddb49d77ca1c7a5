/* SPDX-License-Identifier: Apache-2.0
 *
 * Attestations of strangers, read in bounded memory: a DSSE envelope, by itself or in a Sigstore bundle,
 * around an in-toto statement. Reading judges their form only; trusted_keys.h judges who has signed. */
#ifndef SERVER_ATTEST_ATTESTATION_H
#define SERVER_ATTEST_ATTESTATION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"
#include "server/attest/file_manifest.h"
#include "server/bundle/dsse.h"
#include "server/module/name.h"

enum {
	ATTESTATION_BYTES_MAX = 512 << 10, /* of one */
	ATTESTATIONS_MAX = 16,             /* of one version */
	ATTESTATIONS_BYTES_MAX = 1 << 20,  /* of one version, together */
	SUBJECTS_MAX = 64,
	PREDICATE_TYPE_MAX = 200
};

struct attestation {
	struct dsse dsse;
	json_t *statement;
	char *predicate_type;
	bool is_bundle; /* the envelope stands in a Sigstore bundle */
	bool is_files;  /* it is about files, which are: */
	struct file_manifest files;
};

/* Whether one of so many bytes is read: ERR_TOO_LARGE. */
bool attestation_fits(int64_t bytes, struct err *err);

/* ERR_BAD_REQUEST with a sentence for what is none, ERR_TOO_LARGE. destroy takes NULL. */
bool attestation_read(const char *text, size_t length, struct attestation **out, struct err *err);
void attestation_destroy(struct attestation *attestation);
AUTO_CLEANER(own_attestation, struct attestation *, attestation_destroy)
#define AUTO_ATTESTATION AUTO(own_attestation)

/* The SHA-256 of the artifact of this version that it is about. Of one about files it is their root digest,
 * which is no artifact's. ERR_BAD_REQUEST where none of its subjects is called by the version's path. */
bool attestation_find_subject(
	const struct attestation *attestation, const struct name *name, struct digest *out, struct err *err);

/* The same whatever it is called: *called is what it is called there, and lives in the attestation. */
bool attestation_has_digest(
	const struct attestation *attestation, const struct digest *digest, const char **called);

/* Whether one of its subjects has the version's path and this digest. */
bool attestation_is_about(
	const struct attestation *attestation, const struct name *name, const struct digest *digest);

/* Whether it names a digest among its by-products: what is stated of an artifact's files is bound to it so.
 */
bool attestation_has_byproduct(const struct attestation *attestation, const struct digest *digest);

#endif
