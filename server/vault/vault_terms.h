/* SPDX-License-Identifier: Apache-2.0
 *
 * What a vault is given and what it tells. */
#ifndef SERVER_VAULT_VAULT_TERMS_H
#define SERVER_VAULT_VAULT_TERMS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"
#include "server/upstream/s3/bucket_terms.h"

struct vault;

enum { IDENTITY_WORD_MAX = 255 };

/* What a name is, for good. */
struct identity {
	struct checksums checksums;
	int64_t size_bytes;
	enum version_source source;      /* published or mirrored */
	char who[IDENTITY_WORD_MAX + 1]; /* the token's name, or the upstream's */
	int64_t at_s;
	char nonce[IDENTITY_WORD_MAX + 1]; /* of who created it */
};

enum vault_standing {
	VAULT_UNKNOWN,  /* nobody has kept it */
	VAULT_RECORDED, /* it has an identity */
	VAULT_LACKING,  /* others of the version's formats were published, and not this one: it is absent for
			   good */
	VAULT_GONE      /* the version was withdrawn */
};

/* Bytes that are to become a name's. */
struct deposit {
	const struct name *name;
	struct identity identity; /* its nonce is the same where the same deposit is tried again */
	int fd;                   /* all of them, from the first on; -1: they are not at hand, and only their
				     identity is kept */
	bool is_new;              /* refused where the version is there, in whatever format */
	const atomic_bool *stop;  /* once it is true nobody waits for it: it ends where it is; NULL: it has to
				     come to its end */
};

enum deposited { DEPOSITED_NEW, DEPOSITED_BEFORE };

/* Takes bytes as they come; false ends it. */
struct vault_receiver {
	bool (*take)(void *context, const void *bytes, size_t length);
	void *context;
};

/* What changes for all nodes. */
enum vault_change {
	CHANGE_WITHDRAWN,  /* a version */
	CHANGE_TOKEN,      /* the token of a name, which stands where handles do; */
	CHANGE_PIN,        /* … so does a pin's pattern */
	CHANGE_KEPT,       /* a name has its identity; */
	CHANGE_PUBLISHED,  /* … and what had been mirrored was published */
	CHANGE_HELD,       /* what is held back of a version, or what was decided of that */
	CHANGE_DOCUMENTED, /* a version's documentation */
	CHANGE_COUNT
};

/* Whether there is a note on it, which is written again and again, and not an object that stays as it is. */
static inline bool change_is_note(enum vault_change change)
{
	return change == CHANGE_TOKEN || change == CHANGE_PIN || change == CHANGE_HELD ||
	       change == CHANGE_DOCUMENTED;
}

/* A small text that all nodes agree on: that of the last writer who had read the one before. note_finish()
 * it. */
struct note {
	int64_t revision; /* how often it was written; 0: never */
	char who[IDENTITY_WORD_MAX + 1];
	int64_t at_s;
	struct buffer text;
	char etag[S3_ETAG_MAX]; /* of the one that was read */
};
enum { NOTE_TEXT_MAX = 1 << 20 };

static inline void note_finish(struct note *note)
{
	buffer_finish(&note->text);
}

/* Is told of names that changed so (their format counts for CHANGE_KEPT and CHANGE_PUBLISHED, their version
 * for all but tokens and pins). False: it has not taken that, and wants no more. It may use the vault. */
struct vault_listener {
	bool (*changed)(void *context, enum vault_change change, const struct name *name);
	void *context;
};

/* How far a listing is. All zero: at its beginning. */
struct vault_place {
	char after[BUCKET_KEY_MAX + 1];
};

/* Is told of what names are; false, with *err set, ends it. */
struct vault_census {
	bool (*recorded)(
		void *context, const struct name *name, const struct identity *identity, struct err *err);
	void *context;
};

/* ---- leases ---- */

/* What a lease on a name is to whoever holds it; NULL where there is nothing to hold. */
struct lease;

/* How far somebody is with what he has leased: whose bytes he fetches, and how many are there. */
struct lease_work {
	char upstream[IDENTITY_WORD_MAX + 1];
	char etag[256];
	char last_modified[64];
	int64_t bytes;
	int64_t total_bytes; /* -1: not told */
};

struct lease_holder {
	char node[IDENTITY_WORD_MAX + 1];  /* where that node is reached, to be shown; */
	char url[2048];                    /* … and where it gives what it fetches */
	char nonce[IDENTITY_WORD_MAX + 1]; /* of its having acquired it; told by acquire, not to it */
	struct lease_work work;
};

/* What somebody who wants a lease has seen of it so far. All zero before the first look. */
struct lease_watch {
	char etag[128];
	int64_t since_ms; /* monotonic: since when it has not changed */
};

enum lease_standing {
	LEASE_NEW,   /* it is ours, and nobody has had it before */
	LEASE_TAKEN, /* it is ours, and another had it, who has come to an end or is silent */
	LEASE_THEIRS
};

/* What came of what a lease was for. */
enum lease_end {
	LEASE_END_FAILED, /* another may go on with what the lease tells */
	LEASE_END_DONE,   /* it is there for all */
	LEASE_END_NOTHING /* nothing, of which there is nothing to tell: no trace of it stays */
};

struct lease_answer {
	enum lease_standing standing;
	struct lease *lease;        /* where it is ours, to be released; may be NULL all the same */
	struct lease_holder holder; /* who has it, or had it before (LEASE_TAKEN) */
};

#endif
