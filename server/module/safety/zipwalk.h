/* SPDX-License-Identifier: Apache-2.0
 *
 * Goes through a zip archive from its beginning, as its bytes come, and gives what its files hold, stored or
 * deflated. What a zip's directory says at its end is not known then: whoever goes by that may see other
 * files, which is told. https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT */
#ifndef SERVER_MODULE_SAFETY_ZIPWALK_H
#define SERVER_MODULE_SAFETY_ZIPWALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/own.h"
#include "server/module/safety/safety_findings.h"

/* Who is told. */
struct zip_listener {
	void (*begin)(void *context, const char *name);
	void (*bytes)(void *context, const uint8_t *data, size_t length);
	void (*end)(void *context);
	void *context;
};

enum { ZIPWALK_RATIO = 200, ZIPWALK_FREE_BYTES = 16 << 20 };

struct zipwalk;

/* All that share a budget unpack no more than ZIPWALK_RATIO times what budget->packed tells, from
 * ZIPWALK_FREE_BYTES on. */
struct zipwalk *zipwalk_create(const struct zip_listener *listener, struct safety_unzipped *budget);
void zipwalk_destroy(struct zipwalk *walk);
AUTO_CLEANER(own_zipwalk, struct zipwalk *, zipwalk_destroy)
#define AUTO_ZIPWALK AUTO(own_zipwalk)

/* The next bytes. False: it needs no more. */
bool zipwalk_feed(struct zipwalk *walk, const uint8_t *data, size_t length);

/* Once there are no more bytes, or it needs none: whether all of its files were gone through, as many as its
 * directory has, and no zip follows. */
bool zipwalk_is_whole(const struct zipwalk *walk);

#endif
