/* SPDX-License-Identifier: Apache-2.0
 *
 * What a handover, or a takeout, works on, and what it tells of. */
#ifndef SERVER_REGISTRY_HANDOVER_ITEM_H
#define SERVER_REGISTRY_HANDOVER_ITEM_H

#include <stdbool.h>
#include <stdint.h>

#include "server/module/name.h"

struct blobs;
struct catalog;
struct vault;

enum handover_fate {
	HANDOVER_SENT,      /* its bytes and what they are */
	HANDOVER_NAMED,     /* what they are only: the bytes are not here, or were there */
	HANDOVER_WITHDRAWN, /* a tombstone */
	HANDOVER_THERE,     /* nothing was to be done */
	HANDOVER_LEFT,      /* it stays here alone, for a reason */
	HANDOVER_CONFLICT,  /* what is shared has other bytes under that name */
	HANDOVER_FAILED,    /* its bytes are damaged, here or there */
	HANDOVER_FATE_COUNT
};

/* What became of an artifact, of a version that was withdrawn, or of what is told of one. */
struct handover_item {
	const struct name *name;
	const char *topic; /* NULL; or "documentation", "decision", and what stands where handles do: "token",
			      "pin" */
	bool is_version;   /* its format says nothing */
	enum handover_fate fate;
	int64_t size_bytes;
	const char *why; /* NULL, or a sentence */
};

struct handover {
	struct catalog *catalog;
	struct blobs *blobs;
	struct vault *vault;
	bool dry_run;
	void (*tell)(void *context, const struct handover_item *item);
	void *context;
};

#endif
