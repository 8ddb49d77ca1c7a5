/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/naming.h"

#include <stdio.h>

#include "common/log.h"
#include "server/module/handle_globs.h"
#include "server/store/catalog/catalog_resemblance.h"

enum { RETRY_AFTER_S = 30 };

static bool has(const char *globs, const char *handle)
{
	return globs && handle_globs_match(globs, handle);
}

bool naming_is_ours(const struct naming_rules *rules, const char *handle)
{
	return has(rules->namespaces, handle);
}

bool naming_refuse_fetch(const struct name *name, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND,
		"%.200s is not published here, and its name is one of this site's own (publish.namespaces), "
		"for "
		"which no upstream is asked",
		name_path(name).text);
}

bool naming_refuse_shadow(const char *handle, const char *who_has_it, struct err *err)
{
	return err_set(err, ERR_BLOCKED_BY_POLICY,
		"%.150s is a handle that %.60s has too, so that clients would take one for the other: "
		"publish "
		"under another name, or have it named by publish.shadow",
		handle, who_has_it);
}

bool naming_check(const struct naming_rules *rules, struct catalog *catalog, const char *handle,
	bool *settled, struct err *err)
{
	enum handle_owner owner;

	*settled = naming_is_ours(rules, handle) || has(rules->shadow, handle);
	if (*settled)
		return true;
	if (!catalog_find_owner(catalog, handle, &owner, err))
		return false;
	*settled = owner == OWNER_SITE;
	return owner != OWNER_UPSTREAM || naming_refuse_shadow(handle, "an upstream", err);
}

bool naming_check_unasked(const struct naming_rules *rules, struct catalog *catalog, const char *handle,
	const struct err *why, struct err *err)
{
	struct publisher_name publisher = name_publisher(handle);
	bool is_of_upstream;

	if (!catalog_is_of_upstream(catalog, publisher.text, &is_of_upstream, err))
		return false;
	if (!is_of_upstream && !rules->refuses_unasked)
		return true;
	(void)err_set(err, why->code,
		"whether an upstream has %.120s too cannot be found out now (%.150s), and %s: try again "
		"later, "
		"or have it named by publish.namespaces or publish.shadow",
		handle, why->text,
		is_of_upstream ? "other modules of this publisher are an upstream's"
			       : "publish.unasked is refuse");
	err->retry_after_s = why->retry_after_s ? why->retry_after_s : RETRY_AFTER_S;
	return false;
}

/* ---- warnings ---- */

static struct name_warning *add(struct name_warnings *warnings, const char *rule, const char *about)
{
	struct name_warning *warning = &warnings->items[warnings->count++];

	warning->rule = rule;
	(void)snprintf(warning->about, sizeof warning->about, "%s", about);
	return warning;
}

static void add_lookalike(struct name_warnings *warnings, const char *other)
{
	struct name_warning *warning = add(warnings, "confusable-name", other);

	(void)snprintf(warning->text, sizeof warning->text,
		"People may take this name for %.100s, which is known here.", other);
}

static void add_unasked(struct name_warnings *warnings)
{
	struct name_warning *warning = add(warnings, "upstream-not-asked", "");

	(void)snprintf(warning->text, sizeof warning->text,
		"No upstream could be asked whether it has this handle too (publish.unasked).");
}

static bool look(struct catalog *catalog, const char *handle, struct lookalikes *out, struct err *err)
{
	enum handle_owner owner;

	out->count = 0;
	return catalog_find_owner(catalog, handle, &owner, err) &&
	       (owner != OWNER_UNKNOWN || catalog_find_lookalikes(catalog, handle, out, err));
}

void naming_warn(struct catalog *catalog, const char *handle, bool unasked, struct name_warnings *out)
{
	struct lookalikes lookalikes;
	struct err err;

	out->count = 0;
	if (unasked)
		add_unasked(out);
	if (!look(catalog, handle, &lookalikes, &err)) {
		log_event(LOG_LEVEL_WARN, "whether a name is confusable is not known", "name", handle, "why",
			err.text, NULL);
		return;
	}
	for (size_t i = 0; i < lookalikes.count; i++)
		add_lookalike(out, lookalikes.names[i]);
}

void name_warnings_log(const struct name_warnings *warnings, const struct name *name, const char *who)
{
	for (size_t i = 0; i < warnings->count; i++)
		log_event(LOG_LEVEL_WARN, warnings->items[i].rule, "name", name_path(name).text, "like",
			warnings->items[i].about[0] ? warnings->items[i].about : NULL, "by", who, NULL);
}
