/* SPDX-License-Identifier: Apache-2.0
 *
 * Holds all blobs of the store against their digests, and the catalog against the disk: a pass, in the order
 * of their digests, at a bounded rate, that goes on where an earlier process left it. What is damaged or
 * missing is given to nobody from then on. */
#ifndef SERVER_REGISTRY_VERIFICATION_H
#define SERVER_REGISTRY_VERIFICATION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/registry/blob_losses.h"
#include "server/registry/paced_blob.h"
#include "server/store/catalog/catalog_passes.h"

/* What is wrong with a blob. */
enum blob_fault { FAULT_DAMAGED, FAULT_MISSING, FAULT_UNREADABLE, FAULT_COUNT };
const char *blob_fault_name(enum blob_fault fault);

struct verification_order {
	enum pass_kind kind;
	bool anew; /* from the first blob on, whatever an interrupted pass has done */
	struct read_rate *rate;
	const atomic_bool *stop;
	/* Before each blob; it may change the rate, and wait. May be NULL. */
	void (*pace)(void *context, const struct pass *pass);
	/* Of each one that is not whole: it is out of the store by then. Where it could not be read for
	 * another reason than the disk's, it stays (FAULT_UNREADABLE). */
	bool (*found)(void *context, const struct pass_blob *blob, enum blob_fault fault, const char *detail,
		struct err *err);
	void *context;
};

/* Goes on to the end of the pass, or until it is stopped. *out is how it stands then: started_s is 0 where it
 * has come to its end. Fails where it cannot go on, as where the disk lets it read no blob at all, and with
 * what found fails with. */
bool verification_run(const struct blob_losses *losses, const struct verification_order *order,
	struct pass *out, struct err *err);

#endif
