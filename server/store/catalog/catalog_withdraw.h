/* SPDX-License-Identifier: Apache-2.0
 *
 * Withdraws versions. */
#ifndef SERVER_STORE_CATALOG_CATALOG_WITHDRAW_H
#define SERVER_STORE_CATALOG_CATALOG_WITHDRAW_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"

struct withdrawal {
	const struct name *name;
	const char *who; /* NULL: others have withdrawn it */
	int64_t now_s;
	bool unknown_too; /* notes it also of a version that is not known here */
	const char *from; /* the client's address; NULL where there is none */
};

/* Withdraws a version: 410 from now on, its number is never used again. Digests that no other version needs
 * are no longer claimed and are handed to orphaned (may be called several times, after the commit).
 * ERR_NOT_FOUND, ERR_GONE if it was withdrawn before, ERR_BUSY where another process has the database, soon.
 */
bool catalog_withdraw(struct catalog *catalog, const struct withdrawal *withdrawal,
	void (*orphaned)(void *context, const struct digest *digest), void *context, struct err *err);

#endif
