/* SPDX-License-Identifier: Apache-2.0
 *
 * The page's own files (static/), as the build embeds them: style sheet, scripts, icon. */
#ifndef SERVER_WEB_ASSETS_H
#define SERVER_WEB_ASSETS_H

#include <stddef.h>

struct asset {
	const char *name; /* "larder.css" */
	const char *media_type;
	const char *digest; /* of the plain bytes, hexadecimal */
	const unsigned char *plain;
	size_t plain_length;
	const unsigned char *packed; /* the same as gzip */
	size_t packed_length;
};

extern const struct asset assets[];
extern const size_t asset_count;

/* Changes with any of the files: a part of their URLs (/-/static/<revision>/<name>), so that they may be
 * cached for ever and an upgrade shows at once. */
extern const char assets_revision[];

#endif
