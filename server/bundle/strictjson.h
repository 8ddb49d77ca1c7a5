/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON of strangers in bounded memory, and what a member must be. */
#ifndef SERVER_BUNDLE_STRICTJSON_H
#define SERVER_BUNDLE_STRICTJSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/err.h"
#include "server/module/name.h"

/* Takes all members but these out of the text of an object, so that what nobody reads costs nothing. keys
 * ends with NULL. Text that is no object, or broken, stays so. */
void strictjson_strip(struct buffer *text, const char *const *keys);

/* Reads one value of at most this many values; text is what the caller has limited. Keys that are there twice
 * are refused. ERR_BAD_REQUEST with a sentence without control characters. */
bool strictjson_parse(const char *text, size_t length, size_t values_max, json_t **out, struct err *err);

/* A text of an object, with no NUL in it; NULL for anything else, and where it is not there. */
const char *strictjson_text(const json_t *object, const char *key);

/* Whether a member is a number that is not negative. */
bool strictjson_number(const json_t *object, const char *key, int64_t *out);

/* The name of a handle and a version, as JSON has them apart, in FORMAT_TF_HUB; false for what no path can
 * name.
 */
bool strictjson_names(const char *handle, int64_t version, struct name *out);
/* That of an object's "handle" and "version". */
bool strictjson_name(const json_t *object, struct name *out, struct err *err);

/* Whether it is a time (RFC 3339). */
bool strictjson_time(const json_t *object, const char *key, int64_t *out_s);

/* Whether a text is another in which one bit was flipped: damage, and no word of anybody's. */
bool strictjson_is_flipped(const char *text, const char *of);

/* "sha256:…", as it is written here. */
bool strictjson_digest(const json_t *object, const char *key, struct digest *out);
json_t *strictjson_digest_value(const struct digest *digest);

#endif
