/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes a module's archive (tar.gz) from files that are handed over one after the other. It is not
 * compressed: weights hardly can be, and its bytes follow from the files alone, whatever library there is. */
#ifndef SERVER_MODULE_ARCHIVES_TARBALL_H
#define SERVER_MODULE_ARCHIVES_TARBALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

/* Takes the archive's next bytes. */
struct tarball_sink {
	bool (*write)(void *context, const void *bytes, size_t length, struct err *err);
	void *context;
};

struct tarball;

/* Each function fails with what the sink fails with; a tarball that has failed can only be destroyed. destroy
 * takes NULL. */
struct tarball *tarball_create(const struct tarball_sink *sink);
void tarball_destroy(struct tarball *tarball);
AUTO_CLEANER(own_tarball, struct tarball *, tarball_destroy)
#define AUTO_TARBALL AUTO(own_tarball)

/* The folder that all files stand in, as hub clients want it to come first. Sub-folders are the caller's to
 * add, before their files: "assets". */
bool tarball_add_folder(struct tarball *tarball, const char *path, struct err *err);

/* A file begins: size_bytes of content must follow before the next one, or the end. The path is relative and
 * in normal form. */
bool tarball_add_file(struct tarball *tarball, const char *path, int64_t size_bytes, struct err *err);
bool tarball_write(struct tarball *tarball, const void *bytes, size_t length, struct err *err);

bool tarball_finish(struct tarball *tarball, struct err *err);

#endif
