/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/inflow.h"

/* What is written at once: the page cache holds large writes in large pieces, which later go out at half the
 * cost. */
enum { PIECE_BYTES = 256 << 10 };

bool inflow_open(struct inflow *inflow, struct space *space, int64_t length, bool unlimited, struct err *err)
{
	*inflow = (struct inflow){.space = space, .claim.unlimited = unlimited};
	if (space_claim(space, &inflow->claim, length > 0 ? length : 1, err))
		return true;
	if (err->code == ERR_BUSY)
		err->code = ERR_NO_SPACE;
	return false;
}

void inflow_finish(struct inflow *inflow)
{
	buffer_finish(&inflow->waiting);
	spool_release(inflow->spool);
	if (inflow->space)
		space_release(inflow->space, &inflow->claim);
	*inflow = (struct inflow){0};
}

bool inflow_has_room(const struct inflow *inflow, size_t length)
{
	return !inflow->disk_is_full && space_covers(&inflow->claim, inflow->length + (int64_t)length);
}

bool inflow_make_room(struct inflow *inflow, size_t length, struct err *err)
{
	return space_reserve(inflow->space, &inflow->claim, inflow->length + (int64_t)length, err) &&
	       (!inflow->disk_is_full || inflow_flush(inflow, err));
}

/* A disk that others have filled is for make_room to see to. */
static bool write_out(struct inflow *inflow, struct err *err)
{
	struct buffer *waiting = &inflow->waiting;

	if (spool_append(inflow->spool, waiting->data, waiting->length, err)) {
		waiting->length = 0;
		inflow->disk_is_full = false;
		return true;
	}
	inflow->disk_is_full = err->code == ERR_NO_SPACE;
	return inflow->disk_is_full;
}

bool inflow_put(struct inflow *inflow, const void *bytes, size_t length, struct err *err)
{
	const char *from = bytes;

	(void)space_note_covered(inflow->space, &inflow->claim, inflow->length + (int64_t)length);
	inflow->length += (int64_t)length;
	while (length > 0) {
		/* Pieces end where a multiple of their size does. */
		size_t room = PIECE_BYTES - inflow->waiting.length % PIECE_BYTES;
		size_t piece = length < room ? length : room;

		buffer_add(&inflow->waiting, from, piece);
		if (piece == room && !write_out(inflow, err))
			return false;
		from += piece;
		length -= piece;
	}
	return true;
}

bool inflow_flush(struct inflow *inflow, struct err *err)
{
	if (inflow->waiting.length > 0 && !write_out(inflow, err))
		return false;
	if (inflow->disk_is_full && (!space_relieve(inflow->space) || !write_out(inflow, err)))
		return false;
	if (!inflow->disk_is_full)
		buffer_finish(&inflow->waiting);
	return !inflow->disk_is_full;
}
