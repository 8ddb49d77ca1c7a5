/* SPDX-License-Identifier: Apache-2.0
 *
 * What `larder store import` and `export` say: each item as a line or as JSON, how far it is, and what it
 * came to. */
#ifndef SERVER_COMMAND_STORE_TALK_H
#define SERVER_COMMAND_STORE_TALK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/command/progress_bar.h"
#include "server/registry/handover.h"

struct store_talk {
	bool json;
	bool dry_run;
	bool takes;          /* an export */
	int64_t total_bytes; /* 0: not known; so for the next */
	int64_t total_count;
	int64_t counts[HANDOVER_FATE_COUNT];
	int64_t notes[HANDOVER_FATE_COUNT]; /* of what is told of modules, and of tokens and pins */
	int64_t sent_bytes;
	int64_t done_bytes;
	int64_t done_count;
	struct progress_bar bar;
};

void store_talk_begin(struct store_talk *talk);

/* Of struct handover; context is the talk. */
void store_talk_item(void *context, const struct handover_item *item);

/* Says what it came to, and where it did not come to its end, why; NULL: it did. An exit status. */
int store_talk_end(struct store_talk *talk, const struct err *why);

#endif
