/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose signatures count: the keys of publish.trusted_keys, and of which modules one of them is required.
 * Taken over anew while the daemon runs. */
#ifndef SERVER_REGISTRY_TRUST_H
#define SERVER_REGISTRY_TRUST_H

#include <stdbool.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"
#include "server/attest/attestation.h"
#include "server/attest/trusted_keys.h"
#include "server/module/name.h"

struct catalog;
struct config;

struct trust;

/* Reads the files of the keys. ERR_BAD_REQUEST names the key whose file is none. destroy takes NULL. */
bool trust_create(const struct config *config, struct catalog *catalog, struct trust **out, struct err *err);
void trust_destroy(struct trust *trust);
AUTO_CLEANER(own_trust, struct trust *, trust_destroy)
#define AUTO_TRUST AUTO(own_trust)

/* What the configuration says of them at one time, with the keys as their files were. destroy takes NULL. */
struct trust_terms;
bool trust_terms_read(const struct config *config, struct trust_terms **out, struct err *err);
void trust_terms_destroy(struct trust_terms *terms);
AUTO_CLEANER(own_trust_terms, struct trust_terms *, trust_terms_destroy)
#define AUTO_TRUST_TERMS AUTO(own_trust_terms)

/* Has these count from now on, and takes them. */
void trust_adopt(struct trust *trust, struct trust_terms *terms);

/* Which keys these are, or those that count: ", keys sha256:…", "" where there are none. free() it. */
char *trust_terms_tell(const struct trust_terms *terms);
char *trust_tell(struct trust *trust);

/* Where an artifact comes from. */
enum arrival { ARRIVAL_PUBLISHED, ARRIVAL_MIRRORED };

/* Whether what arrives under this handle must be signed. */
bool trust_requires(struct trust *trust, enum arrival arrival, const char *handle);

/* Whether a key that counts now has signed it; ERR_SIGNATURE_REQUIRED tells why none has. */
bool trust_find_signer(
	struct trust *trust, const struct attestation *attestation, struct signer *out, struct err *err);

/* Whether one of these attestations is about this artifact, and signed by a key that counts now.
 * ERR_SIGNATURE_REQUIRED tells what to do. */
bool trust_hold(struct trust *trust, struct attestation *const *attestations, size_t count,
	const struct name *name, const struct digest *digest, struct err *err);

/* The same of what is published, if it must be signed at all, with those that were sent before. */
bool trust_check_published(
	struct trust *trust, const struct name *name, const struct digest *digest, struct err *err);

/* Refuses a publication before its bytes are sent, where it must be signed, and nothing that was sent before
 * could be its attestation. digest: NULL where it is not told. */
bool trust_check_early(
	struct trust *trust, const struct name *name, const struct digest *digest, struct err *err);

#endif
