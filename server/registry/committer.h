/* SPDX-License-Identifier: Apache-2.0
 *
 * Commits: makes the blob durable, then writes its row; then the caller may answer. Deleting is the reverse.
 * The only room that makes and removes blobs, so that neither happens in the middle of the other, in this
 * process or another. */
#ifndef SERVER_REGISTRY_COMMITTER_H
#define SERVER_REGISTRY_COMMITTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/registry/inspector.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_holds.h"
#include "server/store/catalog/catalog_keep.h"
#include "server/store/catalog/catalog_md5.h"
#include "server/store/catalog/catalog_space.h"
#include "server/store/catalog/catalog_staging.h"
#include "server/store/catalog/catalog_withdraw.h"
#include "server/store/unpacked/members.h"
#include "server/vault/vault.h"

struct committer;
struct span;

/* All must outlive it. What is unpacked of a blob goes with it; members may be NULL. destroy takes NULL. */
struct committer *committer_create(
	struct catalog *catalog, struct blobs *blobs, struct members *members, struct vault *vault);
void committer_destroy(struct committer *committer);
AUTO_CLEANER(own_committer, struct committer *, committer_destroy)
#define AUTO_COMMITTER AUTO(own_committer)

/* Calls forget, before the operation returns, for what may no longer be given to clients: a version's path
 * ("acme/model/1") or a blob's digest. It must be quick and not call the committer. To be set before the
 * committer is used. */
void committer_set_forget(
	struct committer *committer, void (*forget)(void *context, const char *label), void *context);

/* Whether a deposit has anybody to go to: else it comes to nothing at once. */
bool committer_is_shared(const struct committer *committer);

/* Of all whose inspections it commits. */
struct inspection_places *committer_places(const struct committer *committer);

/* What it was created with. */
struct vault *committer_vault(const struct committer *committer);

/* For the rooms that find blobs damaged, and make them anew: the span that all stand in, and what goes with a
 * blob. */
struct span *committer_span(const struct committer *committer);
void committer_remove_unpacked(struct committer *committer, const struct digest *digest);

/* Whether it was this process that made that deposit. */
bool committer_made(const struct committer *committer, const struct identity *identity);

/* Has it forgotten, for what was written by others on the same stores. */
void committer_forget(const struct committer *committer, const char *label);

/* Calls kept after each blob that was kept; it must be quick. To be set before the committer
 * is used. */
void committer_set_kept(struct committer *committer, void (*kept)(void *context), void *context);

struct origin {
	enum version_source source;
	const char *who;         /* the token's name, or the upstream's */
	bool is_new;             /* refused where the version is there, in whatever format */
	const char *held_for;    /* why nobody is to get it before it is approved; NULL: it is given out */
	const char *from;        /* the client's address; NULL where there is none */
	const atomic_bool *stop; /* ends its deposit where it is, once nobody waits for it; may be NULL */
};

/* Gives a complete and inspected spool to all who share the vault, before it is committed: may wait for the
 * network, and holds nothing meanwhile. It can be tried again. Fails as vault_keep does; ERR_QUARANTINED
 * where an upstream's bytes are not those that were kept before. */
bool committer_deposit(struct committer *committer, struct spool *spool, const struct name *name,
	const struct origin *origin, const struct inspection *inspection, enum deposited *out,
	struct err *err);

/* Keeps a complete and inspected spool that was deposited under this name: durable on return; then it is the
 * caller's to mark the spool as kept, when all is counted. KEPT_AGAIN also where others had it. Fails as
 * catalog_keep does, or with ERR_NO_SPACE; nothing is left behind then but what was there before. ERR_BUSY
 * where another process has the database for long: the spool is as it was, and can be kept later. */
bool committer_commit(struct committer *committer, struct spool *spool, const struct name *name,
	const struct origin *origin, enum deposited deposited, const struct inspection *inspection,
	enum kept *out, struct err *err);

/* Takes what all nodes have decided of a version, or hold back of it, where they had it before this one. */
void committer_take_decision(struct committer *committer, const struct name *name);

/* Makes a complete and inspected spool a blob that no version claims yet, staged for an import: durable on
 * return, and the spool is marked as kept. ERR_BUSY as above: patient has it wait for seconds before. */
bool committer_stage(struct committer *committer, struct spool *spool, const struct staging *staging,
	const struct inspection *inspection, bool patient, struct err *err);

/* Lets go of what was staged for an import that nobody has gone on with, and removes it, until stop is set.
 */
bool committer_unstage(struct committer *committer, const _Atomic bool *stop, struct err *err);

/* Whether bytes that will not be kept are what this name may have: refuses what committer_commit would
 * refuse. */
bool committer_compare(struct committer *committer, const struct name *name, const struct origin *origin,
	const struct inspection *inspection, struct err *err);

/* Writes down the MD5 of blobs, those that are known: what was made ready for clients without it is made
 * anew. */
bool committer_record_md5(
	struct committer *committer, const struct blob_md5 *items, size_t count, struct err *err);

/* Withdraws a version, for all who share the vault first, and removes the blobs that nothing else needs.
 * from: the client's address; NULL: it is not known. */
bool committer_withdraw(struct committer *committer, const struct name *name, const char *who,
	const char *from, struct err *err);

/* The same where others have withdrawn it: only here, also what was not known. ERR_GONE where it was known to
 * be withdrawn. */
bool committer_entomb(struct committer *committer, const struct name *name, struct err *err);

/* Writes down whether a version is given out, for all who share the vault first, and has it forgotten what it
 * was before. May wait for the network. */
bool committer_decide(struct committer *committer, const struct name *name, const struct decision *decision,
	struct err *err);

/* Evicts mirrored blobs that nobody reads, as catalog_evict does, and removes their files: *eviction says how
 * much is wanted, and how much it was. Needs no free space. */
bool committer_evict(struct committer *committer, struct eviction *eviction, struct err *err);

/* A blob could not be read: where its file is truly gone while a row claims it, the claim is dropped, and
 * *lost is true. */
bool committer_check_lost(
	struct committer *committer, const struct digest *digest, bool *lost, struct err *err);

/* At start-up, before anything else uses the stores: drafts that no row claims are swept,
 * and rows that claim one for longer than a day. */
bool committer_sweep_drafts(struct committer *committer, struct err *err);

/* As committer_unstage(); then removes every blob that no row
 * claims, and what is unpacked of such or was put aside, one at a time while the daemon serves, until stop is
 * set. */
bool committer_sweep_blobs(struct committer *committer, const _Atomic bool *stop, struct err *err);

#endif
