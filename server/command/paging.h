/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of a registry, page by page: each is given away as it comes, however many there are. */
#ifndef SERVER_COMMAND_PAGING_H
#define SERVER_COMMAND_PAGING_H

#include "server/command/remote.h"

/* GETs a list and what its "next" leads to, and hands over each page (the walk's own) in turn. Fails as
 * remote_get(), and where pages lead in a circle. */
bool paging_walk(struct remote *remote, const char *target, void (*take)(void *context, const json_t *page),
	void *context, struct err *err);

/* The same in the middle of something that is worth waiting for: a page that does not come is asked for again
 * (patience.h). take answering false, with *err, ends it. */
bool paging_walk_patiently(struct remote *remote, const char *target,
	bool (*take)(void *context, const json_t *page, struct err *err), void *context, struct err *err);

#endif
