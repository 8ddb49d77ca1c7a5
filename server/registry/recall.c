/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/recall.h"

#include <stdatomic.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/log.h"
#include "server/metrics.h"
#include "server/registry/admission.h"
#include "server/registry/shared_holds.h"
#include "server/store/catalog/catalog_known.h"

enum { TRIES = 3, PAUSE_MS = 200 };

/* ---- what they have ---- */

/* Whoever asks next is answered here. */
static void note_gone(const struct fill_tools *tools, const struct name *name)
{
	struct err err;

	if (!committer_entomb(tools->committer, name, &err) && err.code != ERR_GONE)
		log_event(LOG_LEVEL_WARN, "a withdrawal is noted later", "name", name_path(name).text, "why",
			err.text, NULL);
}

static bool refuse_gone(const struct fill_tools *tools, const struct name *name, struct err *err)
{
	note_gone(tools, name);
	return version_check_state(name, STATE_WITHDRAWN, err);
}

static bool refuse_lacking(const struct name *name, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "%s was published, and not as %s", name_path(name).text,
		formats[name->format].name);
}

static enum recall check_admission(const struct fill_tools *tools, const struct name *name, struct err *err)
{
	struct known known;

	return catalog_look(tools->catalog, name, clock_now_s(), &known, err) &&
			       admission_check(tools->admission, &known, NULL, err)
		       ? RECALL_NOTHING
		       : RECALL_REFUSED;
}

/* Upstreams had it not, lately. Then one request tells whether another node has it by now, where three tell
 * why not. */
static bool is_known_absent(const struct fill_tools *tools, const struct name *name)
{
	struct known known;
	struct err ignored;

	return catalog_look(tools->catalog, name, clock_now_s(), &known, &ignored) &&
	       admission_view(tools->admission, &known).absent_until_s > 0;
}

enum recall recall_find(
	const struct fill_tools *tools, const struct name *name, struct identity *out, struct err *err)
{
	enum vault_standing standing;
	bool found;

	if (!vault_is_shared(tools->vault))
		return RECALL_NOTHING;
	if (is_known_absent(tools, name)) {
		if (!vault_describe(tools->vault, name, &found, out, err))
			return RECALL_REFUSED;
		if (!found)
			return check_admission(tools, name, err);
	}
	if (!vault_find(tools->vault, name, &standing, out, err))
		return RECALL_REFUSED;
	switch (standing) {
	case VAULT_RECORDED:
		return admission_check_source(tools->admission, name, out->source, err) &&
				       shared_holds_check(tools->vault, name, &out->checksums.sha256, err)
			       ? RECALL_FOUND
			       : RECALL_REFUSED;
	case VAULT_GONE:
		(void)refuse_gone(tools, name, err);
		return RECALL_REFUSED;
	case VAULT_LACKING:
		(void)refuse_lacking(name, err);
		return RECALL_REFUSED;
	default:
		return check_admission(tools, name, err);
	}
}

/* ---- their bytes ---- */

struct taking {
	struct intake *intake;
	struct fill_progress *progress;
	bool has_begun; /* the bucket has given some */
	struct err err; /* why the intake takes no more */
};

static bool take(void *context, const void *bytes, size_t length)
{
	struct taking *taking = context;

	taking->has_begun = true;
	return !atomic_load(&taking->progress->stop) &&
	       intake_body(taking->intake, bytes, length, &taking->err);
}

/* Clients have seen bytes that are not its own, so that they cannot have it whole from here. */
static bool begin_anew(struct intake *intake, struct err *err)
{
	struct err why = {0};

	if (intake_begin_anew(intake, &why))
		return true;
	if (why.code == ERR_NONE)
		(void)err_set(&why, ERR_UPSTREAM_FAILED,
			"what came of it first is not what the bucket has; try again");
	*err = why;
	return false;
}

/* What came of another node is gone on with. */
static bool prepare(const struct identity *identity, struct intake *intake, struct err *err)
{
	if (!intake_is_from(intake, INTAKE_NODES) || intake_bytes(intake) > identity->size_bytes)
		return begin_anew(intake, err);
	intake_begin_answer(intake);
	return true;
}

static bool begin(const struct identity *identity, struct intake *intake, struct err *err)
{
	struct answer head = {.status = 200, .range_first = -1, .range_total = -1};
	bool begun;

	if (!prepare(identity, intake, err))
		return false;
	head.length = identity->size_bytes - intake_bytes(intake);
	do
		begun = intake_head(intake, INTAKE_NODES, &head, err);
	while (!begun && intake_await_room(intake, err));
	return begun;
}

/* Goes on where an answer was cut off. */
static bool read_all(const struct fill_tools *tools, const struct identity *identity, struct taking *taking,
	struct err *err)
{
	const struct vault_receiver receiver = {take, taking};
	struct intake *intake = taking->intake;
	bool read = intake_bytes(intake) == identity->size_bytes;

	for (int i = 0; i < TRIES && !read; i++) {
		int64_t before = intake_bytes(intake);

		read = vault_read(tools->vault, &identity->checksums.sha256, before,
			identity->size_bytes - before, &receiver, err);
		if (!read && (err->code != ERR_STORE_UNAVAILABLE || intake_bytes(intake) == before))
			return false;
		if (!read)
			clock_sleep_ms(PAUSE_MS);
	}
	return read;
}

/* Nobody else has what somebody published. */
static enum recall tell_lost(const struct fill_tools *tools, const struct name *name,
	const struct identity *identity, struct err *err)
{
	log_event(LOG_LEVEL_ERROR, "the bucket has lost a module's bytes", "name", name_path(name).text,
		"format", formats[name->format].name, "sha256", identity->checksums.sha256.hex, NULL);
	if (identity->source == SOURCE_MIRRORED)
		return check_admission(tools, name, err);
	(void)err_set(err, ERR_UPSTREAM_FAILED,
		"the bucket has lost the bytes of %.200s (%s), which %.60s had published: put those with "
		"sha256:%s there again, by publishing them or from a copy of the bucket",
		name_path(name).text, formats[name->format].name, identity->who,
		identity->checksums.sha256.hex);
	return RECALL_REFUSED;
}

/* What comes next is asked for anew: what is here now may be of nothing that is still there. */
static enum recall end_absent(const struct fill_tools *tools, const struct name *name,
	const struct identity *identity, const struct taking *taking, struct err *err)
{
	if (!taking->has_begun)
		return tell_lost(tools, name, identity, err);
	(void)err_set(err, ERR_UPSTREAM_FAILED,
		"the bytes of %s went from the bucket while they were read; try again", name_path(name).text);
	return RECALL_REFUSED;
}

enum recall recall_take(const struct fill_tools *tools, const struct name *name,
	const struct identity *identity, struct intake *intake, struct fill_progress *progress,
	struct err *err)
{
	struct taking taking = {.intake = intake, .progress = progress};

	fill_progress_attempt(progress, "bucket");
	if (!begin(identity, intake, err))
		return RECALL_REFUSED;
	if (!read_all(tools, identity, &taking, err))
		return err->code == ERR_NOT_FOUND ? end_absent(tools, name, identity, &taking, err)
						  : RECALL_REFUSED;
	if (taking.err.code != ERR_NONE)
		*err = taking.err;
	return taking.err.code == ERR_NONE ? RECALL_FOUND : RECALL_REFUSED;
}

bool recall_compare(
	const struct fill_tools *tools, const struct name *name, const struct digest *digest, struct err *err)
{
	enum vault_standing standing;
	struct identity identity;

	if (!vault_is_shared(tools->vault))
		return true;
	if (!vault_find(tools->vault, name, &standing, &identity, err))
		return false;
	if (standing == VAULT_GONE)
		return refuse_gone(tools, name, err);
	if (standing == VAULT_LACKING)
		return refuse_lacking(name, err);
	return standing != VAULT_RECORDED || digest_equal(&identity.checksums.sha256, digest) ||
	       err_set(err, ERR_QUARANTINED,
		       "upstream has other bytes of %s (sha256:%.12s…) than was kept (sha256:%.12s…)",
		       name_path(name).text, digest->hex, identity.checksums.sha256.hex);
}

bool recall_confirm(const struct fill_tools *tools, const struct name *name, struct err *err)
{
	enum vault_standing standing;
	struct identity ignored;

	return vault_find(tools->vault, name, &standing, &ignored, err) &&
	       (standing != VAULT_GONE || refuse_gone(tools, name, err));
}

bool recall_check(const struct name *name, const struct identity *identity,
	const struct inspection *inspection, struct err *err)
{
	if (inspection->whole && digest_equal(&inspection->checksums.sha256, &identity->checksums.sha256))
		return true;
	if (!inspection->whole && inspection->examination)
		return err_set(err, ERR_UPSTREAM_FAILED,
			"what the bucket has as %s breaks a rule, and was not taken to its end",
			name_path(name).text);
	return err_set(err, ERR_UPSTREAM_FAILED,
		"what the bucket has as %s is not what was kept: it should have sha256:%s, and has sha256:%s",
		name_path(name).text, identity->checksums.sha256.hex, inspection->checksums.sha256.hex);
}
