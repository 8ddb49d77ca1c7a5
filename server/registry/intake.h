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
#include "common/own.h"
#include "server/registry/checkpoints.h"
#include "server/registry/fill_progress.h"
#include "server/registry/inspector.h"
#include "server/registry/space.h"

struct fill_tools;
struct intake;

/* Owned by the fill's thread. What it is made with outlives it. destroy gives back what it holds beside the
 * spool, and takes NULL. */
struct intake *intake_create(const struct fill_tools *tools, const struct name *name, struct spool *spool,
	struct fill_progress *progress);
void intake_destroy(struct intake *intake);
AUTO_CLEANER(own_intake, struct intake *, intake_destroy)
#define AUTO_INTAKE AUTO(own_intake)

/* ---- what it has ---- */

/* Bytes in the spool. */
int64_t intake_bytes(const struct intake *intake);

/* Whose bytes they are. */
const struct object *intake_object(const struct intake *intake);

/* Whether they are all that there are of it. */
bool intake_is_whole(const struct intake *intake);

/* Whether there are fewer bytes than upstream told. */
bool intake_is_short(const struct intake *intake);

/* Whether they are the beginning of an object that upstream can prove to have the rest of. */
bool intake_can_resume(const struct intake *intake);

/* The upstream that can go on with them; none where there is no such. */
size_t intake_source(const struct intake *intake, size_t none);

/* Whether an earlier process left them, and upstream has not said yet that it has the rest; and whether that
 * is another upstream than this one. */
bool intake_is_unproved(const struct intake *intake);
bool intake_is_draft_of_another(const struct intake *intake, size_t upstream);

/* Whether there are bytes, and they came of this upstream; INTAKE_NODES: of other nodes, which prove nothing
 * but by the digest of the whole. */
#define INTAKE_NODES SIZE_MAX
bool intake_is_from(const struct intake *intake, size_t upstream);

/* ---- before an answer ---- */

/* Takes up what an earlier process left in the spool, if its upstream is still configured. */
void intake_take_up(struct intake *intake, const struct fill_row *row);

/* What is here are the first bytes of this object of an upstream's, as somebody says who had them of it: it
 * is asked for the rest. */
void intake_vouch(struct intake *intake, size_t upstream, const struct object *object);

/* What was taken up is of the object that upstream has: it may be seen. */
void intake_prove(struct intake *intake);

/* This upstream has the object no longer. True where the bytes are its own: nobody has the rest any more. */
bool intake_lose_source(struct intake *intake, size_t upstream);

/* Makes the spool ready for what this upstream will send: goes on, or begins anew, with an inspector that
 * reads along. */
bool intake_prepare(struct intake *intake, size_t upstream, struct err *err);

/* Drops what the spool holds; false once clients have seen some of it. */
bool intake_begin_anew(struct intake *intake, struct err *err);

/* Makes ready for another answer, which begins behind the bytes that are here. */
void intake_begin_answer(struct intake *intake);

/* ---- the answer ---- */

/* The head of an answer from this upstream: claims its room. Fails as space_claim does; ERR_BUSY, where
 * others have the room, is for intake_await_room. */
bool intake_head(struct intake *intake, size_t upstream, const struct answer *answer, struct err *err);

/* A piece of its body; false without an error once the inspector wants no more. */
bool intake_body(struct intake *intake, const void *bytes, size_t length, struct err *err);

/* Waits for the room that the last head lacked; false where it lacked none, or none came. */
bool intake_await_room(struct intake *intake, struct err *err);

/* Whether room ran out in the middle of the last answer. */
bool intake_has_run_full(const struct intake *intake);

/* Room ran out: goes on in pass-through as fast as readers follow. False where nobody waits for the rest,
 * upstream could not prove to have it, or all readers stand still. why: what there was no room for. */
bool intake_pass_through(struct intake *intake, const struct err *why);

/* Whether there was room for a part at a time only: nothing of it can be kept. */
bool intake_passes_through(const struct intake *intake);

/* ---- all bytes are there ---- */

/* Waits for what the inspector says of them. It ends with that; whatever comes next needs another one. Fails
 * as inspector_wait does. */
bool intake_conclude(struct intake *intake, struct inspection *out, struct err *err);

/* Whether what upstream has said of the bytes holds. */
bool intake_is_as_told(const struct intake *intake, const struct inspection *inspection, struct err *err);

/* Whether asking again would bring the same: all bytes came, or enough to see that no more are wanted. */
bool intake_is_certain(const struct intake *intake, const struct inspection *inspection);

/* Whether more bytes may belong to them, as nothing but the connection's end says that they are all. */
bool intake_may_be_cut(const struct intake *intake, const struct examination *examination, struct err *err);

/* What was done to the bytes on their way explains most of what is wrong with them: says so before it. */
void intake_explain(const struct intake *intake, struct err *err);

/* Warns of what is amiss with how they came. */
void intake_warn(const struct intake *intake, struct examination *examination);

/* The rest of such an object is not worth having. */
void intake_disown(struct intake *intake);

/* The fill has ended. With stays the draft is left to another process, if it can go on with it. */
void intake_end(struct intake *intake, bool stays);

#endif
