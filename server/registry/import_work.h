/* SPDX-License-Identifier: Apache-2.0
 *
 * What takes long of a bundle that a client sends (imports.h): its head is read, or all of it is recorded. */
#ifndef SERVER_REGISTRY_IMPORT_WORK_H
#define SERVER_REGISTRY_IMPORT_WORK_H

#include <stdbool.h>

#include "common/lock.h"
#include "server/registry/importer.h"
#include "server/registry/incoming.h"

struct import_work {
	struct lock *mutex;              /* that guards the incoming */
	const struct importer *importer; /* the import has a catalog of its own */
	struct incoming *incoming;
	bool records; /* else it reads */
	/* Its own. */
	struct import_report report;
	struct remarks *remarks; /* the incoming's */
	struct err failure;      /* of what no remark tells */
};

/* Notes in the incoming what it comes to, and on the way how far it is. */
void import_work_do(struct import_work *work);

#endif
