/* SPDX-License-Identifier: Apache-2.0
 *
 * One bundle that a client sends (imports.h): what is known of it so far. */
#ifndef SERVER_REGISTRY_INCOMING_H
#define SERVER_REGISTRY_INCOMING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/bundle/signature.h"
#include "server/registry/importer.h"
#include "server/registry/inflow.h"
#include "server/registry/lacking.h"
#include "server/registry/remarks.h"

enum { INCOMING_ID_LENGTH = 32, INCOMING_FAULTS_MAX = 1000 };

enum incoming_state {
	INCOMING_ARRIVING,
	INCOMING_READING,
	INCOMING_OPEN, /* artifacts are taken */
	INCOMING_RECORDING,
	INCOMING_ENDED,
	INCOMING_STATE_COUNT
};

/* One of them, as it was when it was looked at. */
struct incoming_view {
	char id[INCOMING_ID_LENGTH + 1];
	char *who;
	bool has_key; /* whose owner must have signed it: */
	struct digest key_id;
	enum incoming_state state;
	int64_t opened_at;
	struct import_progress progress;
	struct import_report report; /* empty before it is read */
	struct err failure;          /* ERR_NONE */
	size_t lacked;               /* of these, those that have come since are the report's copied_blobs */
	int64_t lacked_bytes;
	struct remarks *remarks; /* NULL: none yet */
};
void incoming_view_finish(struct incoming_view *view);
#define AUTO_INCOMING_VIEW AUTO(incoming_view_finish)

/* An artifact that came, and was not what it should be. */
struct incoming_fault {
	struct digest digest;
	enum format format;
	char *why;
};

/* Guarded by the imports' lock, but for the head while it arrives, and what the thread alone uses. */
struct incoming {
	char id[INCOMING_ID_LENGTH + 1];
	char *who;
	char *from;
	struct signing_key *key;
	enum incoming_state state;
	int64_t opened_at;
	int64_t touched_ms;
	uint64_t turn;  /* among those that wait for the thread; 0: it does not */
	unsigned users; /* it stays for them */
	bool dropped;   /* nobody finds it any more */
	bool partial;
	atomic_bool stop;
	struct inflow head;
	bool failed; /* while it arrives: why is in failure */
	struct import_progress progress;
	struct import_report report;
	struct err failure;
	struct lacking *lacking; /* does not change once it is read */
	struct remarks *remarks; /* of what is done with it, or was last; NULL */
	struct incoming_fault *faults;
	size_t fault_count, fault_capacity;
	size_t copied_blobs;
	int64_t copied_bytes;
};

struct incoming *incoming_create(const char *who, const char *from, struct signing_key *key);
/* Takes NULL. */
void incoming_destroy(struct incoming *incoming);
AUTO_CLEANER(own_incoming, struct incoming *, incoming_destroy)
#define AUTO_INCOMING AUTO(own_incoming)

/* What is wrong with an artifact is forgotten once it has come as it should. */
void incoming_add_fault(struct incoming *incoming, const struct lacked *lacked, const struct err *why);
void incoming_drop_fault(struct incoming *incoming, const struct lacked *lacked);
/* NULL: nothing is known to be. */
const char *incoming_find_fault(
	const struct incoming *incoming, const struct digest *digest, enum format format);

/* To be finished. */
struct incoming_view incoming_view(const struct incoming *incoming);

#endif
