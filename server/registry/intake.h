/* SPDX-License-Identifier: Apache-2.0
 *
 * What a fill has of its object so far: the spool with its bytes, what can be proved of them, the room that
 * is claimed for them and the inspector that reads along. Takes what answers bring; whom to ask is the fill's
 * business. */
#ifndef SERVER_REGISTRY_INTAKE_H
#define SERVER_REGISTRY_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/registry/checkpoints.h"
#include "server/registry/fill_progress.h"
#include "server/registry/inspector.h"
#include "server/registry/space.h"

struct fill_tools;

/* Owned by the fill's thread. The first part is the fill's to set,
 * the second to read. */
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

/* Takes up what an earlier process left in the spool, if its upstream is still configured. */
void intake_take_up(struct intake *intake, const struct fill_row *row);

/* What was taken up is of the object that upstream has: it may be seen. */
void intake_prove(struct intake *intake);

/* Whether its bytes are the beginning of an object that upstream can prove to have the rest of. */
bool intake_can_resume(const struct intake *intake);

/* Whether bytes lack of the length that upstream told. */
bool intake_is_short(const struct intake *intake);

/* Makes ready for another answer, beginning at intake->length. */
void intake_begin_answer(struct intake *intake);

/* The head of an answer from this upstream: claims its room. Fails as space_claim does; ERR_BUSY, where
 * others have the room, is for intake_await_room. */
bool intake_head(struct intake *intake, size_t upstream, const struct answer *answer, struct err *err);

/* A piece of its body; false without an error once the inspector wants no more. */
bool intake_body(struct intake *intake, const void *bytes, size_t length, struct err *err);

/* Waits for the room that the last head lacked; false where it lacked none, or none came. */
bool intake_await_room(struct intake *intake, struct err *err);

/* Room ran out: goes on in pass-through as fast as readers follow. False where nobody waits for the rest,
 * upstream could not prove to have it, or all readers stand still. why: what there was no room for. */
bool intake_pass_through(struct intake *intake, const struct err *why);

/* Has an inspector read along; true where one does. */
bool intake_inspect(struct intake *intake, struct err *err);

/* All bytes are there: waits for what the inspector says of them. It ends with that; whatever comes next
 * needs another one. Fails as inspector_wait does. */
bool intake_conclude(struct intake *intake, struct inspection *out, struct err *err);

/* Drops what the spool holds; false once clients have seen some of it. */
bool intake_begin_anew(struct intake *intake, struct err *err);

/* Gives back what it holds beside the spool. With stays the draft is left to another process. */
void intake_end(struct intake *intake, bool stays);
void intake_finish(struct intake *intake);

#endif
