/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/admission.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/globs.h"
#include "common/mem.h"
#include "server/registry/cdn_loop.h"

struct admission {
	struct admission_rules rules; /* but for offline, which changes */
	struct catalog *catalog;
	atomic_bool offline;
	char id[CDN_LOOP_ID_SIZE]; /* how other Larders know us again */
};

struct admission *admission_create(const struct admission_rules *rules, struct catalog *catalog)
{
	struct admission *admission = mem_zero(1, sizeof *admission);

	admission->rules = *rules;
	admission->catalog = catalog;
	atomic_init(&admission->offline, rules->offline);
	cdn_loop_make_id(admission->id);
	return admission;
}

void admission_destroy(struct admission *admission)
{
	free(admission);
}

void admission_set_offline(struct admission *admission, bool offline)
{
	atomic_store(&admission->offline, offline);
}

static bool check_policy(const struct admission *admission, const struct name *name, struct err *err)
{
	const char *allow = admission->rules.allow;
	const char *deny = admission->rules.deny;

	if (deny && globs_match(deny, name->handle))
		return err_set(err, ERR_BLOCKED_BY_POLICY, "%s is denied here by mirror.deny", name->handle);
	if (allow && !globs_match(allow, name->handle))
		return err_set(err, ERR_BLOCKED_BY_POLICY, "%s is not among what mirror.allow lets in",
			name->handle);
	return true;
}

static bool some_upstream_may_have(const struct admission *admission, const struct name *name)
{
	for (size_t i = 0; i < admission->rules.upstream_count; i++) {
		if (upstream_may_have(&admission->rules.upstreams[i], name))
			return true;
	}
	return false;
}

/* What is remembered of earlier answers; 0: nothing that still counts. */
static bool recall(const struct admission *admission, const struct name *name, int64_t now_s,
	struct absence *absence, int64_t *quarantined_until_s, struct err *err)
{
	int64_t ttl_s = admission->rules.negative_ttl_s;
	int64_t changed_at;

	if (!catalog_find_absent(admission->catalog, name, now_s, absence, err) ||
		!catalog_find_quarantine(admission->catalog, name, now_s - ttl_s, &changed_at, err))
		return false;
	*quarantined_until_s = changed_at ? changed_at + ttl_s : 0;
	return true;
}

static bool refuse_again(
	const struct absence *absence, const struct name *name, int64_t now_s, struct err *err)
{
	const char *said = absence->answer.text;
	int length = (int)strlen(said);

	length -= length > 0 && said[length - 1] == '.';
	if (!said[0])
		(void)err_set(err, absence->answer.code,
			"%s is not here, and no upstream had it; asked again after %s", name_path(name).text,
			clock_rfc3339(absence->until_s).text);
	else
		(void)err_set(err, absence->answer.code, "%.*s; asked again after %s",
			length < 430 ? length : 430, said, clock_rfc3339(absence->until_s).text);
	err->retry_after_s = (unsigned)(absence->until_s - now_s);
	return false;
}

/* One fetch of a whole module is enough to learn that it is not the one that we know. */
static bool check_memory(const struct admission *admission, const struct name *name, struct err *err)
{
	int64_t now_s = clock_now_s();
	struct absence absence;
	int64_t quarantined_until_s;

	if (!recall(admission, name, now_s, &absence, &quarantined_until_s, err))
		return false;
	if (absence.until_s)
		return refuse_again(&absence, name, now_s, err);
	if (quarantined_until_s) {
		(void)err_set(err, ERR_QUARANTINED,
			"%.100s is not here, and upstream had other bytes than those recorded; asked again "
			"after %s. " CATALOG_WAYS_OUT,
			name_path(name).text, clock_rfc3339(quarantined_until_s).text);
		err->retry_after_s = (unsigned)(quarantined_until_s - now_s);
		return false;
	}
	return true;
}

bool admission_check_loop(const struct admission *admission, const char *cdn_loop, struct err *err)
{
	return cdn_loop_check(cdn_loop, admission->id, err);
}

/* Whoever asks for a version that is published here is not to be given a stranger's. */
static bool check_published(const struct admission *admission, const struct name *name, struct err *err)
{
	struct artifact artifact;
	bool found;

	return catalog_find_artifact(admission->catalog, name, &artifact, &found, err) &&
	       artifact_check_published(&artifact, err);
}

bool admission_check(
	struct admission *admission, const struct name *name, const char *cdn_loop, struct err *err)
{
	if (!check_published(admission, name, err) || !check_policy(admission, name, err))
		return false;
	if (!admission_check_loop(admission, cdn_loop, err))
		return false;
	if (!some_upstream_may_have(admission, name))
		return err_set(err, ERR_NOT_FOUND, "%s is not here, and no configured upstream may have it",
			name_path(name).text);
	if (!check_memory(admission, name, err))
		return false;
	if (atomic_load(&admission->offline))
		return err_set(
			err, ERR_OFFLINE, "%s is not here, and mirror.offline is on", name_path(name).text);
	return true;
}

char *admission_loop_header(const struct admission *admission, const char *received)
{
	return cdn_loop_append(received, admission->id);
}

static const char *deciding_rule(const struct admission *admission, const struct name *name)
{
	const struct admission_rules *rules = &admission->rules;

	if (rules->deny && globs_match(rules->deny, name->handle))
		return "mirror.deny";
	return rules->allow ? "mirror.allow" : rules->deny ? "mirror.deny" : NULL;
}

bool admission_consider(
	struct admission *admission, const struct name *name, struct admission_view *out, struct err *err)
{
	struct admission_view view = {.offline = atomic_load(&admission->offline)};
	struct absence absence;

	if (!recall(admission, name, clock_now_s(), &absence, &view.quarantined_until_s, err))
		return false;
	view.absent_until_s = absence.until_s;
	view.allowed = check_policy(admission, name, &view.refusal);
	view.rule = deciding_rule(admission, name);
	(void)admission_check(admission, name, NULL, &view.refusal);
	*out = view;
	return true;
}
