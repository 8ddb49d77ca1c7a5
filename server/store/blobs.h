/* SPDX-License-Identifier: Apache-2.0
 *
 * Files by digest under data_dir/blobs, and the drafts that may become one. A blob is complete, durable and
 * never changes: it is there wholly or not at all. */
#ifndef SERVER_STORE_BLOBS_H
#define SERVER_STORE_BLOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"
#include "server/store/spool.h"

struct blobs;

/* Opens (and creates) blobs/ and drafts/ under the data folder, which then are durable. close takes NULL. */
bool blobs_open(const char *data_dir, struct blobs **out, struct err *err);
void blobs_close(struct blobs *blobs);
AUTO_CLEANER(own_blobs, struct blobs *, blobs_close)
#define AUTO_BLOBS AUTO(own_blobs)

/* A new, empty draft with a name that no other has. */
bool blobs_begin(struct blobs *blobs, struct spool **out, struct err *err);

/* The same for a spool that is not open yet; and for one that takes up what an earlier process left:
 * ERR_NOT_FOUND if that is gone or shorter than length. */
bool blobs_open_new(struct blobs *blobs, struct spool *spool, struct err *err);
bool blobs_open_draft(
	struct blobs *blobs, const char *draft, int64_t length, struct spool *spool, struct err *err);

/* How long a draft that lies there is. ERR_NOT_FOUND. */
bool blobs_draft_size(struct blobs *blobs, const char *draft, int64_t *out_bytes, struct err *err);

/* Removes a draft that nobody has open; nothing to do is no error. Needs no free space. */
bool blobs_remove_draft(struct blobs *blobs, const char *draft, struct err *err);

/* Makes a complete draft read-only and durable: the long part of what blobs_adopt needs. */
bool blobs_prepare(struct spool *spool, struct err *err);

/* Makes a prepared draft the blob with this digest: rename, fsync of the folder. Durable on return, and it
 * takes no descriptor that is not there. The caller has verified the digest and calls spool_mark_kept() once
 * the catalog knows. */
bool blobs_adopt(struct blobs *blobs, struct spool *spool, const struct digest *digest, struct err *err);

/* Gives what was just adopted its name as a draft again, beside the other: it can be prepared and adopted
 * once more. */
bool blobs_return(struct blobs *blobs, struct spool *spool, const struct digest *digest, struct err *err);

/* Opens a blob for reading; the caller owns *out_fd, and blobs_offer() sees the blob in use until that is
 * closed. ERR_NOT_FOUND if there is none. */
bool blobs_read(
	struct blobs *blobs, const struct digest *digest, int *out_fd, int64_t *out_size, struct err *err);

/* The same without being in anybody's way: the blob can be removed meanwhile. */
bool blobs_peek(struct blobs *blobs, const struct digest *digest, int *out_fd, struct err *err);

/* Removes a blob; nothing to do is no error. Needs no free space. */
bool blobs_remove(struct blobs *blobs, const struct digest *digest, struct err *err);

/* How long the file is; ERR_NOT_FOUND. */
bool blobs_size(struct blobs *blobs, const struct digest *digest, int64_t *out_bytes, struct err *err);

/* Gives a blob's file a name in other blobs, on the same file system, too: durable on return. ERR_NOT_FOUND
 * where it is gone, ERR_BAD_REQUEST where it is another file system. */
bool blobs_link(struct blobs *blobs, const struct digest *digest, struct blobs *into, struct err *err);

/* Whether a descriptor is of the file that is there under this digest now. */
bool blobs_is_file(struct blobs *blobs, const struct digest *digest, int fd);

/* Moves a blob to data_dir/damaged, where people may look at it: nobody else does. ERR_NOT_FOUND. */
bool blobs_put_aside(struct blobs *blobs, const struct digest *digest, struct err *err);

/* Whether nobody reads the blob, in this process or another; *out_fd, the caller's, then keeps new readers
 * waiting until it is closed. True as well where the file is gone (*out_fd is -1 then). */
bool blobs_offer(struct blobs *blobs, const struct digest *digest, int *out_fd);

/* Whether the blob has no other name, a copy's or a backup's: its removal frees its bytes. True where it is
 * gone. */
bool blobs_is_sole(struct blobs *blobs, const struct digest *digest);

/* Keeps other processes out of what must not happen at the same time; shared: out of blobs_lock that is not.
 * Threads of one process are for the caller to keep apart. */
void blobs_lock(struct blobs *blobs, bool shared);
void blobs_unlock(struct blobs *blobs);

/* A few megabytes set aside for the moments in which even a deletion needs some: fill does nothing where
 * there is no room, or it is full already; spend answers whether it gave any up. */
void blobs_fill_reserve(struct blobs *blobs);
bool blobs_spend_reserve(struct blobs *blobs);

/* For a process that makes drafts beside the daemon: until it closes the blobs no other sweeps any. */
bool blobs_hold_drafts(struct blobs *blobs, struct err *err);

/* Deletes every draft but those for which keep answers true; none while another process holds them. For
 * start-up, before any draft is begun. */
bool blobs_sweep_drafts(
	struct blobs *blobs, bool (*keep)(void *context, const char *draft), void *context, struct err *err);

/* Calls visit for every blob on disk until it answers false. */
bool blobs_each(struct blobs *blobs,
	bool (*visit)(void *context, const struct digest *digest, int64_t size_bytes), void *context,
	struct err *err);

/* Bytes that are free for us on the file system. */
bool blobs_free_bytes(struct blobs *blobs, int64_t *out_bytes, struct err *err);

#endif
