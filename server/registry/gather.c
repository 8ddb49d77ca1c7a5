/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/gather.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/utf8.h"
#include "server/module/archives/guess.h"
#include "server/module/archives/membername.h"
#include "server/module/formats/manifest.h"
#include "server/registry/fill_tools.h"
#include "server/registry/pieces.h"
#include "server/registry/proof.h"

/* Each folder costs a head in the archive, which its slash alone does not. */
enum { FOLDER_DEPTH_MAX = 16 };

struct gather {
	struct fetch fetch;
	struct intake *intake;
	struct spool *draft; /* NULL before the first file */
	struct claim claim;
	int64_t crowded_bytes; /* for so many there was no room beside other fills */
	struct pieces pieces;
	struct manifest *manifest;
	bool is_doubtful; /* some of it ended with the connection, and may have been cut */

	/* Of the last piece. */
	bool is_open;       /* it is not whole yet */
	int64_t most_bytes; /* that it may have */
	struct object object;
	struct testimony testimony;
	char coding[64];
	bool until_close;
};

static const char model_json[] = "model.json";
static const struct object nothing = {.length = -1};

static struct piece *last_of(const struct gather *gather)
{
	return &gather->pieces.items[gather->pieces.count - 1];
}

static int64_t length_of(const struct gather *gather)
{
	return gather->pieces.count > 0 ? last_of(gather)->offset + last_of(gather)->size_bytes : 0;
}

/* ---- on the client's thread ---- */

static bool fits(const struct gather *gather, int64_t more, struct err *err)
{
	return more <= gather->most_bytes - last_of(gather)->size_bytes ||
	       err_set(err, ERR_UPSTREAM_FAILED, "it has more bytes than it may have");
}

/* As the intake does: the room that others have is waited for on the fill's own thread. */
static bool claim_room(struct gather *gather, int64_t more, struct err *err)
{
	int64_t whole = length_of(gather) + (more > 0 ? more : 1);

	if (space_claim(gather->fetch.tools->space, &gather->claim, whole, err))
		return true;
	gather->crowded_bytes = err->code == ERR_BUSY ? whole : 0;
	return false;
}

static bool take_head(void *context, const struct answer *answer, struct err *err)
{
	struct gather *gather = context;

	if (gather->fetch.offset == 0) {
		gather->object = object_of_answer(answer);
		object_distrust_date(&gather->object, clock_now_s());
		gather->testimony.count = 0;
		(void)snprintf(gather->coding, sizeof gather->coding, "%s", answer->content_encoding);
	}
	testimony_add(&gather->testimony, &answer->testimony);
	gather->until_close = answer->until_close && gather->object.length < 0 && answer->range_total < 0;
	return fits(gather, answer->length, err) && claim_room(gather, answer->length, err);
}

static bool append(struct gather *gather, const void *bytes, size_t length, struct err *err)
{
	struct space *space = gather->fetch.tools->space;

	return spool_append(gather->draft, bytes, length, err) ||
	       (err->code == ERR_NO_SPACE && space_relieve(space) &&
		       spool_append(gather->draft, bytes, length, err));
}

static bool take_body(void *context, const void *bytes, size_t length, struct err *err)
{
	struct gather *gather = context;
	struct space *space = gather->fetch.tools->space;

	if (!fits(gather, (int64_t)length, err) ||
		!space_note_length(space, &gather->claim, length_of(gather) + (int64_t)length, err) ||
		!append(gather, bytes, length, err))
		return false;
	last_of(gather)->size_bytes += (int64_t)length;
	fill_progress_bytes(gather->fetch.progress, length_of(gather), clock_monotonic_ms());
	return true;
}

/* ---- one file ---- */

static void open_file(struct gather *gather, const char *path)
{
	(void)pieces_add(&gather->pieces, path, length_of(gather));
	gather->is_open = true;
	gather->object = nothing;
}

/* What cannot be gone on with is no part of the file. */
static bool drop(struct gather *gather, struct err *err)
{
	struct piece *file = last_of(gather);

	gather->object = nothing;
	file->size_bytes = 0;
	return spool_shorten(gather->draft, file->offset) ||
	       err_set(err, ERR_INTERNAL, "a draft cannot be shortened");
}

static bool await_room(struct gather *gather, struct err *err)
{
	int64_t wanted = gather->crowded_bytes;

	gather->crowded_bytes = 0;
	return wanted > 0 && space_await(gather->fetch.tools->space, &gather->claim, wanted,
				     &gather->fetch.progress->stop, err);
}

static enum verdict bring(struct gather *gather, struct err *err)
{
	struct piece *file = last_of(gather);
	enum verdict verdict;

	if (file->size_bytes > 0 && !object_validator(&gather->object) && !drop(gather, err))
		return VERDICT_FATAL;
	gather->fetch.member = file->path;
	gather->fetch.offset = file->size_bytes;
	do
		verdict = fetch_run(&gather->fetch, err);
	while (verdict == VERDICT_FATAL && await_room(gather, err));
	return verdict;
}

/* All has come of it: what was told of its bytes must be true. */
static enum verdict close_file(struct gather *gather, struct err *err)
{
	const struct piece *file = last_of(gather);

	if (gather->object.length >= 0 && file->size_bytes < gather->object.length) {
		(void)fetch_refuse_short(err);
		return VERDICT_BROKEN;
	}
	if (!proof_check_part(
		    &gather->testimony, file->offset, file->size_bytes, spool_fd(gather->draft), err))
		return drop(gather, err) ? VERDICT_FAILED : VERDICT_FATAL;
	gather->is_open = false;
	gather->is_doubtful |= gather->until_close && gather->testimony.count == 0;
	return VERDICT_TAKE;
}

/* A file that is too large is this upstream's fault, and no reason not to ask another. */
static enum verdict judge(struct gather *gather, enum verdict verdict, struct err *err)
{
	if (verdict == VERDICT_TAKE)
		return close_file(gather, err);
	if (verdict == VERDICT_RESTART) {
		(void)err_set(err, ERR_UPSTREAM_FAILED, "it could not send the rest");
		return drop(gather, err) ? VERDICT_BROKEN : VERDICT_FATAL;
	}
	return verdict == VERDICT_FATAL && err->code == ERR_UPSTREAM_FAILED ? VERDICT_REFUSED : verdict;
}

/* Once it is here it is not asked for again. */
static enum verdict fetch_file(struct gather *gather, const char *path, int64_t most_bytes, struct err *err)
{
	const struct piece *here = pieces_find(&gather->pieces, path);
	enum verdict verdict;

	if (here && !(gather->is_open && here == last_of(gather)))
		return VERDICT_TAKE;
	if (!here)
		open_file(gather, path);
	gather->most_bytes = most_bytes;
	verdict = judge(gather, bring(gather, err), err);
	if (verdict != VERDICT_TAKE && verdict != VERDICT_ABSENT)
		(void)err_prefix(err, "%.100s: ", path);
	return verdict;
}

/* ---- what model.json names ---- */

static enum verdict refuse(struct err *err, const char *sentence, const char *path)
{
	(void)err_set(err, ERR_UPSTREAM_FAILED, "it has the module as single files, but %s%s%.100s", sentence,
		path ? ": " : "", path ? path : "");
	return VERDICT_REFUSED;
}

/* Names that lead nowhere else, and stand for themselves in URLs. */
static bool may_be_named(const char *path)
{
	size_t depth = 0;

	for (const char *c = path; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f || strchr("%#?\\:", *c))
			return false;
		depth += *c == '/';
	}
	return path[0] && path[0] != '.' && !strstr(path, "/.") && depth <= FOLDER_DEPTH_MAX &&
	       strlen(path) <= MEMBERNAME_MAX && utf8_is_text(path, strlen(path));
}

static bool path_of(const char *name, char out[ARCHIVE_NAME_MAX + 1])
{
	if (strlen(name) > ARCHIVE_NAME_MAX || name[0] == '/')
		return false;
	membername_normalise(name, out);
	return may_be_named(out);
}

static enum verdict check_group(
	const struct manifest *manifest, const struct manifest_group *group, struct err *err)
{
	const char *name = buffer_string(&manifest->names) + group->names_at;
	char path[ARCHIVE_NAME_MAX + 1];

	if (group->declared == DECLARED_NONSENSE)
		return refuse(err,
			"a group of model.json's weightsManifest lacks paths, or weights with shape and "
			"dtype",
			NULL);
	for (size_t i = 0; i < group->name_count; i++, name += strlen(name) + 1) {
		if (!path_of(name, path))
			return refuse(err, "a shard has a name that none can have", name);
	}
	return VERDICT_TAKE;
}

/* Before the first shard is asked for. */
static enum verdict check_manifest(const struct gather *gather, struct err *err)
{
	const struct manifest *manifest = gather->manifest;
	enum verdict verdict = VERDICT_TAKE;
	size_t count = 1;

	if (!manifest->has_weights ? !manifest->has_topology : !manifest->is_array)
		return refuse(err, "model.json has no weightsManifest", NULL);
	for (size_t i = 0; i < manifest->group_count; i++) {
		count += manifest->groups[i].name_count;
		if (count > GATHER_FILES_MAX)
			return refuse(err, "model.json names more shards than any model has", NULL);
	}
	for (size_t i = 0; i < manifest->group_count && verdict == VERDICT_TAKE; i++)
		verdict = check_group(manifest, &manifest->groups[i], err);
	return verdict;
}

static enum verdict read_manifest(struct gather *gather, struct err *err)
{
	AUTO_FREE struct file_stream *file = mem_zero(1, sizeof *file);
	struct stream *stream = file_stream_init(file, spool_fd(gather->draft));

	if (gather->manifest)
		return VERDICT_TAKE;
	if (manifest_read(stream, &gather->manifest, err))
		return check_manifest(gather, err);
	if (gather->coding[0])
		(void)err_prefix(err, "with Content-Encoding: %s ", gather->coding);
	(void)err_prefix(err, "it answered with something that is no module: model.json: ");
	err->code = ERR_UPSTREAM_FAILED;
	return gather->is_doubtful ? VERDICT_FAILED : VERDICT_REFUSED;
}

/* ---- all of them ---- */

/* What no declared size shows to be whole needs the transport's word for it. */
static enum verdict check_end(
	const struct gather *gather, const struct manifest_group *group, struct err *err)
{
	if (group->declared == DECLARED_SIZE || !gather->until_close || gather->testimony.count > 0)
		return VERDICT_TAKE;
	return refuse(err,
		"it sent a shard without a length until the connection ended, and nothing shows that it is "
		"whole; have it send Content-Length, or chunks",
		last_of(gather)->path);
}

static enum verdict fetch_shard(struct gather *gather, const struct manifest_group *group, const char *path,
	int64_t most_bytes, struct err *err)
{
	bool is_asked = gather->is_open || !pieces_find(&gather->pieces, path);
	enum verdict verdict = fetch_file(gather, path, most_bytes, err);

	if (verdict == VERDICT_ABSENT)
		return refuse(err, "it lacks a shard", path);
	return verdict == VERDICT_TAKE && is_asked ? check_end(gather, group, err) : verdict;
}

/* No more comes than the weights are declared to have, nor than one module may have. */
static enum verdict fetch_group(struct gather *gather, const struct manifest_group *group, struct err *err)
{
	const char *name = buffer_string(&gather->manifest->names) + group->names_at;
	int64_t limit = gather->fetch.tools->settings.limits.max_unpacked_bytes;
	int64_t left = group->declared == DECLARED_SIZE ? group->declared_bytes : INT64_MAX;
	enum verdict verdict = VERDICT_TAKE;
	char path[ARCHIVE_NAME_MAX + 1];

	for (size_t i = 0; i < group->name_count && verdict == VERDICT_TAKE; i++, name += strlen(name) + 1) {
		int64_t room = limit - length_of(gather);

		if (gather->is_open)
			room += last_of(gather)->size_bytes;
		(void)path_of(name, path);
		verdict = fetch_shard(gather, group, path, left < room ? left : room, err);
		if (verdict == VERDICT_TAKE)
			left -= pieces_find(&gather->pieces, path)->size_bytes;
	}
	if (verdict != VERDICT_TAKE || group->declared != DECLARED_SIZE || left == 0)
		return verdict;
	(void)refuse(err, "the shards have fewer bytes than their weights are declared to have", NULL);
	return gather->is_doubtful ? VERDICT_FAILED : VERDICT_REFUSED;
}

static enum verdict fetch_all(struct gather *gather, struct err *err)
{
	enum verdict verdict = fetch_file(gather, model_json, MANIFEST_JSON_BYTES_MAX, err);

	if (verdict == VERDICT_TAKE)
		verdict = read_manifest(gather, err);
	for (size_t i = 0; verdict == VERDICT_TAKE && i < gather->manifest->group_count; i++)
		verdict = fetch_group(gather, &gather->manifest->groups[i], err);
	return verdict;
}

/* ---- the archive ---- */

static bool pass_on(void *context, const void *bytes, size_t length, struct err *err)
{
	struct gather *gather = context;

	return intake_body(gather->intake, bytes, length, err);
}

/* Where the inspector wants no more, it says why. */
static enum verdict assemble(struct gather *gather, struct err *err)
{
	const struct answer answer = {.status = 200, .length = -1, .range_first = -1, .range_total = -1};
	const struct tarball_sink sink = {pass_on, gather};

	*err = (struct err){0};
	while (!intake_head(gather->intake, gather->fetch.upstream, &answer, err)) {
		if (!intake_await_room(gather->intake, err))
			return VERDICT_FATAL;
	}
	return pieces_write(&gather->pieces, spool_fd(gather->draft), &sink, err) || err->code == ERR_NONE
		       ? VERDICT_TAKE
		       : VERDICT_FATAL;
}

/* ---- from the outside ---- */

bool gather_is_possible(const struct fetch *archive, enum verdict verdict)
{
	return (verdict == VERDICT_ABSENT || verdict == VERDICT_HIDDEN) &&
	       archive->name->format == FORMAT_TFJS &&
	       upstream_has_files(&archive->tools->settings.upstreams[archive->upstream]);
}

struct fetch gather_first(const struct fetch *archive)
{
	struct fetch fetch = *archive;

	fetch.member = model_json;
	fetch.offset = 0;
	fetch.object = &nothing;
	return fetch;
}

struct gather *gather_create(const struct fetch *archive, struct intake *intake)
{
	struct gather *gather = mem_zero(1, sizeof *gather);

	gather->fetch = gather_first(archive);
	gather->fetch.object = &gather->object;
	gather->fetch.head = take_head;
	gather->fetch.body = take_body;
	gather->fetch.context = gather;
	gather->intake = intake;
	return gather;
}

void gather_destroy(struct gather *gather)
{
	if (!gather)
		return;
	spool_release(gather->draft);
	space_release(gather->fetch.tools->space, &gather->claim);
	manifest_destroy(gather->manifest);
	pieces_finish(&gather->pieces);
	free(gather);
}

bool gather_is_from(const struct gather *gather, size_t upstream)
{
	return gather && gather->fetch.upstream == upstream;
}

int64_t gather_bytes(const struct gather *gather)
{
	if (!gather || gather->pieces.count == 0)
		return 0;
	return gather->is_open && !object_validator(&gather->object) ? last_of(gather)->offset
								     : length_of(gather);
}

/* What may have been cut is not gone on with. */
static bool begin_anew(struct gather *gather, struct err *err)
{
	pieces_finish(&gather->pieces);
	manifest_destroy(TAKE(gather->manifest));
	gather->is_open = gather->is_doubtful = false;
	return spool_restart(gather->draft) || err_set(err, ERR_INTERNAL, "a draft cannot be begun anew");
}

enum verdict gather_run(struct gather *gather, struct err *err)
{
	enum verdict verdict;

	if (!gather->draft && !blobs_begin(gather->fetch.tools->blobs, &gather->draft, err))
		return VERDICT_FATAL;
	verdict = fetch_all(gather, err);
	if (verdict == VERDICT_FAILED && gather->is_doubtful && !begin_anew(gather, err))
		return VERDICT_FATAL;
	return verdict == VERDICT_TAKE ? assemble(gather, err) : verdict;
}
