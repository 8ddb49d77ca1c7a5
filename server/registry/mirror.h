/* SPDX-License-Identifier: Apache-2.0
 *
 * Fetches from upstream what is not here: one fill for an artifact however many ask, within the limits and
 * the policy of the site (admission), in their turn (queue), each client with its share. Owns the running
 * fills and their threads. */
#ifndef SERVER_REGISTRY_MIRROR_H
#define SERVER_REGISTRY_MIRROR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/registry/admission.h"
#include "server/registry/fill.h"
#include "server/registry/fill_list.h"
#include "server/registry/latest.h"
#include "server/registry/namesakes.h"
#include "server/store/catalog/catalog_known.h"

struct mirror_policy {
	bool offline;
	const char *allow; /* globs of handles; NULL allows all */
	const char *deny;  /* globs of handles; NULL denies none */
	int64_t max_fills; /* at once; further ones wait for their turn */
	struct naming_rules naming;
};

struct mirror;

/* The tools are copied; what they and the policy point to must outlive the mirror. */
struct mirror *mirror_create(const struct fill_tools *tools, const struct mirror_policy *policy);

/* Stops all fills and waits for them; nobody may join any more. Takes NULL. */
void mirror_destroy(struct mirror *mirror);
AUTO_CLEANER(own_mirror, struct mirror *, mirror_destroy)
#define AUTO_MIRROR AUTO(own_mirror)

/* Asks the same upstreams which version is the latest; the mirror's own. */
struct latest *mirror_latest(struct mirror *mirror);

/* Asks them whether they have a handle that is to be published; the mirror's own. */
struct namesakes *mirror_namesakes(struct mirror *mirror);

/* May be changed at any time. */
void mirror_set_offline(struct mirror *mirror, bool offline);
bool mirror_is_offline(const struct mirror *mirror);

/* One look at all that decides what a request for a name gets. */
struct snapshot {
	struct known known;
	uint64_t fills_over; /* how many of its fills had ended; later it is out of date */
};
bool mirror_look(struct mirror *mirror, const struct name *name, struct snapshot *out, struct err *err);

/* As admission_check_known; but what only this node does not know of, others may have. */
bool mirror_check_known(const struct mirror *mirror, const struct known *known, struct err *err);

/* As admission_check_source. */
bool mirror_check_source(
	const struct mirror *mirror, const struct name *name, enum version_source source, struct err *err);

/* Joins the running fill of what is not here, or starts one (*collapsed tells which). The caller owns the
 * reference to *out; it is NULL where the snapshot is out of date: look again. Fails as
 * admission_check does, and with ERR_BUSY (too many fills wait, or too many of this client's),
 * ERR_NO_SPACE (the fill passes through: its first bytes are gone). */
bool mirror_join(struct mirror *mirror, const struct snapshot *snapshot, const struct asker *asker,
	struct spool **out, bool *collapsed, struct err *err);

/* Starts a fill for nobody in particular, or finds the one that runs; it needs no reader to go on. *id is 0
 * where the snapshot is out of date. Fails as mirror_join does, and with ERR_BUSY earlier: what clients wait
 * for goes first, and a part of the queue and of the places is theirs. */
bool mirror_start(struct mirror *mirror, const struct snapshot *snapshot, const struct asker *asker,
	int64_t *id, struct err *err);

/* The fills that run, and the last ones that ended, at one moment. The caller owns *out. */
void mirror_list(struct mirror *mirror, struct fill_list *out);

/* Ends a running fill: clients that have no byte yet are refused with ERR_BUSY, the others are cut off.
 * ERR_NOT_FOUND. */
bool mirror_cancel(struct mirror *mirror, int64_t id, struct err *err);

/* What a request for a name would get. */
enum prospect {
	PROSPECT_REFUSED,
	PROSPECT_HERE,
	PROSPECT_COLLAPSES, /* it joins a fill that runs */
	PROSPECT_FETCH      /* it starts one */
};
struct outlook {
	struct known known;
	enum prospect prospect;
	struct err refusal; /* of PROSPECT_REFUSED */
	bool has_fill;      /* one runs: */
	struct fill_status fill;
	struct admission_view view;
};

/* Judges a name as mirror_join would, without a packet or a count. */
bool mirror_consider(struct mirror *mirror, const struct name *name, struct outlook *out, struct err *err);

/* Until when an upstream (by its place in the settings) is left alone after failures; 0: it is not. */
int64_t mirror_cooling_until_s(struct mirror *mirror, size_t upstream);

/* What is found out of an artifact that is not here without fetching it. One of: */
struct glance {
	bool is_told;        /* by the catalog, or by what a running fill was told */
	int64_t size_bytes;  /* … its size; -1: upstream does not tell */
	struct spool *spool; /* a fill runs that is told nothing yet: follow it; the caller's own reference */
	struct question *question; /* what upstream is asked now, the caller's own: await it */
	bool is_stale;             /* the snapshot is out of date: look again */

	bool is_collapsed; /* with the first and the second: a fill runs */
};

/* Judges as mirror_join would, and starts no fill. A question is answered with the size, or fails as fills
 * do. Fails as mirror_join does where nothing is started, and with ERR_BUSY where too many are asked. */
bool mirror_glance(struct mirror *mirror, const struct snapshot *snapshot, const struct asker *asker,
	struct glance *out, struct err *err);

#endif
