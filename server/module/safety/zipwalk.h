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

/* Who is told. */
struct zip_listener {
	void (*begin)(void *context, const char *name);
	void (*bytes)(void *context, const uint8_t *data, size_t length);
	void (*end)(void *context);
	void *context;
};

struct zipwalk;

/* No more than max_bytes are unpacked of it. */
struct zipwalk *zipwalk_create(const struct zip_listener *listener, int64_t max_bytes);
void zipwalk_destroy(struct zipwalk *walk);
AUTO_CLEANER(own_zipwalk, struct zipwalk *, zipwalk_destroy)
#define AUTO_ZIPWALK AUTO(own_zipwalk)

/* The next bytes. False: it needs no more. */
bool zipwalk_feed(struct zipwalk *walk, const uint8_t *data, size_t length);

/* Once there are no more bytes, or it needs none: whether all of its files were gone through. */
bool zipwalk_is_whole(const struct zipwalk *walk);

#endif
