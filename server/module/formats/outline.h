/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of a TF.js model.json that tell what it takes and gives, kept as a tree of at most a few
 * megabytes while the rest, however much, streams by: nodes without their constants, layers without their
 * initializers. */
#ifndef SERVER_MODULE_FORMATS_OUTLINE_H
#define SERVER_MODULE_FORMATS_OUTLINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* All that may be kept of one file, as outline.c weighs it, and how deep. */
enum { OUTLINE_BYTES_MAX = 4 << 20, OUTLINE_DEPTH_MAX = 64, OUTLINE_TEXT_MAX = 4096 };

struct outline_frame {
	json_t *container; /* of the frame above, or the root */
	unsigned char place;
	bool is_array;
};

/* Zeroed to begin with. The calls follow the file's events. */
struct outline {
	json_t *root;
	struct outline_frame frames[OUTLINE_DEPTH_MAX];
	size_t depth;
	size_t passed_by; /* containers that are open, and not kept */
	char *key;        /* of the next value */
	unsigned char next;
	size_t bytes;
	bool truncated; /* something that belongs here had no room */
};
void outline_finish(struct outline *outline);

void outline_begin(struct outline *outline, bool is_array);
void outline_end(struct outline *outline);
void outline_key(struct outline *outline, const char *key, size_t length);
void outline_text(struct outline *outline, const char *text, size_t length);
void outline_number(struct outline *outline, const char *text, size_t length);
void outline_boolean(struct outline *outline, bool truth);
void outline_null(struct outline *outline);

#endif
