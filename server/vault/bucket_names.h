/* SPDX-License-Identifier: Apache-2.0
 *
 * What a bucket knows of names: tombstones, identities, and which formats a version has. All fail with
 * ERR_STORE_UNAVAILABLE where nobody knows. */
#ifndef SERVER_VAULT_BUCKET_NAMES_H
#define SERVER_VAULT_BUCKET_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "server/module/name.h"
#include "server/vault/bucket_objects.h"
#include "server/vault/vault_terms.h"

bool bucket_names_look_gone(
	const struct bucket_objects *objects, const struct name *name, bool *gone, struct err *err);
bool bucket_names_read_identity(const struct bucket_objects *objects, const struct name *name, bool *found,
	struct identity *out, struct err *err);

/* What had been mirrored may have been published since, by somebody: then it says so, with his
 * nonce. */
bool bucket_names_read_published(const struct bucket_objects *objects, const struct name *name,
	struct identity *identity, struct err *err);

/* The formats that a version has, and whether any of them was published. */
struct formats_there {
	bool there[FORMAT_COUNT];
	size_t count;
};
bool bucket_names_list_formats(const struct bucket_objects *objects, const struct name *name,
	struct formats_there *out, struct err *err);
bool bucket_names_look_published(const struct bucket_objects *objects, const struct name *name,
	const struct formats_there *formats_there, bool *out, struct err *err);

/* As vault_last_version (vault.h) says. */
bool bucket_names_last_version(
	const struct bucket_objects *objects, const char *handle, int64_t *out, struct err *err);

/* As vault_each_identity (vault.h) says. */
bool bucket_names_each(
	const struct bucket_objects *objects, const struct vault_census *census, struct err *err);

/* As vault_find (vault.h) says. */
bool bucket_names_find(const struct bucket_objects *objects, const struct name *name,
	enum vault_standing *out, struct identity *identity, struct err *err);

#endif
