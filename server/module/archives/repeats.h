/* SPDX-License-Identifier: Apache-2.0
 *
 * Files that an archive has more than once. Hub clients keep the last, others the first: one may come again
 * only as what it was, which its digest tells where that is known, else its CRC. */
#ifndef SERVER_MODULE_ARCHIVES_REPEATS_H
#define SERVER_MODULE_ARCHIVES_REPEATS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "server/module/archives/archive.h"
#include "server/module/archives/tree.h"
#include "server/module/findings.h"

/* Whether a member may come again where the archive has had this one of its name; else it is reported. */
bool repeats_allow(struct examination *examination, const struct tree_entry *twin, const char *path,
	const struct member *member);

/* The file of this name that was there before, as it is listed; NULL where its digest is not known. */
const struct examined_member *repeats_find_twin(
	const struct examination *examination, const struct tree_entry *twin, const char *path);

/* A file that was passed. */
struct passed_file {
	const char *path;
	bool repeats;
	const struct examined_member *listed; /* … now, or NULL */
	uint32_t crc;
	struct digest digest; /* where repeats_find_twin finds one */
};

/* Remembers a file that is new, and reports one that came again. */
void repeats_settle(struct examination *examination, struct tree *tree, const struct passed_file *file);

#endif
