/* SPDX-License-Identifier: Apache-2.0
 *
 * What a fill has to do with other nodes that want the same: one of them fetches it, under a lease, and the
 * others take the bytes from that one as they come. On the fill's thread; where nothing is shared, it costs
 * nothing. */
#ifndef SERVER_REGISTRY_FOLLOWING_H
#define SERVER_REGISTRY_FOLLOWING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/name.h"
#include "server/registry/fill_progress.h"
#include "server/registry/intake.h"
#include "server/registry/verdict.h"
#include "server/vault/vault_terms.h"

struct fill_tools;

/* Of which object the bytes in the intake are that another node gave: it is told in the lease under which he
 * fetches, perhaps after the first bytes have come. */
struct held {
	char nonce[IDENTITY_WORD_MAX + 1]; /* of the lease under which the last of them came */
	struct lease_work work;            /* no upstream: not told yet */
	bool is_mixed;                     /* they may be of two */
};

struct following {
	const struct fill_tools *tools;
	const struct name *name;
	const char *cdn_loop;
	struct intake *intake;
	struct fill_progress *progress;

	struct lease_watch watch;
	struct lease *lease;                      /* where this node fetches it for all */
	struct held held;                         /* what came of other nodes */
	char empty_handed[IDENTITY_WORD_MAX + 1]; /* the lease of who was given nothing by any upstream */
	int tries;
	int64_t alone_at_ms; /* until when the others are waited for; 0: nobody is */
	struct lease_work work;
};

/* What is pointed to must outlive it. */
void following_init(struct following *following, const struct fill_tools *tools, const struct name *name,
	const char *cdn_loop, struct intake *intake, struct fill_progress *progress);

/* Gives the lease back; kept: all have it now. */
void following_finish(struct following *following, bool kept);

/* True: this node is to fetch it, for all, or for itself where it was not to be had from who does. What came
 * of another is in the intake then, to be gone on with. False: something has changed, and it may be there by
 * now; also when the fill was stopped. */
bool following_leads(struct following *following);

/* Tells the others whose bytes it fetches, and how many are there. */
void following_report(struct following *following, const char *upstream, const struct object *object);

#endif
