/* SPDX-License-Identifier: Apache-2.0
 *
 * Server-sent events: tells whoever listens what goes on, as soon as it has changed and at most once a
 * second. A listener is a connection that sleeps; one thread looks for all of them. While there are none it
 * only keeps the history of the day (server/registry/traffic.h), once a minute. */
#ifndef SERVER_API_EVENTS_H
#define SERVER_API_EVENTS_H

#include <stdbool.h>

#include "common/err.h"
#include "common/own.h"
#include "server/registry/services.h"

enum { EVENTS_LISTENERS_MAX = 1024, EVENTS_LISTENERS_A_CLIENT = 16 };

struct events;

/* The services must outlive it. */
bool events_create(const struct services *services, struct events **out, struct err *err);

/* Tells all listeners the end and takes no more: so that the server need not wait for them when it stops.
 * Takes NULL. */
void events_end(struct events *events);

/* After the last listener has gone. Takes NULL. */
void events_destroy(struct events *events);
AUTO_CLEANER(own_events, struct events *, events_destroy)
#define AUTO_EVENTS AUTO(own_events)

#endif
