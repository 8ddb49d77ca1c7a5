/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalog's side of webhooks: the queue of what other programs are to be told. Triggers fill it, in the
 * transaction that changes what an event tells of; fills that failed are added by who notes them. */
#ifndef SERVER_STORE_CATALOG_CATALOG_WEBHOOKS_H
#define SERVER_STORE_CATALOG_CATALOG_WEBHOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"

/* One that is configured; events are names, with commas or blanks between them. */
struct webhook_wish {
	const char *name;
	const char *events;
};

/* Has these and no others, and takes one whose receiver was gone up again. What waits for others, and for
 * events that are wanted no more, is dropped. Writes only where there is something to change. */
bool catalog_set_webhooks(
	struct catalog *catalog, const struct webhook_wish *wishes, size_t count, struct err *err);

/* ---- delivering ---- */

struct webhook_event {
	int64_t id;
	char message[33]; /* names it to its receiver, at each attempt the same */
	char *event;
	int64_t at;
	int64_t attempts;
	char *subject; /* "handle/version" */
	char *format;  /* NULL: of all formats; so for the others */
	struct digest digest;
	int64_t size_bytes; /* of the bytes of this digest; -1: there are none */
	char *who;          /* the token or the upstream */
	char *code;
	char *detail;
	int64_t others; /* failures that were not told of */
};

struct webhook_batch {
	int64_t webhook_id; /* 0: the catalog does not know it (yet) */
	bool gone;
	struct webhook_event *items; /* in the order in which they are to be told */
	size_t count;
};

/* Those whose time has come, up to limit; webhook_batch_finish() it. */
bool catalog_take_due_events(struct catalog *catalog, const char *webhook, int64_t now_s, size_t limit,
	struct webhook_batch *out, struct err *err);
void webhook_batch_finish(struct webhook_batch *batch);

enum webhook_outcome { WEBHOOK_DELIVERED, WEBHOOK_LATER, WEBHOOK_GIVEN_UP, WEBHOOK_GONE };

/* What became of an attempt. */
struct webhook_attempt {
	int64_t id;
	enum webhook_outcome outcome;
	int64_t due_at; /* WEBHOOK_LATER: of the next one */
	int status;     /* 0: no answer */
	char reason[240];
};

/* Notes attempts in one transaction. WEBHOOK_GONE ends all that waits for the webhook. */
bool catalog_note_attempts(struct catalog *catalog, int64_t webhook_id,
	const struct webhook_attempt *attempts, size_t count, int64_t now_s, struct err *err);

/* ---- fills that failed ---- */

struct failed_fill {
	struct name name;
	int64_t at;
	const char *code; /* a constant */
	char why[480];
	int64_t others; /* failures before it that are not told of */
};

/* Queues them for all webhooks that want to know. */
bool catalog_add_failed_fills(
	struct catalog *catalog, const struct failed_fill *fills, size_t count, struct err *err);

/* ---- looking ---- */

struct webhook_state {
	char *name;
	bool gone;
	int64_t pending;
	int64_t dropped;
	int64_t delivered;
	int64_t failed; /* attempts */
	int64_t given_up;
	int64_t delivered_at; /* 0: never; so for the next two */
	int64_t failed_at;
	int64_t due_at; /* of the first of those that wait */
	int status;     /* of the last answer; 0: there was none */
	char *reason;   /* of the last failure; NULL: there was none */
};

struct webhook_states {
	struct webhook_state *items;
	size_t count;
};

/* By name. webhook_states_finish() it. */
bool catalog_list_webhooks(struct catalog *catalog, struct webhook_states *out, struct err *err);
void webhook_states_finish(struct webhook_states *states);

#endif
