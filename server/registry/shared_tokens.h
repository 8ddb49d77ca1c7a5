/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens that count on all nodes: one note a name, so that no two tokens of one name are valid at once. */
#ifndef SERVER_REGISTRY_SHARED_TOKENS_H
#define SERVER_REGISTRY_SHARED_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog_tokens.h"

struct catalog;
struct vault;

/* Makes it on all nodes, and then here. ERR_CONFLICT where a token of that name is valid. */
bool shared_tokens_add(
	struct vault *vault, struct catalog *catalog, const struct token_terms *terms, struct err *err);

/* Revokes it on all nodes, and then here: also one that is this node's alone. ERR_NOT_FOUND where no valid
 * token has the name. */
bool shared_tokens_revoke(
	struct vault *vault, struct catalog *catalog, const char *name, int64_t now_s, struct err *err);

/* The first half of it: makes it on all nodes, unless they know it; *sent: they did not. ERR_CONFLICT as
 * above. */
bool shared_tokens_send(
	struct vault *vault, const struct token_terms *terms, bool dry_run, bool *sent, struct err *err);

/* Takes here what all nodes have of that name. */
bool shared_tokens_take(
	struct vault *vault, struct catalog *catalog, const struct name *name, struct err *err);

#endif
