/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of a text that a handler made: its ETag, 304 for whoever has it, gzip for whoever takes that.
 * Decided here for JSON and pages alike; bytes of modules, files and streams pass as they are. */
#ifndef SERVER_HTTP_RENDITION_H
#define SERVER_HTTP_RENDITION_H

#include <stdbool.h>

#include "common/own.h"
#include "server/http/reply.h"
#include "server/http/request.h"

/* Texts that were packed lately, by what they are: whoever asks for the same again is not to cost a packing.
 * Bounded. */
struct renditions;

struct renditions *renditions_create(void);
/* Takes NULL. */
void renditions_destroy(struct renditions *renditions);
AUTO_CLEANER(own_renditions, struct renditions *, renditions_destroy)
#define AUTO_RENDITIONS AUTO(own_renditions)

/* Whether Accept-Encoding takes gzip (RFC 9110 section 12.5.3). NULL: there is no such field. */
bool rendition_takes_gzip(const char *accept_encoding);

/* Finishes a reply. Packs, so not on a loop thread. */
void rendition_finish(struct renditions *renditions, const struct request *request, struct reply *reply);

#endif
