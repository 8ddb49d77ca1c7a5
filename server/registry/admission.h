/* SPDX-License-Identifier: Apache-2.0
 *
 * May an artifact that is not here be asked for upstream at all: the site's rules, loops, and what is
 * remembered of earlier answers. Not a packet goes out for it. */
#ifndef SERVER_REGISTRY_ADMISSION_H
#define SERVER_REGISTRY_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/module/name.h"
#include "server/registry/naming.h"
#include "server/store/catalog/catalog_known.h"
#include "server/upstream/upstream.h"

struct admission_rules {
	bool offline;
	const char *allow; /* globs of handles; NULL allows all */
	const char *deny;  /* globs of handles; NULL denies none */
	struct naming_rules naming;
	const struct upstream *upstreams;
	size_t upstream_count;
	int64_t negative_ttl_s; /* for so long bytes that were held back are not fetched again */
};

/* What the rules and the memory say of a name, each for itself. */
struct admission_view {
	bool offline;
	bool allowed;                /* by the rules below */
	const char *rule;            /* the key that decides: "publish.namespaces", "mirror.deny",
				"mirror.allow"; NULL: none is set */
	int64_t absent_until_s;      /* every upstream said no lately; 0: nothing is remembered */
	int64_t quarantined_until_s; /* upstream had other bytes than ours lately; 0: nothing is remembered */
};

struct admission;

/* What the rules point to must outlive it. destroy takes NULL. */
struct admission *admission_create(const struct admission_rules *rules);
void admission_destroy(struct admission *admission);
AUTO_CLEANER(own_admission, struct admission *, admission_destroy)
#define AUTO_ADMISSION AUTO(own_admission)

/* May be changed at any time. */
void admission_set_offline(struct admission *admission, bool offline);
bool admission_is_offline(const struct admission *admission);

/* Whether it may be given to anyone, be it here or not: ERR_GONE, ERR_QUARANTINED (it is held back),
 * ERR_NOT_FOUND (it is published here in other formats). */
bool admission_check_known(const struct known *known, struct err *err);

/* Whether what is here of it, or elsewhere with this source, may be given out under this name: ERR_NOT_FOUND
 * where it was mirrored, and the name is the site's own. */
bool admission_check_source(const struct admission *admission, const struct name *name,
	enum version_source source, struct err *err);

/* Whether upstreams may be asked for what is not here. cdn_loop: the request's CDN-Loop header or NULL. Fails
 * as admission_check_known does, and with ERR_BLOCKED_BY_POLICY, ERR_LOOP_DETECTED, ERR_BAD_REQUEST,
 * ERR_NOT_FOUND (no upstream may have it, or none had it lately), ERR_UPSTREAM_FAILED (so lately, for good),
 * ERR_QUARANTINED, ERR_OFFLINE; with retry_after_s where the memory has an end. */
bool admission_check(
	const struct admission *admission, const struct known *known, const char *cdn_loop, struct err *err);

/* ERR_LOOP_DETECTED where the request has come through here before, ERR_BAD_REQUEST where its header is none.
 */
bool admission_check_loop(const struct admission *admission, const char *cdn_loop, struct err *err);

/* The CDN-Loop header to send upstream (RFC 8586); free() it. */
char *admission_loop_header(const struct admission *admission, const char *received);

/* Counts a request that was refused by what is remembered. */
void admission_count_refusal(const struct err *err);

struct admission_view admission_view(const struct admission *admission, const struct known *known);

#endif
