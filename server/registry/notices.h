/* SPDX-License-Identifier: Apache-2.0
 *
 * What other nodes have written of tokens, pins, documentation and what is held back comes to be so here. */
#ifndef SERVER_REGISTRY_NOTICES_H
#define SERVER_REGISTRY_NOTICES_H

#include <stdbool.h>

#include "common/err.h"
#include "server/vault/vault_terms.h"

struct catalog;
struct committer;
struct vault;

struct notices {
	struct vault *vault;
	struct catalog *catalog;
	struct committer *committer;
};

/* Takes what all nodes have of that now. What is of a version that nobody has is passed over, and so is what
 * cannot be read, which is told to the log. False: not now, to be told again. */
bool notices_take(
	const struct notices *notices, enum vault_change change, const struct name *name, struct err *err);

/* Has a version on record that others have kept, and nobody has told of yet. ERR_NOT_FOUND where nobody has,
 * ERR_GONE. */
bool notices_bring(const struct notices *notices, const struct name *name, struct err *err);

#endif
