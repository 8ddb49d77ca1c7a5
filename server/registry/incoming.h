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

enum { INCOMING_ID_LENGTH = 32, INCOMING_FAULTS_MAX = 1000, INCOMING_REMARKS_MAX = 1000 };

/* What is refused of a bundle, or left: struct import_told, kept. */
struct remark {
	enum import_remark kind;
	char *name;
	char *format; /* NULL */
	char *detail;
};

enum incoming_state {
	INCOMING_ARRIVING,
	INCOMING_READING,
	INCOMING_OPEN, /* artifacts are taken */
	INCOMING_RECORDING,
	INCOMING_ENDED,
	INCOMING_STATE_COUNT
};

/* One of them, as it is just now. */
struct incoming_view {
	const char *id;
	const char *who;
	const struct signing_key *key; /* that must have signed it; NULL */
	enum incoming_state state;
	int64_t opened_at;
	const struct import_progress *progress;
	const struct import_report *report; /* empty before it is read */
	const struct err *failure;          /* ERR_NONE */
	size_t lacked; /* of these, those that have come since are the report's copied_blobs */
	int64_t lacked_bytes;
	const struct remark *remarks;
	size_t remark_count;
	size_t more_remarks;
};

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
	struct remark *remarks;
	size_t remark_count, remark_capacity, more_remarks;
	struct incoming_fault *faults;
	size_t fault_count, fault_capacity;
	size_t copied_blobs;
	int64_t copied_bytes;
};

struct incoming *incoming_create(const char *who, struct signing_key *key);
/* Takes NULL. */
void incoming_destroy(struct incoming *incoming);
AUTO_CLEANER(own_incoming, struct incoming *, incoming_destroy)
#define AUTO_INCOMING AUTO(own_incoming)

void incoming_add_remark(struct incoming *incoming, const struct import_told *told);
void incoming_drop_remarks(struct incoming *incoming);

/* What is wrong with an artifact is forgotten once it has come as it should. */
void incoming_add_fault(struct incoming *incoming, const struct lacked *lacked, const struct err *why);
void incoming_drop_fault(struct incoming *incoming, const struct lacked *lacked);
/* NULL: nothing is known to be. */
const char *incoming_find_fault(
	const struct incoming *incoming, const struct digest *digest, enum format format);

struct incoming_view incoming_view(const struct incoming *incoming);

#endif
