/* SPDX-License-Identifier: Apache-2.0
 *
 * What has changed in a bucket, as its objects tell: all of a kind, by listing it, and what did lately, by
 * the keys below feed/, which stand in the order of time and have the key that changed in them:
 *
 *     feed/<16 hex: milliseconds>-<8 hex: chance>/gone/<handle>/<version>
 *
 * They are hints: one that is missing is found by the next listing, which removes some of those older than 7
 * days. */
#ifndef SERVER_VAULT_BUCKET_CHANGES_H
#define SERVER_VAULT_BUCKET_CHANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/name.h"
#include "server/vault/bucket_objects.h"
#include "server/vault/vault_keys.h"
#include "server/vault/vault_terms.h"

/* Tells the others of a change. */
bool bucket_changes_tell(const struct bucket_objects *objects, enum vault_change change,
	const struct name *name, struct err *err);

/* As vault_list and vault_poll (vault.h) say. */
bool bucket_changes_list(const struct bucket_objects *objects, enum vault_change change,
	struct vault_place *place, const struct vault_listener *listener, bool *more, struct err *err);
bool bucket_changes_poll(const struct bucket_objects *objects, int64_t since_s, int64_t notes_since_s,
	const struct vault_listener *listener, struct err *err);

/* Which objects tell of it. */
enum vault_kind bucket_changes_kind(enum vault_change change);

#endif
