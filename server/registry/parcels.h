/* SPDX-License-Identifier: Apache-2.0
 *
 * Files that a client sends one by one, before it says of which version they are: each in a draft, for an
 * hour, and so many a token. None outlives the process. */
#ifndef SERVER_REGISTRY_PARCELS_H
#define SERVER_REGISTRY_PARCELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "common/waiter.h"

struct blobs;
struct parcel;
struct parcels;
struct space;

enum { PARCELS_A_TOKEN = 128, PARCELS_MAX = 512, PARCELS_LIFETIME_S = 3600, PARCELS_IDLE_S = 300 };

/* By which its client names it. */
struct parcel_id {
	char text[72];
};

/* Has a thread. A token's may have so many bytes in all. destroy takes NULL; none may be held then. */
bool parcels_create(
	struct space *space, struct blobs *blobs, int64_t max_bytes, struct parcels **out, struct err *err);
void parcels_destroy(struct parcels *parcels);
AUTO_CLEANER(own_parcels, struct parcels *, parcels_destroy)
#define AUTO_PARCELS AUTO(own_parcels)

/* A file of this name and length, which the token named `who` sends; its room is found as its bytes come.
 * Where he has too many, his oldest go first of which nothing has come for PARCELS_IDLE_S; where all together
 * have, such of whoever has most. ERR_TOO_LARGE, ERR_BUSY (none of them may go), ERR_NO_SPACE. May take long.
 */
bool parcels_begin(struct parcels *parcels, const char *who, const char *name, int64_t length,
	struct parcel_id *out, struct err *err);

struct parcel_state {
	int64_t received; /* so much of it has come */
	int64_t length;
	bool settled; /* and all that has come is in the file */
};

/* How far one is, held or not. ERR_NOT_FOUND. */
bool parcels_look(struct parcels *parcels, const char *id, struct parcel_state *out, struct err *err);

/* Holds one, for its bytes or for a version that it goes into: nobody else does then, and its time does not
 * end. who: NULL, or the token whose it must be. *out is NULL where it is held; then parcels_await.
 * ERR_NOT_FOUND. */
bool parcels_hold(
	struct parcels *parcels, const char *id, const char *who, struct parcel **out, struct err *err);
/* It may be held again, and its hour begins anew if more of it has come; or where it is of no more use, it
 * goes. */
void parcels_release(struct parcels *parcels, struct parcel *parcel, bool used);

/* True: it is held; the waiter has joined and is woken when it is worth asking again. */
bool parcels_await(struct parcels *parcels, const char *id, struct waiter *waiter);
bool parcels_leave(struct parcels *parcels, const char *id, struct waiter *waiter);

/* Of one that is held. Its bytes come as into an inflow; parcel_flush has them all in the file. Nobody finds
 * one any more whose parcel_put has failed. */
bool parcel_is(const struct parcel *parcel, const char *id);
const char *parcel_name(const struct parcel *parcel);
int64_t parcel_received(const struct parcel *parcel);
int64_t parcel_length(const struct parcel *parcel);
bool parcel_has_room(const struct parcel *parcel, size_t length);
bool parcel_make_room(struct parcel *parcel, size_t length, struct err *err);
bool parcel_put(struct parcel *parcel, const void *bytes, size_t length, struct err *err);
bool parcel_flush(struct parcel *parcel, struct err *err);
/* Its file, from the first byte on; the parcel's own. */
int parcel_fd(const struct parcel *parcel);

#endif
