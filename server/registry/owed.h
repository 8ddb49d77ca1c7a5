/* SPDX-License-Identifier: Apache-2.0
 *
 * What was evicted and the file system has not given back yet: it frees later (btrfs, XFS), or somebody still
 * has the file open. More must not go for the same need. */
#ifndef SERVER_REGISTRY_OWED_H
#define SERVER_REGISTRY_OWED_H

#include <stdint.h>

enum { OWED_PATIENCE_MS = 10 * 1000 };

/* Zeroed, nothing is owed. Its user guards it. */
struct owed {
	int64_t bytes;
	int64_t enough;     /* settled where no more than this is left */
	int64_t seen_bytes; /* free, and promised to nobody, when it was last looked at */
	int64_t until_ms;
};

/* So many bytes went, and before_bytes were free and promised to nobody until then. */
void owed_note(struct owed *owed, int64_t went_bytes, int64_t before_bytes, int64_t now_ms);

/* So many are free now: what is still owed. After OWED_PATIENCE_MS that is nothing: the log says so. */
int64_t owed_settle(struct owed *owed, int64_t unpromised_bytes, int64_t now_ms);

/* So many more were promised, or fewer: that alone makes none of them owed, and none come. */
void owed_shift(struct owed *owed, int64_t bytes);

#endif
