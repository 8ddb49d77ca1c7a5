/* SPDX-License-Identifier: Apache-2.0
 *
 * What bytes look like that are not what they should be, for the words of a refusal. */
#ifndef SERVER_MODULE_ARCHIVES_MAGIC_H
#define SERVER_MODULE_ARCHIVES_MAGIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As many bytes as tell all there is to tell. */
enum { MAGIC_BYTES = 512 };

/* What should stand where they are. */
enum magic_place {
	MAGIC_FOR_GZIP,   /* an archive */
	MAGIC_FOR_TAR,    /* the tar in its gzip stream */
	MAGIC_FOR_TFLITE, /* a bare .tflite file */
	MAGIC_PLACES
};

struct magic {
	size_t offset;
	const char *bytes;
	const char *meaning;              /* "a zip archive" */
	const char *advice[MAGIC_PLACES]; /* a clause that says what to do about it; NULL where that place's
					   * own words say more */
};

/* What a file that begins so is; "something else" where that cannot be told. */
const struct magic *magic_find(const uint8_t *data, size_t length);

/* Whether a file that begins so is the pointer that Git LFS keeps in place of a large file. */
bool magic_is_lfs_pointer(const uint8_t *data, size_t length);

#endif
