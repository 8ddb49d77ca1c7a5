/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/repeats.h"

#include <string.h>

#include "server/module/archives/advice.h"
#include "server/module/violations.h"

bool repeats_allow(struct examination *examination, const struct tree_entry *twin, const char *path,
	const struct member *member)
{
	bool is_folder = member->kind == MEMBER_FOLDER;

	/* A folder may come also where only its files spoke of it so far. */
	if (twin->is_folder && is_folder)
		return true;
	if (!twin->is_folder && !is_folder && twin->size_bytes == member->size_bytes && !twin->is_sparse &&
		!member->is_sparse)
		return true;
	violations_add(examination, RULE_NAME_DUPLICATE, path,
		"The archive has two different members of this name, and clients keep the last; pack it "
		"once: " ADVICE_PACK ".");
	return false;
}

/* The mark of a file with a digest is its place in the list, where a CRC finds no file of that name. */
const struct examined_member *repeats_find_twin(
	const struct examination *examination, const struct tree_entry *twin, const char *path)
{
	const struct examined_member *listed;

	if (twin->mark >= examination->member_count)
		return NULL;
	listed = &examination->members[twin->mark];
	return listed->has_sha256 && strcmp(listed->path, path) == 0 ? listed : NULL;
}

static uint32_t mark_of(const struct examination *examination, const struct passed_file *file)
{
	return file->listed && file->listed->has_sha256 ? (uint32_t)(file->listed - examination->members)
							: file->crc;
}

static bool is_the_same(
	const struct examination *examination, const struct tree_entry *entry, const struct passed_file *file)
{
	const struct examined_member *twin = repeats_find_twin(examination, entry, file->path);

	return twin ? memcmp(twin->sha256, file->digest.bytes, sizeof twin->sha256) == 0
		    : entry->mark == file->crc;
}

void repeats_settle(struct examination *examination, struct tree *tree, const struct passed_file *file)
{
	struct tree_entry entry;

	if (!tree_find(tree, file->path, &entry))
		return;
	if (!file->repeats) {
		entry.mark = mark_of(examination, file);
		tree_put(tree, file->path, &entry);
	} else if (is_the_same(examination, &entry, file)) {
		violations_add(examination, RULE_NAME_REPEATED, file->path,
			"The archive has this file more than once, each time the same; pack it "
			"once: " ADVICE_PACK ".");
	} else {
		violations_add(examination, RULE_NAME_DUPLICATE, file->path,
			"The archive has two different files of this name, and clients keep the last; pack "
			"it once: " ADVICE_PACK ".");
	}
}
