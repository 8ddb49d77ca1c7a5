/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/rescan.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/globs.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/examination.h"
#include "server/module/safety/safety_rules.h"
#include "server/registry/invalidation.h"
#include "server/registry/paced_blob.h"
#include "server/registry/shared_holds.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_outdated.h"
#include "server/store/catalog/catalog_safety.h"
#include "server/vault/vault.h"

struct rescan {
	const struct rescan_tools *tools;
	const struct rescan_order *order;
	struct read_rate rate;
	struct paced_blob blob;
};

/* One inspection that is made anew. */
struct anew {
	struct outdated item;
	struct outdated_names names;
	struct examination *examination;
	struct late_hold *holds; /* as many as names; the first hold_count of them count */
	size_t hold_count;
	bool changed; /* the findings */
};

static void anew_finish(struct anew *anew)
{
	outdated_names_finish(&anew->names);
	examination_destroy(anew->examination);
	free(anew->holds);
	*anew = (struct anew){0};
}

/* ---- what is told ---- */

static void tell(const struct rescan *rescan, const struct rescanned *what)
{
	rescan->order->tell(rescan->order->context, what);
}

/* The same of all names, or of the digest where there is none. */
static void tell_all(
	const struct rescan *rescan, const struct anew *anew, enum rescan_outcome outcome, const char *detail)
{
	AUTO_FREE char *digest = mem_printf("sha256:%s", anew->item.digest.hex);

	if (anew->names.count == 0)
		tell(rescan, &(struct rescanned){outcome, digest, anew->item.format, detail});
	for (size_t i = 0; i < anew->names.count; i++)
		tell(rescan, &(struct rescanned){outcome, name_path(&anew->names.items[i].name).text,
				     anew->item.format, detail});
}

/* The most severe one, and how many there are. */
static char *describe(const struct safety_findings *findings)
{
	const struct safety_finding *first = findings->items;
	const struct safety_rule *rule = first ? &safety_rules[first->rule] : NULL;

	if (findings->count == 0)
		return mem_dup("no findings");
	return mem_printf("%zu finding%s: %s, %s (%s%s%s)%s", findings->count,
		findings->count == 1 ? "" : "s", safety_severity_name(rule->severity), rule->name,
		first->detail, *first->where ? ", in " : "", first->where, findings->count > 1 ? " …" : "");
}

/* NULL: nothing holds it back that did not before. */
static const struct late_hold *find_hold(const struct anew *anew, const struct outdated_name *name)
{
	for (size_t i = 0; i < anew->hold_count; i++) {
		if (anew->holds[i].name == &name->name)
			return anew->holds[i].held ? &anew->holds[i] : NULL;
	}
	return NULL;
}

static void tell_outcomes(const struct rescan *rescan, const struct anew *anew)
{
	AUTO_FREE char *detail = describe(&anew->examination->safety);
	enum rescan_outcome outcome = anew->changed ? RESCAN_JUDGED : RESCAN_UNCHANGED;

	if (anew->names.count == 0)
		tell_all(rescan, anew, outcome, detail);
	for (size_t i = 0; i < anew->names.count; i++) {
		const struct late_hold *hold = find_hold(anew, &anew->names.items[i]);

		tell(rescan, &(struct rescanned){hold ? RESCAN_HELD : outcome,
				     name_path(&anew->names.items[i].name).text, anew->item.format,
				     hold ? hold->reason : detail});
	}
}

/* ---- reading ---- */

static bool is_meant(const struct rescan *rescan, const struct outdated_names *names)
{
	const char *patterns = rescan->order->patterns;

	for (size_t i = 0; patterns && i < names->count; i++) {
		const struct name *name = &names->items[i].name;

		if (globs_match(patterns, name->handle) || globs_match(patterns, name_path(name).text))
			return true;
	}
	return !patterns;
}

static bool read_blob(struct rescan *rescan, struct anew *anew, struct err *err)
{
	static const atomic_bool never = false;
	const struct archive_limits none = {0}; /* it was kept within those of its time */
	AUTO_FD int fd = -1;
	bool read;

	if (!blobs_peek(rescan->tools->blobs, &anew->item.digest, &fd, err))
		return false;
	read = examination_run(paced_blob_init(&rescan->blob, fd, &never, &rescan->rate), anew->item.format,
		       &none, &anew->examination, err) &&
	       paced_blob_verify(&rescan->blob, &anew->item.digest, err);
	paced_blob_finish(&rescan->blob);
	return read;
}

/* *gone: it was removed meanwhile, and is nobody's fault. What is claimed and not there is. */
static bool examine(struct rescan *rescan, struct anew *anew, bool *gone, struct err *err)
{
	struct err why;
	bool claimed;

	*gone = false;
	if (read_blob(rescan, anew, &why))
		return true;
	if (!catalog_claims_blob(rescan->tools->catalog, &anew->item.digest, &claimed, err))
		return false;
	*gone = !claimed;
	examination_destroy(TAKE(anew->examination));
	if (claimed)
		tell_all(rescan, anew, RESCAN_UNREADABLE, why.text);
	return true;
}

static bool is_same(const struct safety_findings *findings, const struct safety_rows *rows)
{
	bool same = findings->count == rows->count;

	for (size_t i = 0; same && i < rows->count; i++) {
		const struct safety_finding *finding = &findings->items[i];
		const struct safety_rule *rule = &safety_rules[finding->rule];
		const struct safety_row *row = &rows->items[i];

		same = strcmp(row->rule, rule->name) == 0 &&
		       strcmp(row->severity, safety_severity_name(rule->severity)) == 0 &&
		       strcmp(row->where, finding->where) == 0 && strcmp(row->detail, finding->detail) == 0;
	}
	return same;
}

static bool compare(const struct rescan *rescan, struct anew *anew, struct err *err)
{
	AUTO(safety_rows_finish) struct safety_rows rows = {0};

	if (!catalog_find_safety(rescan->tools->catalog, &anew->item.digest, anew->item.format, &rows, err))
		return false;
	anew->changed = !is_same(&anew->examination->safety, &rows);
	return true;
}

/* ---- judging ---- */

/* What is here already cannot be refused any more: it is held back. */
static void judge(const struct rescan *rescan, struct anew *anew)
{
	anew->holds = mem_zero(anew->names.count + 1, sizeof *anew->holds);
	for (size_t i = 0; i < anew->names.count; i++) {
		const struct outdated_name *name = &anew->names.items[i];
		const struct safety_judgement judgement = safety_policy_judge(rescan->tools->policy,
			name->is_published, name->name.handle, &anew->examination->safety);
		struct late_hold *hold = &anew->holds[anew->hold_count];

		if (judgement.action < SAFETY_QUARANTINE)
			continue;
		hold->name = &name->name;
		hold->held = name->decision == HOLD_NONE;
		(void)snprintf(hold->reason, sizeof hold->reason, "%s", judgement.text);
		anew->hold_count++;
	}
}

/* On all nodes first. Where one of them had decided of it before, that is taken here; *held: nobody had. */
static bool hold_for_all(const struct rescan *rescan, const struct anew *anew, const struct late_hold *hold,
	bool *held, struct err *err)
{
	const struct rescan_tools *tools = rescan->tools;
	struct hold_entry holds[FORMAT_COUNT];
	bool found;

	*held = false;
	if (!hold->held)
		return true;
	if (!shared_holds_add(tools->vault, hold->name, &anew->item.digest, hold->reason, NULL, err) ||
		!shared_holds_take(tools->vault, tools->catalog, hold->name, err) ||
		!catalog_find_holds(tools->catalog, hold->name, holds, &found, err))
		return false;
	*held = found && holds[hold->name->format].decision == HOLD_HELD;
	return true;
}

/* What all nodes have as other bytes is held back here alone. */
static bool record(const struct rescan *rescan, struct anew *anew, struct err *err)
{
	AUTO_FREE bool *held = mem_zero(anew->hold_count + 1, sizeof *held);

	for (size_t i = 0; i < anew->hold_count && vault_is_shared(rescan->tools->vault); i++) {
		if (!hold_for_all(rescan, anew, &anew->holds[i], &held[i], err))
			return false;
	}
	if (!catalog_judge_anew(rescan->tools->catalog, &anew->item, &anew->examination->safety, anew->holds,
		    anew->hold_count, clock_now_s(), err))
		return false;
	for (size_t i = 0; i < anew->hold_count; i++)
		anew->holds[i].held = anew->holds[i].held || held[i];
	return true;
}

/* What is held back may be at hand in the daemon's memory, also where an earlier run came no further. Only
 * then it is done. */
static bool settle(const struct rescan *rescan, const struct anew *anew, struct err *err)
{
	for (size_t i = 0; i < anew->hold_count; i++) {
		if (!invalidation_send(rescan->tools->data_dir, name_path(anew->holds[i].name).text, err))
			return false;
	}
	return catalog_settle_outdated(rescan->tools->catalog, &anew->item, err);
}

/* An interruption waits until the daemon knows. */
static bool apply(const struct rescan *rescan, struct anew *anew, struct err *err)
{
	sigset_t all, before;
	bool done;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &before);
	done = record(rescan, anew, err) && settle(rescan, anew, err);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return done;
}

static bool rescan_one(struct rescan *rescan, const struct outdated *item, struct err *err)
{
	AUTO(anew_finish) struct anew anew = {.item = *item};
	bool gone;

	if (!catalog_list_outdated_names(rescan->tools->catalog, item, &anew.names, err))
		return false;
	if (!is_meant(rescan, &anew.names))
		return true;
	if (!examine(rescan, &anew, &gone, err))
		return false;
	if (gone || !anew.examination)
		return true;
	if (!compare(rescan, &anew, err))
		return false;
	judge(rescan, &anew);
	if (!rescan->order->dry_run && !apply(rescan, &anew, err))
		return false;
	tell_outcomes(rescan, &anew);
	return true;
}

bool rescan_run(const struct rescan_tools *tools, const struct rescan_order *order, struct err *err)
{
	AUTO_FREE struct rescan *rescan = mem_zero(1, sizeof *rescan);
	struct outdated item = {0};

	rescan->tools = tools;
	rescan->order = order;
	rescan->rate.bytes_per_s = order->bytes_per_s;
	for (;;) {
		if (!catalog_find_outdated(tools->catalog, &item, &item, err))
			return false;
		if (item.id == 0)
			return true;
		if (!rescan_one(rescan, &item, err))
			return false;
	}
}
