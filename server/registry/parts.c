/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/parts.h"

#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/tarball.h"
#include "server/registry/services.h"
#include "server/registry/space.h"
#include "server/store/blobs.h"

enum { BLOCK_BYTES = 256 << 10 };

/* A file, from its first byte in the draft on. */
struct part {
	const char *path;
	int64_t offset;
	int64_t size_bytes;
};

struct parts {
	struct publisher *publisher;
	struct space *space;
	struct upload *upload;
	struct spool *draft;
	struct claim claim;
	int64_t length;
	struct part list[PARTS_MAX];
	size_t count;
	bool unwanted; /* the upload says why */
};

AUTO_CLEANER(own_tarball, struct tarball *, tarball_destroy)

static void free_parts(struct parts *parts)
{
	spool_release(parts->draft);
	space_release(parts->space, &parts->claim);
	free(parts);
}

/* As uploads do: what is claimed by others is not waited for. */
static bool claim_space(struct parts *parts, int64_t length, struct err *err)
{
	parts->claim.unlimited = true;
	if (space_claim(parts->space, &parts->claim, length > 0 ? length : 1, err))
		return true;
	if (err->code == ERR_BUSY)
		err->code = ERR_NO_SPACE;
	return false;
}

bool parts_begin(const struct services *services, const struct name *name, const char *who, int64_t length,
	struct parts **out, struct err *err)
{
	struct parts *parts = mem_zero(1, sizeof *parts);
	const struct declaration declaration = {.length = length};

	parts->publisher = services->publisher;
	parts->space = services->space;
	if (!publisher_begin(services->publisher, name, who, &declaration, &parts->upload, err)) {
		free(parts);
		return false;
	}
	if (!claim_space(parts, length, err) || !blobs_begin(services->blobs, &parts->draft, err)) {
		parts_abort(parts);
		return false;
	}
	*out = parts;
	return true;
}

void parts_add(struct parts *parts, const char *path)
{
	if (parts->count == PARTS_MAX)
		abort();
	parts->list[parts->count++] = (struct part){path, parts->length, 0};
}

bool parts_write(struct parts *parts, const void *bytes, size_t length, struct err *err)
{
	int64_t grown = parts->length + (int64_t)length;

	if (!publisher_fits(parts->publisher, grown, err) ||
		!space_note_length(parts->space, &parts->claim, grown, err))
		return false;
	if (!spool_append(parts->draft, bytes, length, err) &&
		!(err->code == ERR_NO_SPACE && space_relieve(parts->space) &&
			spool_append(parts->draft, bytes, length, err)))
		return false;
	parts->length = grown;
	parts->list[parts->count - 1].size_bytes += (int64_t)length;
	return true;
}

/* ---- the archive ---- */

static bool pass_on(void *context, const void *bytes, size_t length, struct err *err)
{
	struct parts *parts = context;

	parts->unwanted = !upload_write(parts->upload, bytes, length);
	return !parts->unwanted || err_set(err, ERR_INTERNAL, "the upload wants no more");
}

static bool copy(const struct parts *parts, const struct part *part, struct tarball *tarball, struct err *err)
{
	AUTO_FREE char *block = mem_zero(1, BLOCK_BYTES);

	for (int64_t at = 0; at < part->size_bytes;) {
		int64_t left = part->size_bytes - at;
		size_t wanted = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
		size_t got;

		if (!file_read_at(spool_fd(parts->draft), block, wanted, part->offset + at, &got, err))
			return false;
		if (got < wanted)
			return err_set(err, ERR_INTERNAL, "a draft has become shorter");
		if (!tarball_write(tarball, block, got, err))
			return false;
		at += (int64_t)got;
	}
	return true;
}

static int compare_parts(const void *left, const void *right)
{
	return strcmp(((const struct part *)left)->path, ((const struct part *)right)->path);
}

static bool write_archive(struct parts *parts, struct err *err)
{
	const struct tarball_sink sink = {pass_on, parts};
	AUTO(own_tarball) struct tarball *tarball = tarball_create(&sink);

	qsort(parts->list, parts->count, sizeof *parts->list, compare_parts);
	for (size_t i = 0; i < parts->count; i++) {
		const struct part *part = &parts->list[i];

		if (!tarball_add_file(tarball, part->path, part->size_bytes, err) ||
			!copy(parts, part, tarball, err))
			return false;
	}
	return tarball_finish(tarball, err);
}

bool parts_finish(struct parts *parts, enum kept *out, struct examination **examination, struct err *err)
{
	bool done;

	*examination = NULL;
	if (!write_archive(parts, err) && !parts->unwanted) {
		parts_abort(parts);
		return false;
	}
	done = upload_finish(TAKE(parts->upload), out, examination, err);
	free_parts(parts);
	return done;
}

void parts_abort(struct parts *parts)
{
	upload_abort(TAKE(parts->upload));
	free_parts(parts);
}
