/* SPDX-License-Identifier: Apache-2.0
 *
 * Fetches from upstream what is not here: one fill for an artifact however many ask, within the limits and
 * the policy of the site. Owns the running fills and their threads. */
#ifndef SERVER_REGISTRY_MIRROR_H
#define SERVER_REGISTRY_MIRROR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/registry/fill.h"

struct mirror_policy {
	bool offline;
	const char *allow; /* globs of handles; NULL allows all */
	const char *deny;  /* globs of handles; NULL denies none */
	int64_t max_fills; /* at once; further ones wait for their turn */
};

struct mirror;

/* The tools are copied; what they and the policy point to must outlive the mirror. */
struct mirror *mirror_create(const struct fill_tools *tools, const struct mirror_policy *policy);

/* Stops all fills and waits for them; nobody may join any more. Takes NULL. */
void mirror_destroy(struct mirror *mirror);

/* May be changed at any time. */
void mirror_set_offline(struct mirror *mirror, bool offline);

/* Joins the running fill of this artifact, or starts one (*collapsed tells which). The caller owns the
 * reference to *out; it is NULL where the artifact has come into the store meanwhile. cdn_loop is the
 * request's CDN-Loop header or NULL. ERR_BLOCKED_BY_POLICY, ERR_OFFLINE, ERR_LOOP_DETECTED, ERR_NOT_FOUND (no
 * upstream may have it, or none had it lately), ERR_BUSY (too many fills wait), ERR_NO_SPACE. */
bool mirror_join(struct mirror *mirror, const struct name *name, const char *cdn_loop, struct spool **out,
	bool *collapsed, struct err *err);

/* The size that upstream tells for an artifact (-1: it does not), without fetching it. Fails as mirror_join
 * and fills do. */
bool mirror_ask_size(struct mirror *mirror, const struct name *name, const char *cdn_loop, int64_t *out_bytes,
	struct err *err);

#endif
