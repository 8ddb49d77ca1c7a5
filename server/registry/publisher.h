/* SPDX-License-Identifier: Apache-2.0
 *
 * Publishing: takes an upload into a spool, has it inspected while it arrives, and keeps it if it follows the
 * rules. A version's bytes never change once they are kept. */
#ifndef SERVER_REGISTRY_PUBLISHER_H
#define SERVER_REGISTRY_PUBLISHER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "common/waiter.h"
#include "server/module/archives/archive_limits.h"
#include "server/module/safety/safety_policy.h"
#include "server/registry/committer.h"
#include "server/registry/holdup.h"
#include "server/registry/naming.h"
#include "server/registry/space.h"
#include "server/store/catalog/catalog_keep.h"
#include "server/upstream/testimony.h"

struct trust;

enum { CLIENT_ADDRESS_MAX = 64 };

struct publisher_settings {
	int64_t max_upload_bytes;
	struct archive_limits limits;
	struct holdup *holdup; /* for commits that another process holds up; NULL: they are refused */
	struct trust *trust;   /* whose signatures count; NULL: none is required */
	const struct safety_policy *safety; /* NULL: nothing is refused or held back for findings */
	struct naming_rules naming;
};

struct publisher;

struct publisher *publisher_create(const struct publisher_settings *settings, struct catalog *catalog,
	struct blobs *blobs, struct committer *committer, struct space *space);
/* No upload may be running. Takes NULL. */
void publisher_destroy(struct publisher *publisher);
AUTO_CLEANER(own_publisher, struct publisher *, publisher_destroy)
#define AUTO_PUBLISHER AUTO(own_publisher)

/* What the client said of the body before it sent it. */
struct declaration {
	int64_t length; /* -1: not told */
	bool has_sha256;
	struct digest sha256;
	struct testimony told; /* by its headers, the SHA-256 as well */
	bool is_new;           /* ERR_CONFLICT at the end where the version is there, in whatever format */
	char from[CLIENT_ADDRESS_MAX]; /* the client's address; "": it is not known */
};

/* ERR_TOO_LARGE where no upload may have so many bytes. */
bool publisher_fits(const struct publisher *publisher, int64_t bytes, struct err *err);

struct upload;

/* Refuses early what need not be sent: ERR_GONE, ERR_CONFLICT (other bytes by their declared digest),
 * ERR_BLOCKED_BY_POLICY (the handle is an upstream's, as far as is known here: namesakes asks),
 * ERR_TOO_LARGE, ERR_NO_SPACE, ERR_SIGNATURE_REQUIRED. How many there are at once is the caller's (see
 * turns.h). who is the token's name. */
bool publisher_begin(struct publisher *publisher, const struct name *name, const char *who,
	const struct declaration *declaration, struct upload **out, struct err *err);

/* The same for a blob of a bundle, which is staged for the import that is to claim it, and whose digest and
 * length are declared: no name is looked at, and of what turns out to be wrong it is told as of a bundle. */
bool publisher_begin_staged(struct publisher *publisher, const struct staging *staging, const char *who,
	const struct declaration *declaration, struct upload **out, struct err *err);

/* Whether a piece of so many bytes can be written now. Where not, make_room comes first, which may take long.
 */
bool upload_has_room(const struct upload *upload, size_t length);
void upload_make_room(struct upload *upload, size_t length);

/* Whether what came is so far ahead of its inspection that no more is to come now: the waiter (or NULL) has
 * joined then, and is woken when the inspection has caught up. Quick. leave takes it back; false if it has
 * not joined, or has been or is being woken. */
bool upload_await_inspection(struct upload *upload, struct waiter *waiter);
bool upload_leave_inspection(struct upload *upload, struct waiter *waiter);

/* A piece of the body, for which there is room. False: the rest is not wanted; upload_finish tells why. Waits
 * for nobody, and writes to disk. */
bool upload_write(struct upload *upload, const void *bytes, size_t length);

/* The body has ended. Verifies and keeps it, as far as that needs no waiting. True: upload_finish would have
 * to wait, for verification or for another process that has the database: the waiter has joined then, and is
 * woken when it is worth asking again. leave takes it back; false if it has not joined, or has been or is
 * being woken. */
bool upload_await(struct upload *upload, struct waiter *waiter);
bool upload_leave(struct upload *upload, struct waiter *waiter);

/* The body has ended: verifies, keeps, and frees the upload whatever comes of it. On ERR_INVALID_MODULE
 * or ERR_UNSAFE_MODULE *examination holds the findings (the caller's to destroy); it is NULL otherwise. */
bool upload_finish(struct upload *upload, enum kept *out, struct examination **examination, struct err *err);

/* The client went away: nothing is kept. */
void upload_abort(struct upload *upload);

/* Where to wait for another process that has the database; NULL: nowhere. */
struct holdup *publisher_holdup(const struct publisher *publisher);

/* Withdraws a version; ERR_NOT_FOUND, ERR_GONE; ERR_BUSY where another process has the database. from: the
 * client's address, as below; NULL: it is not known. */
bool publisher_withdraw(struct publisher *publisher, const struct name *name, const char *who,
	const char *from, struct err *err);

/* Approves or rejects a version on all nodes; fails as catalog_decide() does, and with
 * ERR_STORE_UNAVAILABLE. May wait for the network, as the next may. */
bool publisher_decide(struct publisher *publisher, const struct name *name, const struct decision *decision,
	struct err *err);

/* Sets a version's Markdown on all nodes; *created where it had none. With a head in the hub's format it
 * fills description and tags. ERR_NOT_FOUND, ERR_GONE, and ERR_BAD_REQUEST where such a head breaks its
 * format, or is another version's; ERR_BUSY as above. */
bool publisher_document(struct publisher *publisher, const struct name *name, const char *markdown,
	const char *who, const char *from, bool *created, struct err *err);

#endif
