/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose a handle is: which are the site's own, so that no upstream is asked for them; which may not be
 * published here because they are an upstream's; and what a publisher is told of a name that others may take
 * for another. By rules and the catalog; upstreams are asked by namesakes. */
#ifndef SERVER_REGISTRY_NAMING_H
#define SERVER_REGISTRY_NAMING_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "server/module/name.h"

struct catalog;

struct naming_rules {
	const char *shadow;     /* globs of handles; NULL: none */
	const char *namespaces; /* the same */
	bool refuses_unasked;
};

/* Whether the handle is the site's own, by publish.namespaces. */
bool naming_is_ours(const struct naming_rules *rules, const char *handle);

/* What whoever wants to fetch such a handle is told: ERR_NOT_FOUND. Always false. */
bool naming_refuse_fetch(const struct name *name, struct err *err);

/* Whether it may be published, as far as that can be told here. *settled: nobody need be asked, as it is
 * ours, or may be an upstream's too, or was published here before. ERR_BLOCKED_BY_POLICY where the catalog
 * knows it for an upstream's. */
bool naming_check(const struct naming_rules *rules, struct catalog *catalog, const char *handle,
	bool *settled, struct err *err);

/* The same, where an upstream has said that it has it. Always false. */
bool naming_refuse_shadow(const char *handle, const char *who_has_it, struct err *err);

/* Whether a handle that no upstream could be asked for, and why, may be published all the same: fails as that
 * did. */
bool naming_check_unasked(const struct naming_rules *rules, struct catalog *catalog, const char *handle,
	const struct err *why, struct err *err);

/* What a publisher is told of a new name. */
enum { NAME_WARNINGS_MAX = 4 };
struct name_warning {
	const char *rule; /* "confusable-name", "upstream-not-asked" */
	char about[NAME_PATH_MAX + 1];
	char text[200];
};
struct name_warnings {
	struct name_warning items[NAME_WARNINGS_MAX];
	size_t count;
};

/* Fills *out: known names that a handle may be taken for, unless it is known itself. What cannot be read is
 * logged and left out. unasked: no upstream could be asked. */
void naming_warn(struct catalog *catalog, const char *handle, bool unasked, struct name_warnings *out);

/* Of what has been published now. */
void name_warnings_log(const struct name_warnings *warnings, const struct name *name, const char *who);

#endif
