/* SPDX-License-Identifier: Apache-2.0
 *
 * Rings of links: whatever stands in one can leave it at once. */
#ifndef SERVER_HTTP_TLS_RING_H
#define SERVER_HTTP_TLS_RING_H

#include <stdbool.h>

/* The ring itself, or what stands in it; initialized, it stands alone. */
struct ring {
	struct ring *next;
	struct ring *previous;
};

static inline void ring_init(struct ring *link)
{
	link->next = link;
	link->previous = link;
}

static inline bool ring_is_alone(const struct ring *link)
{
	return link->next == link;
}

static inline void ring_leave(struct ring *link)
{
	link->next->previous = link->previous;
	link->previous->next = link->next;
	ring_init(link);
}

/* Becomes the last; it stands alone before. */
static inline void ring_append(struct ring *ring, struct ring *link)
{
	link->next = ring;
	link->previous = ring->previous;
	ring->previous->next = link;
	ring->previous = link;
}

#endif
