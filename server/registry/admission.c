/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/admission.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "server/metrics.h"
#include "server/module/handle_globs.h"
#include "server/registry/cdn_loop.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_known.h"

struct admission {
	struct admission_rules rules; /* but for offline, which changes */
	atomic_bool offline;
	char id[CDN_LOOP_ID_SIZE]; /* how other Larders know us again */
};

struct admission *admission_create(const struct admission_rules *rules)
{
	struct admission *admission = mem_zero(1, sizeof *admission);

	admission->rules = *rules;
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

bool admission_is_offline(const struct admission *admission)
{
	return atomic_load(&admission->offline);
}

static bool check_policy(const struct admission *admission, const struct name *name, struct err *err)
{
	const char *allow = admission->rules.allow;
	const char *deny = admission->rules.deny;

	if (naming_is_ours(&admission->rules.naming, name->handle))
		return naming_refuse_fetch(name, err);
	if (deny && handle_globs_match(deny, name->handle))
		return err_set(err, ERR_BLOCKED_BY_POLICY, "%s is denied here by mirror.deny", name->handle);
	if (allow && !handle_globs_match(allow, name->handle))
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

static bool refuse_unreachable(const struct admission *admission, const struct name *name, struct err *err)
{
	for (size_t i = 0; i < admission->rules.upstream_count; i++) {
		if (!upstream_check_place(&admission->rules.upstreams[i], name, err))
			return false;
	}
	return err_set(err, ERR_NOT_FOUND, "%s is not here, and no configured upstream may have it",
		name_path(name).text);
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

/* What is remembered beyond its time comes from a clock that was put back since: it would last for years. */
static bool is_in_force(const struct admission *admission, int64_t until_s, int64_t now_s)
{
	return until_s > now_s && until_s - now_s <= admission->rules.negative_ttl_s;
}

/* One fetch of a whole module is enough to learn that it is not the one that we know. 0: nothing that still
 * counts is remembered. */
static int64_t quarantined_until_s(
	const struct admission *admission, const struct known *known, int64_t now_s)
{
	int64_t until_s = known->quarantined_at_s + admission->rules.negative_ttl_s;

	return known->quarantined_at_s > 0 && is_in_force(admission, until_s, now_s) ? until_s : 0;
}

static bool check_memory(const struct admission *admission, const struct known *known, struct err *err)
{
	const struct name *name = &known->artifact.name;
	int64_t now_s = clock_now_s();
	int64_t until_s = quarantined_until_s(admission, known, now_s);

	if (is_in_force(admission, known->absence.until_s, now_s))
		return refuse_again(&known->absence, name, now_s, err);
	if (until_s == 0)
		return true;
	(void)err_set(err, ERR_QUARANTINED,
		"%.100s is not here, and upstream had other bytes than those recorded; asked again after "
		"%s. " CATALOG_WAYS_OUT,
		name_path(name).text, clock_rfc3339(until_s).text);
	err->retry_after_s = (unsigned)(until_s - now_s);
	return false;
}

bool admission_check_loop(const struct admission *admission, const char *cdn_loop, struct err *err)
{
	return cdn_loop_check(cdn_loop, admission->id, err);
}

bool admission_check_known(const struct known *known, struct err *err)
{
	const struct artifact *artifact = &known->artifact;

	/* Whoever asks for a version that is published here is not to be given a stranger's. */
	return artifact_check_state(artifact, err) && artifact_check_published(artifact, err);
}

bool admission_check_source(const struct admission *admission, const struct name *name,
	enum version_source source, struct err *err)
{
	return source != SOURCE_MIRRORED || !naming_is_ours(&admission->rules.naming, name->handle) ||
	       naming_refuse_fetch(name, err);
}

/* No upstream's bytes may stand for them. Where nodes share a bucket it is asked all the same. */
static bool check_lost(const struct artifact *artifact, struct err *err)
{
	return !artifact->recorded || artifact->cached || artifact->source != SOURCE_PUBLISHED ||
	       err_set(err, ERR_QUARANTINED,
		       "%.150s was published here, and its bytes are damaged or gone: have them restored "
		       "(larder verify --repair --from), or publish the same bytes once more",
		       name_path(&artifact->name).text);
}

bool admission_check(
	const struct admission *admission, const struct known *known, const char *cdn_loop, struct err *err)
{
	const struct name *name = &known->artifact.name;

	if (!admission_check_known(known, err) || !check_lost(&known->artifact, err) ||
		!check_policy(admission, name, err) || !admission_check_loop(admission, cdn_loop, err))
		return false;
	/* A site without a way out may have none, and still tells what it lacks. */
	if (!some_upstream_may_have(admission, name) &&
		!(admission_is_offline(admission) && !admission->rules.upstream_count))
		return refuse_unreachable(admission, name, err);
	if (!check_memory(admission, known, err))
		return false;
	if (admission_is_offline(admission))
		return err_set(
			err, ERR_OFFLINE, "%s is not here, and mirror.offline is on", name_path(name).text);
	return true;
}

void admission_count_refusal(const struct err *err)
{
	if ((err->code == ERR_NOT_FOUND || err->code == ERR_UPSTREAM_FAILED) && err->retry_after_s > 0)
		metric_add(METRIC_ABSENT_HITS, 1);
}

char *admission_loop_header(const struct admission *admission, const char *received)
{
	return cdn_loop_append(received, admission->id);
}

static const char *deciding_rule(const struct admission *admission, const struct name *name)
{
	const struct admission_rules *rules = &admission->rules;

	if (naming_is_ours(&rules->naming, name->handle))
		return "publish.namespaces";
	if (rules->deny && handle_globs_match(rules->deny, name->handle))
		return "mirror.deny";
	return rules->allow ? "mirror.allow" : rules->deny ? "mirror.deny" : NULL;
}

struct admission_view admission_view(const struct admission *admission, const struct known *known)
{
	const struct name *name = &known->artifact.name;
	int64_t absent_until_s = known->absence.until_s;
	int64_t now_s = clock_now_s();
	struct err ignored;

	return (struct admission_view){
		.offline = admission_is_offline(admission),
		.allowed = check_policy(admission, name, &ignored),
		.rule = deciding_rule(admission, name),
		.absent_until_s = is_in_force(admission, absent_until_s, now_s) ? absent_until_s : 0,
		.quarantined_until_s = quarantined_until_s(admission, known, now_s),
	};
}
