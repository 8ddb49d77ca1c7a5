/* SPDX-License-Identifier: Apache-2.0
 *
 * What a node shares with others: which bytes a name has for good, those bytes, and what was withdrawn. One
 * interface, and whoever uses it does not know which of its implementations it has: a node alone on its
 * folder shares nothing, which costs nothing; nodes over one bucket have the
 * truth there. All but the first two below may wait for the network: no lock is to be held, and no loop
 * thread calls them. ERR_STORE_UNAVAILABLE with retry_after_s: what is shared cannot be reached now, and
 * nothing is known of it. */
#ifndef SERVER_VAULT_VAULT_H
#define SERVER_VAULT_VAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/own.h"
#include "server/vault/vault_terms.h"

struct vault;

/* Takes NULL. Nobody may be using it. */
void vault_destroy(struct vault *vault);
AUTO_CLEANER(own_vault, struct vault *, vault_destroy)
#define AUTO_VAULT AUTO(own_vault)

/* Whether there is anything beyond this node: what is not here may be there, what was published is safe
 * without this disk, and calls may wait. Constant. */
bool vault_is_shared(const struct vault *vault);

/* What is known of a name. *identity is set for VAULT_RECORDED. */
bool vault_find(struct vault *vault, const struct name *name, enum vault_standing *out,
	struct identity *identity, struct err *err);

/* Whether a version was withdrawn: the cheaper part of that. */
bool vault_is_gone(struct vault *vault, const struct name *name, bool *out, struct err *err);

/* Keeps them: on return all nodes have the bytes and what they are, and that was read back. DEPOSITED_BEFORE:
 * that very name had those bytes. ERR_CONFLICT where it has others, ERR_GONE; ERR_NOT_FOUND for an upstream's
 * bytes where the version is VAULT_LACKING them. */
bool vault_keep(struct vault *vault, const struct deposit *deposit, enum deposited *out, struct err *err);

/* Whether it has a blob's bytes, as far as their number tells. */
bool vault_holds(
	struct vault *vault, const struct digest *digest, int64_t size_bytes, bool *out, struct err *err);

/* Streams a blob from a byte on, to its end or as many (-1: all). True too where the receiver has ended it.
 * ERR_NOT_FOUND where nobody has it any more. What comes is not verified. */
bool vault_read(struct vault *vault, const struct digest *digest, int64_t first, int64_t length,
	const struct vault_receiver *receiver, struct err *err);

/* Withdraws a version on all nodes, for good. ERR_NOT_FOUND where nobody has kept it and this node does not
 * know it (known_here) either. *before: it had been withdrawn. ERR_STORE_UNAVAILABLE also where it was, and
 * the others could not be told: to be tried again. */
bool vault_withdraw(struct vault *vault, const struct name *name, const char *who, bool known_here,
	bool *before, struct err *err);

/* The same of what it is alone, for who knows that its version was not withdrawn: *found is false where
 * nobody has kept it. */
bool vault_describe(struct vault *vault, const struct name *name, bool *found, struct identity *identity,
	struct err *err);

/* The last version of a handle that anybody has kept or withdrawn; 0 where there is none. A request for each
 * 1,000 of them. */
bool vault_last_version(struct vault *vault, const char *handle, int64_t *out, struct err *err);

/* Tells of all that have ever changed so: some more of them, from a place on, which goes on to behind what
 * the listener has taken. *more: that was not all. */
bool vault_list(struct vault *vault, enum vault_change change, struct vault_place *place,
	const struct vault_listener *listener, bool *more, struct err *err);

/* Tells of all names that were ever kept, by a request each. */
bool vault_each_identity(struct vault *vault, const struct vault_census *census, struct err *err);

/* Tells of what has changed since a time by our clock, whatever the clock of who did it says; of some twice,
 * and of one perhaps not that the list has. Of notes since a time of their own: each is to be read again. */
bool vault_poll(struct vault *vault, int64_t since_s, int64_t notes_since_s,
	const struct vault_listener *listener, struct err *err);

/* Reads a note (change_is_note); one that nobody has written is empty, with revision 0. Whoever alone has
 * nothing to share has no other. */
bool vault_read_note(struct vault *vault, enum vault_change change, const struct name *name, struct note *out,
	struct err *err);

/* Writes it (text, who, at_s) in the place of the one that was read; on return all nodes have it, and
 * revision and etag are those of the new one. ERR_CONFLICT where somebody has written another meanwhile: to
 * be read again. ERR_TOO_LARGE beyond NOTE_TEXT_MAX. Others are told of it before it is there, so that no
 * crash keeps it from them. */
bool vault_write_note(struct vault *vault, enum vault_change change, const struct name *name,
	struct note *note, struct err *err);

/* Asks for the lease on a name, to do for all nodes what needs to be done only once. Whoever alone has
 * nothing to share has each at once (LEASE_NEW). LEASE_THEIRS: another has it; ask again with the same watch
 * in a moment. It saves work and promises nothing: another may take it from who is silent for its time, and
 * where it cannot be asked for (false), what is to be done may be done without. */
bool vault_acquire(struct vault *vault, const struct name *name, const struct lease_holder *holder,
	struct lease_watch *watch, struct lease_answer *out, struct err *err);

/* Tells the others how far it is; quick, waits for nobody. */
void vault_report(struct vault *vault, struct lease *lease, const struct lease_work *work);

/* Gives it back; quick, too. Takes NULL. */
void vault_release(struct vault *vault, struct lease *lease, enum lease_end end);

/* Whether what is shared can be read, and written, as far as the last calls tell. Waits for nobody: what is
 * old, or was not so, is found out for whoever asks next. False fills *err. */
bool vault_can_read(struct vault *vault, struct err *err);
bool vault_can_write(struct vault *vault, struct err *err);

#endif
