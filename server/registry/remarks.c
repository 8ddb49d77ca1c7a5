/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/remarks.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/mem.h"

/* As they lie in the file, one behind the other; what is at no such place is none. */
enum { MARK = 0x52454d4b };

/* Only the first bytes of what is longer than anything that is told. After so many it is looked how much room
 * there is. */
enum { TEXT_MAX = 4096, TEXTS = 3, LOOK_EACH = 1 << 12 };

struct row {
	uint32_t mark;
	uint16_t kind;
	uint16_t lengths[TEXTS]; /* of name, format and detail; the format's is 0 where there is none */
};

struct remarks {
	atomic_uint users;
	int fd;
	const struct scratch_place *scratch;
	_Atomic int64_t length_bytes; /* of what can be read */
	atomic_size_t count, kept;
	bool is_full;
};

bool remarks_create(const struct scratch_place *scratch, struct remarks **out, struct err *err)
{
	AUTO_REMARKS struct remarks *remarks = mem_zero(1, sizeof *remarks);

	atomic_init(&remarks->users, 1);
	remarks->scratch = scratch;
	remarks->fd = -1;
	if (!scratch_open(scratch->folder, &remarks->fd, err))
		return false;
	*out = TAKE(remarks);
	return true;
}

struct remarks *remarks_share(struct remarks *remarks)
{
	if (remarks)
		atomic_fetch_add(&remarks->users, 1);
	return remarks;
}

void remarks_release(struct remarks *remarks)
{
	if (!remarks || atomic_fetch_sub(&remarks->users, 1) > 1)
		return;
	own_close(&remarks->fd);
	free(remarks);
}

void remark_finish(struct remark *remark)
{
	free(remark->name);
	free(remark->format);
	free(remark->detail);
	*remark = (struct remark){0};
}

/* ---- adding ---- */

static bool has_room(const struct remarks *remarks)
{
	size_t kept = atomic_load(&remarks->kept);
	struct err err;

	return kept == 0 || kept % LOOK_EACH != 0 ||
	       scratch_check_room(remarks->fd, remarks->scratch, 0, "what is wrong with the bundle", &err);
}

static bool write_row(struct remarks *remarks, const struct import_told *told)
{
	const char *texts[TEXTS] = {told->name, told->format, told->detail};
	struct row row = {.mark = MARK, .kind = (uint16_t)told->remark};
	int64_t from = atomic_load(&remarks->length_bytes);
	int64_t at = from + (int64_t)sizeof row;
	struct err err;

	for (size_t i = 0; i < TEXTS; i++) {
		row.lengths[i] = texts[i] ? (uint16_t)strnlen(texts[i], TEXT_MAX) : 0;
		if (!file_write_at(remarks->fd, texts[i] ? texts[i] : "", row.lengths[i], at, &err))
			return false;
		at += row.lengths[i];
	}
	if (!file_write_at(remarks->fd, &row, sizeof row, from, &err))
		return false;
	atomic_store(&remarks->length_bytes, at);
	return true;
}

void remarks_add(struct remarks *remarks, const struct import_told *told)
{
	remarks->is_full = remarks->is_full || !has_room(remarks) || !write_row(remarks, told);
	if (!remarks->is_full)
		atomic_fetch_add(&remarks->kept, 1);
	atomic_fetch_add(&remarks->count, 1);
}

/* ---- reading ---- */

size_t remarks_count(const struct remarks *remarks)
{
	return remarks ? atomic_load(&remarks->count) : 0;
}

size_t remarks_kept(const struct remarks *remarks)
{
	return remarks ? atomic_load(&remarks->kept) : 0;
}

static bool is_row(const struct row *row, int64_t left_bytes)
{
	int64_t length = (int64_t)sizeof *row;

	for (size_t i = 0; i < TEXTS; i++)
		length += row->lengths[i];
	return row->mark == MARK && row->kind <= REMARK_LEFT && length <= left_bytes;
}

static bool read_text(
	const struct remarks *remarks, int64_t *place, size_t length, char **out, struct err *err)
{
	AUTO_FREE char *text = mem_zero(length + 1, 1);
	size_t got;

	if (!file_read_at(remarks->fd, text, length, *place, &got, err))
		return false;
	*place += (int64_t)length;
	*out = TAKE(text);
	return true;
}

static bool read_row(const struct remarks *remarks, const struct row *row, int64_t *place, struct remark *out,
	struct err *err)
{
	AUTO(remark_finish) struct remark remark = {.kind = (enum import_remark)row->kind};

	if (!read_text(remarks, place, row->lengths[0], &remark.name, err) ||
		(row->lengths[1] > 0 && !read_text(remarks, place, row->lengths[1], &remark.format, err)) ||
		!read_text(remarks, place, row->lengths[2], &remark.detail, err))
		return false;
	*out = remark;
	remark = (struct remark){0};
	return true;
}

bool remarks_next(
	const struct remarks *remarks, int64_t *place, struct remark *out, bool *more, struct err *err)
{
	int64_t end = remarks ? atomic_load(&remarks->length_bytes) : 0;
	struct row row = {0};
	int64_t at = *place + (int64_t)sizeof row;
	size_t got;

	*more = *place < end;
	if (!*more)
		return true;
	if (!file_read_at(remarks->fd, &row, sizeof row, *place, &got, err))
		return false;
	if (!is_row(&row, end - *place))
		return err_set(err, ERR_BAD_REQUEST, "no remark stands there");
	if (!read_row(remarks, &row, &at, out, err))
		return false;
	*place = at;
	return true;
}
