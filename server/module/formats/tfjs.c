/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/formats/tfjs.h"

#include <inttypes.h>
#include <string.h>

#include "server/module/archives/membername.h"
#include "server/module/violations.h"

static const char model_json_name[] = "model.json";

/* The size of one shard; false, with a finding, where it is not among the members. */
static bool find_shard(
	struct examination *examination, const struct tree *members, const char *name, int64_t *out)
{
	char path[ARCHIVE_NAME_MAX + 1];
	struct tree_entry entry;
	bool found = false;

	if (strstr(name, "://") || strncmp(name, "//", 2) == 0)
		safety_findings_add(&examination->safety, SAFETY_TFJS_REMOTE, model_json_name, "%s", name);
	if (strlen(name) <= ARCHIVE_NAME_MAX) {
		membername_normalise(name, path);
		found = name[0] != '/' && tree_find(members, path, &entry);
	}
	if (!found || entry.is_folder) {
		violations_add(examination, RULE_SHARD_MISSING, name,
			"model.json names this shard, but it is not in the archive; pack it as well.");
		return false;
	}
	if (strpbrk(name, "%#?"))
		violations_add(examination, RULE_SHARD_NAME, name,
			"TF.js asks for shards by URL, where \"%%\", \"#\" and \"?\" do not stand for "
			"themselves; rename the file, and in model.json too.");
	*out = entry.size_bytes;
	return true;
}

/* False where one is missing, or all of them have more bytes than can be. */
static bool sum_shards(struct examination *examination, const struct tree *members,
	const struct manifest *manifest, const struct manifest_group *group, int64_t *out)
{
	const char *name = buffer_string(&manifest->names) + group->names_at;
	bool complete = true;

	*out = 0;
	for (size_t i = 0; i < group->name_count; i++, name += strlen(name) + 1) {
		int64_t bytes = 0;

		complete = find_shard(examination, members, name, &bytes) && complete;
		if (__builtin_add_overflow(*out, bytes, out))
			return false;
	}
	return complete;
}

static void judge_group(struct examination *examination, const struct tree *members,
	const struct manifest *manifest, const struct manifest_group *group)
{
	int64_t actual_bytes;

	if (group->declared == DECLARED_NONSENSE) {
		violations_add(examination, RULE_MODEL_JSON_BROKEN, model_json_name,
			"A group of weightsManifest lacks paths, or weights with shape and dtype; convert "
			"the model again.");
		return;
	}
	if (!sum_shards(examination, members, manifest, group, &actual_bytes) ||
		group->declared == DECLARED_UNKNOWN)
		return;
	if (actual_bytes != group->declared_bytes)
		violations_add(examination, RULE_SHARD_SIZE, model_json_name,
			"The weights are declared as %" PRId64 " bytes, but their shards have %" PRId64
			"; one of them is cut off or not of this model.",
			group->declared_bytes, actual_bytes);
}

void tfjs_judge(struct examination *examination, const struct manifest *manifest, const struct tree *members)
{
	if (!manifest->has_topology && !manifest->has_weights) {
		violations_add(examination, RULE_MODEL_JSON_BROKEN, model_json_name,
			"model.json has neither modelTopology nor weightsManifest: it is no TF.js model.");
		return;
	}
	if (manifest->has_weights && !manifest->is_array) {
		violations_add(examination, RULE_MODEL_JSON_BROKEN, model_json_name,
			"weightsManifest is not an array.");
		return;
	}
	for (size_t i = 0; i < manifest->group_count; i++)
		judge_group(examination, members, manifest, &manifest->groups[i]);
}
