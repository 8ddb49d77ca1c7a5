/* SPDX-License-Identifier: Apache-2.0
 *
 * A file that arrives: "<target>.part" beside it until it is whole, with the digest that it is to have in
 * "<target>.part.tag", so that an interrupted one can be gone on with. Or standard output, which cannot. */
#ifndef SERVER_COMMAND_PART_FILE_H
#define SERVER_COMMAND_PART_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"

struct part_file {
	char *target; /* NULL: standard output */
	char *path;
	char *tag_path;
	int fd; /* -1: not open */
	int64_t length_bytes;
	struct hasher *hasher;
	bool has_tag; /* the digest that all of it is to have is known */
	struct digest tag;
};

/* Opens the part of this target, copied, for this process alone, with what an interrupted one left; NULL is
 * standard output. ERR_CONFLICT: another process has it. */
bool part_file_open(struct part_file *part, const char *target, struct err *err);

/* Closes; what can be gone on with stays. */
void part_file_finish(struct part_file *part);

/* Empties it for bytes that are to have this digest; NULL: it is not known. ERR_CONFLICT where standard
 * output has some already. */
bool part_file_restart(struct part_file *part, const struct digest *tag, struct err *err);

bool part_file_add(struct part_file *part, const void *bytes, size_t length, struct err *err);

/* Of all its bytes; to be called once, after which it is committed, restarted or removed. */
struct digest part_file_digest(struct part_file *part);

/* Gives it its final name, durably; in the place of another file only with replace (ERR_CONFLICT). */
bool part_file_commit(struct part_file *part, bool replace, struct err *err);

/* Removes it, and its tag. */
void part_file_remove(struct part_file *part);

/* Renames a file or folder, durably, if nothing has that name or replace is set. ERR_CONFLICT. */
bool part_file_rename(const char *from, const char *to, bool replace, struct err *err);

/* Of a whole file, from its beginning. */
bool part_file_hash(int fd, struct hasher *hasher, int64_t *out_length, struct err *err);

#endif
