/* SPDX-License-Identifier: Apache-2.0
 *
 * An upload on its way to what nodes share, on a thread of its own: whoever waits for it holds none. */
#ifndef SERVER_REGISTRY_DEPOSITING_H
#define SERVER_REGISTRY_DEPOSITING_H

#include <stdbool.h>

#include "common/err.h"
#include "common/own.h"
#include "common/waiter.h"
#include "server/registry/committer.h"

struct depositing;

/* Begins to do what committer_deposit does. What is pointed to outlives it. */
bool depositing_start(struct committer *committer, struct spool *spool, const struct name *name,
	const struct origin *origin, const struct inspection *inspection, struct depositing **out,
	struct err *err);

/* Whether it is still at it; the waiter has joined then, and is woken at its end. leave takes it back; false
 * if it has not joined, or has been or is being woken. */
bool depositing_await(struct depositing *depositing, struct waiter *waiter);
bool depositing_leave(struct depositing *depositing, struct waiter *waiter);

/* What it came to; blocks until then. */
bool depositing_result(struct depositing *depositing, enum deposited *out, struct err *err);

/* Has it end where it is, and waits for that: a second or so, and the store's answer to a small request.
 * Takes NULL. */
void depositing_destroy(struct depositing *depositing);
AUTO_CLEANER(own_depositing, struct depositing *, depositing_destroy)
#define AUTO_DEPOSITING AUTO(own_depositing)

#endif
