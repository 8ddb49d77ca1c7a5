/* SPDX-License-Identifier: Apache-2.0
 *
 * What other nodes have kept: a fill asks for it before any upstream, and takes the bytes from there, whose
 * digest is known beforehand. On the fill's thread, or a question's. */
#ifndef SERVER_REGISTRY_RECALL_H
#define SERVER_REGISTRY_RECALL_H

#include "common/err.h"
#include "server/module/name.h"
#include "server/registry/fill_tools.h"
#include "server/registry/intake.h"

enum recall {
	RECALL_NOTHING, /* they have nothing, and upstreams may be asked */
	RECALL_FOUND,
	RECALL_REFUSED /* *err */
};

/* Asks what they have. RECALL_REFUSED: it was withdrawn (ERR_GONE, which is noted here), it cannot be found
 * out now (ERR_STORE_UNAVAILABLE), or they have nothing and no upstream may be asked, as admission_check
 * says. */
enum recall recall_find(
	const struct fill_tools *tools, const struct name *name, struct identity *out, struct err *err);

/* Takes the bytes into the intake, which may hold others before, none of which a client has seen.
 * RECALL_NOTHING: they have lost them, and an upstream may have them. */
enum recall recall_take(const struct fill_tools *tools, const struct name *name,
	const struct identity *identity, struct intake *intake, struct fill_progress *progress,
	struct err *err);

/* Whether it may be kept by now: false with ERR_GONE, which is noted here, where it was withdrawn while it
 * came, or where that cannot be found out. */
bool recall_confirm(const struct fill_tools *tools, const struct name *name, struct err *err);

/* Whether bytes of an upstream's that are not kept may be a name's all the same: ERR_QUARANTINED where the
 * others have kept other bytes, ERR_GONE, ERR_NOT_FOUND, or that cannot be found out. */
bool recall_compare(const struct fill_tools *tools, const struct name *name, const struct digest *digest,
	struct err *err);

/* Whether what was taken is what the identity says. */
bool recall_check(const struct name *name, const struct identity *identity,
	const struct inspection *inspection, struct err *err);

#endif
