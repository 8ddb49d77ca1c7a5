/* SPDX-License-Identifier: Apache-2.0
 *
 * The span between a blob's file and its row. Those that make blobs share it, those that remove some have it
 * alone: in this process, and against others. In the order in which they came. */
#ifndef SERVER_REGISTRY_SPAN_H
#define SERVER_REGISTRY_SPAN_H

#include "common/own.h"

struct blobs;
struct span;

/* The blobs must outlive it. destroy takes NULL. */
struct span *span_create(struct blobs *blobs);
void span_destroy(struct span *span);
AUTO_CLEANER(own_span, struct span *, span_destroy)
#define AUTO_SPAN AUTO(own_span)

/* Each waits for its turn, and gives the span back, for its end, which takes NULL. */
struct span *span_share(struct span *span);
void span_unshare(struct span *span);
struct span *span_take(struct span *span);
void span_give(struct span *span);
AUTO_CLEANER(own_share_of_span, struct span *, span_unshare)
AUTO_CLEANER(own_span_alone, struct span *, span_give)

/* Until the end of the enclosing scope. */
#define SHARED(which) \
	AUTO(own_share_of_span) struct span *shared_ = span_share(which); \
	(void)shared_
#define ALONE(which) \
	AUTO(own_span_alone) struct span *alone_ = span_take(which); \
	(void)alone_

#endif
