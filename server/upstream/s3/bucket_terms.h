/* SPDX-License-Identifier: Apache-2.0
 *
 * What is asked of a bucket and what becomes of it. */
#ifndef SERVER_UPSTREAM_S3_BUCKET_TERMS_H
#define SERVER_UPSTREAM_S3_BUCKET_TERMS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/upstream/s3/s3_exchange.h"

enum bucket_outcome {
	BUCKET_DONE,
	BUCKET_ABSENT,      /* no such object, or no such bucket */
	BUCKET_CLASH,       /* the condition does not hold. A create that was sent twice may find itself */
	BUCKET_REFUSED,     /* asking again does not help: no right, a request that the store does not take */
	BUCKET_BUSY,        /* the store did not do it for now, and was asked several times */
	BUCKET_AMBIGUOUS,   /* it may have been done or not: read it back */
	BUCKET_UNREACHABLE, /* no connection, or no whole answer to what changes nothing */
	BUCKET_STOPPED,     /* the receiver wants no more, or the body was to stop */
	BUCKET_OVERSIZED    /* it has more bytes than what is read there: none of Larder's */
};

/* Keys as long as S3 takes them, less what a prefix and its slash may take. */
enum { BUCKET_KEY_MAX = 1024 - 129, BUCKET_PAGE_MAX = 1000 };

/* What a condition is about: none where all zero. */
struct bucket_condition {
	bool if_absent;
	const char *if_etag; /* as it was told; one that tells nothing apart is refused */
};

/* What is told of an object. */
struct bucket_facts {
	int64_t length;
	char etag[S3_ETAG_MAX];
	int64_t date_s;     /* the store's clock; 0 where it is not told */
	int64_t modified_s; /* by that clock, when it was written last; 0 where it is not told */
};

/* What a page of a listing is about. */
struct bucket_page {
	const char *under;       /* what the keys begin with */
	const char *after;       /* the last key of the page before; NULL: from the first on */
	int limit;               /* at most BUCKET_PAGE_MAX */
	int64_t *modified_s;     /* where it stands when an object was written last, while it is told; NULL */
	const atomic_bool *stop; /* ends the request once it is true; NULL: nobody does */
	/* False ends it. */
	bool (*object)(void *context, const char *key, int64_t length);
	void *context;
};

#endif
