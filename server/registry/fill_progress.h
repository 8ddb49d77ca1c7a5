/* SPDX-License-Identifier: Apache-2.0
 *
 * Progress and cancelling of a running fill: the fill tells how far it is, and others read figures that
 * belong together, at any time and from any thread.
 *
 *     waiting ──▶ transferring ◀──▶ verifying ──▶ kept
 *        │             │                │
 *        └─────────────┴────────────────┴───────▶ failed
 *
 * It waits until it has begun and asked somebody (an upstream, another node, the bucket). Transferring is
 * asking and receiving, of one after the other; what came and is not what was told is asked for again. Where
 * an earlier process had all bytes, verifying comes at once. What was passed on and is not kept has failed.
 */
#ifndef SERVER_REGISTRY_FILL_PROGRESS_H
#define SERVER_REGISTRY_FILL_PROGRESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/lock.h"

enum fill_state { FILL_WAITING, FILL_TRANSFERRING, FILL_VERIFYING, FILL_KEPT, FILL_FAILED, FILL_STATE_COUNT };
const char *fill_state_name(enum fill_state state); /* "waiting" … */

/* How far a fill is. */
struct fill_figures {
	enum fill_state state;
	const char *upstream; /* the one that is or was asked last; NULL before the first */
	int64_t attempts;     /* transfers begun */
	int64_t bytes;
	int64_t total_bytes; /* -1: upstream does not tell */
	bool is_told;        /* … or it does, of what it has at this moment */
	int64_t rate;        /* bytes a second, over the last few seconds */
	int64_t eta_s;       /* until the transfer ends; -1: nobody knows */
};

enum { FILL_PROGRESS_MARKS = 10 };

struct fill_progress {
	struct lock mutex; /* guards everything below up to the blank line; rate and eta_s are not used */
	struct fill_figures figures;
	struct {
		int64_t at_ms;
		int64_t bytes;
	} marks[FILL_PROGRESS_MARKS]; /* a ring of where it stood, for the rate */
	size_t mark_count;

	_Atomic bool stop;      /* ends the fill soon */
	_Atomic bool cancelled; /* with stop: by somebody's wish, and for good */
	_Atomic bool wanted;    /* a client waits for it, or did */
	_Atomic bool leads;     /* it fetches for other nodes too */
	_Atomic bool refused;   /* it is about to end so: whoever asks now needs another one */
};

void fill_progress_init(struct fill_progress *progress);
void fill_progress_finish(struct fill_progress *progress);

/* What the fill tells. Times are monotonic. The upstream's name must outlive the progress. */
void fill_progress_attempt(struct fill_progress *progress, const char *upstream);
void fill_progress_total(struct fill_progress *progress, int64_t total_bytes); /* by an earlier process */
void fill_progress_told(struct fill_progress *progress, int64_t total_bytes);  /* by who has the object */
void fill_progress_bytes(struct fill_progress *progress, int64_t bytes, int64_t now_ms);
void fill_progress_verify(struct fill_progress *progress);
void fill_progress_end(struct fill_progress *progress, bool is_kept);

/* Fails with why it ends: somebody has set "stop". */
bool fill_progress_refuse_stopped(const struct fill_progress *progress, struct err *err);

struct fill_figures fill_progress_read(struct fill_progress *progress, int64_t now_ms);

#endif
