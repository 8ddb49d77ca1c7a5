/* SPDX-License-Identifier: Apache-2.0
 *
 * Text that becomes longer than memory is to be, in a file beside the blobs that are on their way. */
#ifndef SERVER_BUNDLE_NOTES_H
#define SERVER_BUNDLE_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/bundle/contents.h"
#include "server/store/outgoing.h"

struct notes {
	int fd;
	int64_t length;
	struct hasher *hasher;
};
/* finish takes one whose fd is -1. */
bool notes_open(struct notes *notes, struct outgoing *outgoing, struct err *err);
void notes_finish(struct notes *notes);

bool notes_add(struct notes *notes, const void *bytes, size_t length, struct err *err);
/* All of another. */
bool notes_append(struct notes *notes, const struct notes *other, struct err *err);

/* What it is as a blob; nothing can be added from here on. */
struct bundle_blob notes_blob(struct notes *notes);

/* It from the start, which the caller closes. */
FILE *notes_file(struct notes *notes);

#endif
