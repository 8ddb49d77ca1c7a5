/* SPDX-License-Identifier: Apache-2.0
 *
 * Hands what a data folder has over to what nodes share: tombstones, and each artifact's bytes before what
 * they are. Changes nothing in the folder, beside a daemon or not. What is there already is not sent again,
 * so that whoever is interrupted begins anew and goes on. */
#ifndef SERVER_REGISTRY_HANDOVER_H
#define SERVER_REGISTRY_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
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

/* What became of an artifact, or of a version that was withdrawn. */
struct handover_item {
	const struct name *name;
	bool is_version; /* its format says nothing */
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

/* Tells of each item. False where it cannot go on (ERR_STORE_UNAVAILABLE, or the folder cannot be read): what
 * was told of is there. */
bool handover_run(const struct handover *handover, struct err *err);

#endif
