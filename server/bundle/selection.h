/* SPDX-License-Identifier: Apache-2.0
 *
 * Which versions and artifacts are to be exported, and what of it is not here. */
#ifndef SERVER_BUNDLE_SELECTION_H
#define SERVER_BUNDLE_SELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog_versions.h"

enum { SELECTION_WISHES_MAX = 200000, SELECTION_PATTERNS_MAX = 1000 };

enum wish_gap {
	GAP_NONE,      /* it is here */
	GAP_UNKNOWN,   /* nothing like it is known */
	GAP_ABSENT,    /* its bytes are not here */
	GAP_WITHDRAWN, /* the version was withdrawn, and is exported as that */
	GAP_DIFFERENT  /* other bytes are here */
};

/* A path, a pattern, or an artifact to the byte. */
struct selected {
	char *text; /* "acme/x" (all its versions), "acme/x/1", or a pattern of either */
	bool has_format;
	enum format format;
	bool has_digest;
	struct digest digest;
	bool may_lack;   /* it is no fault where it is not here */
	bool is_pattern; /* content with what is only listed */
	enum wish_gap gap;
};

struct selection {
	struct selected *items; /* sorted by text, once sealed */
	size_t count;
	size_t capacity;
	struct selected *patterns;
	size_t pattern_count;
	size_t pattern_capacity;
	bool words_only; /* documentation, and no bytes */
};
void selection_finish(struct selection *selection);

/* "acme/x", "acme/x/1?lite-format=tflite", "acme/[ab]*", or a URL of such a path, whatever its host:
 * ERR_BAD_REQUEST for what can name nothing. */
bool selection_add_path(struct selection *selection, const char *path, struct err *err);

/* One artifact to the byte; one that may be lacking. Copied. */
bool selection_add(struct selection *selection, const struct selected *selected, struct err *err);

/* Before it is asked. One without any wish selects all that is here. */
void selection_seal(struct selection *selection);

/* Whether some wish may mean the version. */
bool selection_means(const struct selection *selection, const char *handle, int64_t version);

/* Which artifacts of a version that is meant are to go; notes what is lacking. *out_taken is false where
 * nothing of it is to go. is_documented: it has documentation. */
void selection_judge(struct selection *selection, const struct version_details *details, bool is_documented,
	bool out_formats[FORMAT_COUNT], bool *out_taken);

/* The next wish (from *position on) that is not met, without those that may be lacking; NULL at the end. */
const struct selected *selection_next_gap(const struct selection *selection, size_t *position);

/* The gap in one word for programs, as lock files have it: "not-known", "not-cached", "withdrawn". */
const char *selection_gap_name(enum wish_gap gap);

/* A sentence about it. */
void selection_tell(const struct selected *selected, struct err *out);

#endif
