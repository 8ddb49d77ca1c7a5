/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/intake.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/metrics.h"
#include "server/module/violations.h"
#include "server/registry/fill_tools.h"
#include "server/registry/proof.h"

enum { CHECKPOINT_BYTES_MIN = 1 << 20 };

/* In pass-through: what is written at once, and how long a reader may stand still while all wait for room. */
enum { SLICE_BYTES = 64 << 10, READER_STALL_MS = 30 * 1000, LOOK_EVERY_MS = 20 };

struct intake {
	const struct fill_tools *tools;
	const struct name *name;
	struct spool *spool;
	struct fill_progress *progress;

	struct object object;       /* whose bytes the spool holds, */
	struct testimony testimony; /* … what upstream has said of them, */
	char coding[64];            /* … their Content-Encoding; "" without one, */
	bool was_packed;            /* … and came as a plain tar; */
	bool certain;               /* … that they are all as soon as no more come, */
	size_t source;              /* … and the upstream that gave them */
	int64_t length;             /* bytes in the spool */
	bool unproved; /* an earlier process's bytes, and upstream has not said yet that it has the rest */
	bool full;     /* room ran out in the middle of the last answer */
	bool pass_through; /* there is room for a part at a time only */
	bool until_close;  /* nothing but the connection's end says that the bytes are all */

	struct inspector *inspector;
	struct checkpoint *checkpoint;
	struct claim claim;
	int64_t crowded_bytes; /* for so many there was no room beside other fills */
};

struct intake *intake_create(const struct fill_tools *tools, const struct name *name, struct spool *spool,
	struct fill_progress *progress)
{
	struct intake *intake = mem_zero(1, sizeof *intake);

	intake->tools = tools;
	intake->name = name;
	intake->spool = spool;
	intake->progress = progress;
	intake->object.length = -1;
	return intake;
}

void intake_destroy(struct intake *intake)
{
	if (!intake)
		return;
	inspector_destroy(intake->inspector);
	space_release(intake->tools->space, &intake->claim);
	free(intake);
}

/* ---- what it has ---- */

int64_t intake_bytes(const struct intake *intake)
{
	return intake->length;
}

const struct object *intake_object(const struct intake *intake)
{
	return &intake->object;
}

bool intake_is_whole(const struct intake *intake)
{
	return intake->length > 0 && intake->length == intake->object.length;
}

bool intake_is_short(const struct intake *intake)
{
	return intake->object.length >= 0 && intake->length < intake->object.length &&
	       !inspector_has_given_up(intake->inspector);
}

bool intake_can_resume(const struct intake *intake)
{
	return intake->length > 0 && object_validator(&intake->object);
}

size_t intake_source(const struct intake *intake, size_t none)
{
	return intake_can_resume(intake) ? intake->source : none;
}

bool intake_is_from(const struct intake *intake, size_t upstream)
{
	return intake->length > 0 && intake->source == upstream;
}

bool intake_is_unproved(const struct intake *intake)
{
	return intake->unproved;
}

bool intake_is_draft_of_another(const struct intake *intake, size_t upstream)
{
	return intake->unproved && intake->source != upstream;
}

bool intake_has_run_full(const struct intake *intake)
{
	return intake->full;
}

bool intake_passes_through(const struct intake *intake)
{
	return intake->pass_through;
}

/* ---- what answers bring ---- */

/* Never waits for the room that others have: the upstream's turn would be held meanwhile. */
static bool claim_room(struct intake *intake, int64_t more, struct err *err)
{
	struct space *space = intake->tools->space;
	int64_t whole;

	if (__builtin_add_overflow(intake->length, more > 0 ? more : 1, &whole))
		whole = INT64_MAX;
	if (space_claim(space, &intake->claim, whole, err))
		return space_note_length(space, &intake->claim, intake->length, err);
	intake->crowded_bytes = err->code == ERR_BUSY ? whole : 0;
	return false;
}

static void note_progress(struct intake *intake, int64_t length)
{
	intake->length = length;
	fill_progress_bytes(intake->progress, length, clock_monotonic_ms());
	if (intake->checkpoint)
		checkpoint_advance(intake->checkpoint, length);
}

/* What another process could prove to be the same object is worth a checkpoint, unless it is soon fetched
 * anew.
 */
static void open_checkpoint(struct intake *intake)
{
	const struct fill_tools *tools = intake->tools;

	if (object_validator(&intake->object) && intake->object.length >= CHECKPOINT_BYTES_MIN)
		intake->checkpoint = checkpoint_open(tools->checkpoints, intake->spool, intake->name,
			tools->settings.upstreams[intake->source].name, &intake->object);
}

static void begin_object(struct intake *intake, size_t upstream, const struct answer *answer)
{
	intake->object = object_of_answer(answer);
	intake->testimony.count = 0;
	(void)snprintf(intake->coding, sizeof intake->coding, "%s", answer->content_encoding);
	object_distrust_date(&intake->object, clock_now_s());
	intake->was_packed = answer->was_packed;
	intake->source = upstream;
	open_checkpoint(intake);
}

void intake_begin_answer(struct intake *intake)
{
	intake->full = false;
	/* What was noted of an object that has not brought a byte. */
	if (intake->length == 0)
		checkpoint_close(TAKE(intake->checkpoint), false);
}

void intake_prove(struct intake *intake)
{
	intake->unproved = false;
	spool_reveal(intake->spool);
}

bool intake_head(struct intake *intake, size_t upstream, const struct answer *answer, struct err *err)
{
	if (!intake->pass_through && !claim_room(intake, answer->length, err))
		return false;
	if (intake->length == 0)
		begin_object(intake, upstream, answer);
	else if (intake->unproved)
		intake_prove(intake);
	intake->until_close = answer->until_close && intake->object.length < 0 && answer->range_total < 0;
	testimony_add(&intake->testimony, &answer->testimony);
	if (intake->inspector)
		inspector_want(intake->inspector, testimony_wanted(&intake->testimony));
	intake->certain = !answer->until_close && answer->status != 202;
	fill_progress_told(intake->progress, intake->object.length);
	spool_expect(intake->spool, intake->object.length);
	return true;
}

/* Others may fill the disk as well: what may go then makes room for one more try. */
static bool append(struct intake *intake, const void *bytes, size_t length, struct err *err)
{
	struct space *space = intake->tools->space;

	if (!space_note_length(space, &intake->claim, intake->length + (int64_t)length, err))
		return false;
	return spool_append(intake->spool, bytes, length, err) ||
	       (err->code == ERR_NO_SPACE && space_relieve(space) &&
		       spool_append(intake->spool, bytes, length, err));
}

static bool append_pass_through(struct intake *intake, const void *bytes, size_t length, struct err *err)
{
	int64_t window = intake->length - spool_give_back(intake->spool);

	if (spool_readers(intake->spool) == 0)
		return err_set(err, ERR_NO_SPACE, "there is no room for it, and nobody waits any more");
	return space_note_length(intake->tools->space, &intake->claim, window + (int64_t)length, err) &&
	       spool_append(intake->spool, bytes, length, err);
}

/* What of the piece did not fit is asked for again. */
static bool take_slices(struct intake *intake, const char *bytes, size_t length, struct err *err)
{
	for (size_t at = 0; at < length; at += SLICE_BYTES) {
		size_t slice = length - at < SLICE_BYTES ? length - at : SLICE_BYTES;

		if (!append_pass_through(intake, bytes + at, slice, err))
			return false;
		note_progress(intake, intake->length + (int64_t)slice);
	}
	return true;
}

static bool take_whole(struct intake *intake, const char *bytes, size_t length, struct err *err)
{
	if (!append(intake, bytes, length, err))
		return false;
	note_progress(intake, intake->length + (int64_t)length);
	return true;
}

bool intake_body(struct intake *intake, const void *bytes, size_t length, struct err *err)
{
	if (inspector_has_given_up(intake->inspector))
		return false;
	if (intake->pass_through ? take_slices(intake, bytes, length, err)
				 : take_whole(intake, bytes, length, err))
		return true;
	intake->full = err->code == ERR_NO_SPACE;
	return false;
}

bool intake_await_room(struct intake *intake, struct err *err)
{
	int64_t wanted = intake->crowded_bytes;

	intake->crowded_bytes = 0;
	return wanted > 0 &&
	       space_await(intake->tools->space, &intake->claim, wanted, &intake->progress->stop, err);
}

/* ---- no room for the whole ---- */

/* Only where clients wait for the rest, and upstream can prove to have it. */
static bool begin_pass_through(struct intake *intake, const struct err *why)
{
	if (!intake_can_resume(intake) || spool_readers(intake->spool) == 0 ||
		!spool_pass_through(intake->spool, why))
		return false;
	intake->pass_through = true;
	checkpoint_close(TAKE(intake->checkpoint), false);
	log_event(LOG_LEVEL_WARN, "no room: a fill goes on in pass-through", "name",
		name_path(intake->name).text, "format", formats[intake->name->format].name, "why", why->text,
		NULL);
	return true;
}

/* How far all must have read for enough of the window to be given back, or for there to be nothing to wait
 * for. */
static int64_t wanted_progress(const struct intake *intake, int64_t gone)
{
	int64_t half = gone + (intake->length - gone) / 2;
	int64_t some = gone + SPOOL_GIVE_BACK_STEP;
	int64_t all = intake->length - SPOOL_HELD_BACK;
	int64_t wanted = half > some ? half : some;

	return wanted < all ? wanted : all;
}

/* Who does not move at all is left behind. */
static bool await_readers(struct intake *intake)
{
	struct spool *spool = intake->spool;
	int64_t wanted = wanted_progress(intake, spool_give_back(spool));
	int64_t slowest = spool_slowest(spool);
	int64_t moved_ms = clock_monotonic_ms();

	while (slowest < wanted && !atomic_load(&intake->progress->stop) && spool_readers(spool) > 0) {
		int64_t before = slowest;

		clock_sleep_ms(LOOK_EVERY_MS);
		(void)spool_give_back(spool);
		slowest = spool_slowest(spool);
		if (slowest > before)
			moved_ms = clock_monotonic_ms();
		else if (clock_monotonic_ms() - moved_ms > READER_STALL_MS && !spool_cut_slowest(spool))
			return false;
	}
	(void)spool_give_back(spool);
	return slowest >= wanted && spool_readers(spool) > 0;
}

bool intake_pass_through(struct intake *intake, const struct err *why)
{
	return (intake->pass_through || begin_pass_through(intake, why)) && await_readers(intake);
}

/* ---- between answers ---- */

/* Has an inspector read along; true where one does. */
static bool inspect(struct intake *intake, struct err *err)
{
	if (!intake->inspector &&
		!inspector_start(intake->spool, intake->name->format, &intake->tools->settings.limits,
			committer_places(intake->tools->committer), &intake->inspector, err))
		return false;
	/* What is told already of what an earlier process left. */
	inspector_want(intake->inspector, testimony_wanted(&intake->testimony));
	return true;
}

bool intake_begin_anew(struct intake *intake, struct err *err)
{
	spool_complete(intake->spool);
	inspector_destroy(TAKE(intake->inspector));
	if (!spool_restart(intake->spool))
		return false;
	checkpoint_close(TAKE(intake->checkpoint), false);
	intake->unproved = false;
	note_progress(intake, 0);
	intake->object = (struct object){.length = -1};
	intake->testimony.count = 0;
	return inspect(intake, err);
}

bool intake_prepare(struct intake *intake, size_t upstream, struct err *err)
{
	if (intake_can_resume(intake) && intake->source == upstream)
		return inspect(intake, err);
	return (intake->inspector && intake->length == 0) || intake_begin_anew(intake, err);
}

void intake_vouch(struct intake *intake, size_t upstream, const struct object *object)
{
	intake->source = upstream;
	intake->object = *object;
	object_distrust_date(&intake->object, clock_now_s());
	testimony_read(&intake->testimony, "ETag", strlen("ETag"), intake->object.etag);
	open_checkpoint(intake);
	if (intake->checkpoint)
		checkpoint_advance(intake->checkpoint, intake->length);
	fill_progress_told(intake->progress, intake->object.length);
}

bool intake_lose_source(struct intake *intake, size_t upstream)
{
	bool lost = intake->source == upstream;

	intake->unproved = intake->unproved && !lost;
	return lost;
}

static void fill_object(struct object *object, const struct fill_row *row)
{
	object->length = row->total_bytes;
	(void)snprintf(object->etag, sizeof object->etag, "%s", row->etag);
	(void)snprintf(object->last_modified, sizeof object->last_modified, "%s", row->last_modified);
}

void intake_take_up(struct intake *intake, const struct fill_row *row)
{
	const struct fill_tools *tools = intake->tools;
	const struct fill_settings *settings = &tools->settings;

	checkpoints_settle(tools->checkpoints, intake->name);
	space_adopt(tools->space, &intake->claim, row->durable_bytes);
	for (size_t i = 0; i < settings->upstream_count; i++) {
		if (strcmp(settings->upstreams[i].name, row->upstream) != 0)
			continue;
		intake->source = i;
		fill_object(&intake->object, row);
		testimony_read(&intake->testimony, "ETag", strlen("ETag"), intake->object.etag);
		intake->checkpoint = checkpoint_open(
			tools->checkpoints, intake->spool, intake->name, row->upstream, &intake->object);
		note_progress(intake, row->durable_bytes);
		intake->unproved = true;
		fill_progress_total(intake->progress, row->total_bytes);
		metric_add(METRIC_FILLS_CONTINUED, 1);
	}
}

/* ---- all bytes are there ---- */

bool intake_conclude(struct intake *intake, struct inspection *out, struct err *err)
{
	spool_complete(intake->spool);
	if (!inspector_wait(intake->inspector, out, err))
		return false;
	inspector_destroy(TAKE(intake->inspector));
	return true;
}

/* In pass-through, most of the bytes are gone. */
bool intake_is_as_told(const struct intake *intake, const struct inspection *inspection, struct err *err)
{
	int fd = intake->pass_through ? -1 : spool_fd(intake->spool);

	return !inspection->whole ||
	       proof_check(&intake->testimony, &inspection->sums, inspection->size_bytes, fd, err);
}

bool intake_is_certain(const struct intake *intake, const struct inspection *inspection)
{
	return intake->length > 0 && (intake->certain || !inspection->whole);
}

/* What upstream told of the bytes has held, so that there are no more of them. */
static bool is_proved(const struct intake *intake)
{
	return intake->testimony.count > 0 && !intake->pass_through;
}

/* The gzip that was put around a plain tar is whole in any case: only the tar's own end proves anything. */
static bool is_proved_by_its_end(const struct intake *intake, const struct examination *examination)
{
	return examination->has_proved_end &&
	       !(intake->was_packed && examination_breaks(examination, RULE_TAR_END_MISSING));
}

bool intake_may_be_cut(const struct intake *intake, const struct examination *examination, struct err *err)
{
	if (is_proved(intake) || !intake->until_close || is_proved_by_its_end(intake, examination))
		return false;
	(void)err_set(err, ERR_UPSTREAM_FAILED,
		"it sent bytes without a length until the connection ended, and nothing in them shows that "
		"they are whole; have it send Content-Length, or chunks");
	return true;
}

void intake_explain(const struct intake *intake, struct err *err)
{
	if (intake->coding[0])
		(void)err_prefix(err, "with Content-Encoding: %s ", intake->coding);
}

void intake_warn(const struct intake *intake, struct examination *examination)
{
	if (intake->was_packed)
		violations_add(examination, RULE_GZIP_MISSING, "",
			"Upstream sent a plain tar: the store, or a proxy before it, takes the gzip off%s%s. "
			"It was packed again here, without compression; have it send the file as it is "
			"stored.",
			intake->coding[0] ? " and tells Content-Encoding: " : "", intake->coding);
}

void intake_disown(struct intake *intake)
{
	intake->object = (struct object){.length = -1};
}

void intake_end(struct intake *intake, bool stays)
{
	/* There is nothing to go on with where nothing came, or nobody could tell that it is the same. */
	stays = stays && intake->checkpoint && intake->length > 0;
	if (stays)
		spool_leave_draft(intake->spool);
	checkpoint_close(TAKE(intake->checkpoint), stays);
}
