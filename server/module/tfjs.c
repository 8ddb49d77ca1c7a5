/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/tfjs.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "common/own.h"
#include "server/module/membername.h"
#include "server/module/violations.h"

static const char model_json_name[] = "model.json";

AUTO_CLEANER(own_json, json_t *, json_decref)
#define AUTO_JSON AUTO(own_json)

/* Bytes of one element in a shard (tfjs-core, io/types.ts). A string's size is in the shard itself. */
struct dtype_size {
	const char *dtype;
	int64_t bytes;
};

static const struct dtype_size dtype_sizes[] = {{"float32", 4}, {"int32", 4}, {"uint8", 1}, {"bool", 1},
	{"uint16", 2}, {"float16", 2}, {"complex64", 8}};

static int64_t size_of_dtype(const char *dtype)
{
	for (size_t i = 0; i < sizeof dtype_sizes / sizeof *dtype_sizes; i++) {
		if (strcmp(dtype_sizes[i].dtype, dtype) == 0)
			return dtype_sizes[i].bytes;
	}
	return 0;
}

enum declared { DECLARED_SIZE, DECLARED_UNKNOWN, DECLARED_NONSENSE };

static bool count_elements(const json_t *shape, int64_t *out)
{
	json_t *dimension;
	size_t i;

	*out = 1;
	json_array_foreach(shape, i, dimension)
	{
		if (!json_is_integer(dimension) || json_integer_value(dimension) < 0 ||
			__builtin_mul_overflow(*out, (int64_t)json_integer_value(dimension), out))
			return false;
	}
	return json_is_array(shape);
}

/* Quantized weights are stored as the quantization's dtype. */
static enum declared declared_size(const json_t *weight, int64_t *out)
{
	const char *dtype = json_string_value(json_object_get(weight, "dtype"));
	const char *stored =
		json_string_value(json_object_get(json_object_get(weight, "quantization"), "dtype"));
	int64_t elements;

	if (!dtype || !count_elements(json_object_get(weight, "shape"), &elements))
		return DECLARED_NONSENSE;
	if (size_of_dtype(stored ? stored : dtype) == 0)
		return DECLARED_UNKNOWN;
	return __builtin_mul_overflow(elements, size_of_dtype(stored ? stored : dtype), out)
		       ? DECLARED_NONSENSE
		       : DECLARED_SIZE;
}

static enum declared sum_declared(const json_t *weights, int64_t *out)
{
	enum declared total = DECLARED_SIZE;
	json_t *weight;
	size_t i;

	*out = 0;
	if (!json_is_array(weights))
		return DECLARED_NONSENSE;
	json_array_foreach(weights, i, weight)
	{
		int64_t bytes = 0;
		enum declared declared = declared_size(weight, &bytes);

		if (declared == DECLARED_NONSENSE || __builtin_add_overflow(*out, bytes, out))
			return DECLARED_NONSENSE;
		if (declared == DECLARED_UNKNOWN)
			total = DECLARED_UNKNOWN;
	}
	return total;
}

/* The size of one shard; false, with a finding, where it is not among the members. */
static bool find_shard(
	struct examination *examination, const struct tree *members, const char *name, int64_t *out)
{
	char path[ARCHIVE_NAME_MAX + 1];
	const struct tree_entry *entry = NULL;

	if (strlen(name) <= ARCHIVE_NAME_MAX) {
		membername_normalise(name, path);
		entry = name[0] == '/' ? NULL : tree_find(members, path);
	}
	if (!entry || entry->is_folder || strcmp(entry->path, path) != 0) {
		violations_add(examination, RULE_SHARD_MISSING, name,
			"model.json names this shard, but it is not in the archive; pack it as well.");
		return false;
	}
	if (strpbrk(name, "%#?"))
		violations_add(examination, RULE_SHARD_NAME, name,
			"TF.js asks for shards by URL, where \"%%\", \"#\" and \"?\" do not stand for "
			"themselves; rename the file, and in model.json too.");
	*out = entry->size_bytes;
	return true;
}

static bool sum_shards(
	struct examination *examination, const struct tree *members, const json_t *paths, int64_t *out)
{
	bool complete = true;
	json_t *path;
	size_t i;

	*out = 0;
	json_array_foreach(paths, i, path)
	{
		int64_t bytes = 0;

		complete = find_shard(examination, members, json_string_value(path), &bytes) && complete;
		if (__builtin_add_overflow(*out, bytes, out))
			return false;
	}
	return complete;
}

static bool are_strings(const json_t *array)
{
	json_t *item;
	size_t i;

	json_array_foreach(array, i, item)
	{
		if (!json_is_string(item))
			return false;
	}
	return json_is_array(array);
}

static void judge_group(struct examination *examination, const struct tree *members, const json_t *group)
{
	const json_t *paths = json_object_get(group, "paths");
	int64_t declared_bytes;
	int64_t actual_bytes;
	enum declared declared = sum_declared(json_object_get(group, "weights"), &declared_bytes);

	if (declared == DECLARED_NONSENSE || !are_strings(paths)) {
		violations_add(examination, RULE_MODEL_JSON_BROKEN, model_json_name,
			"A group of weightsManifest lacks paths, or weights with shape and dtype; convert "
			"the model again.");
		return;
	}
	if (!sum_shards(examination, members, paths, &actual_bytes) || declared == DECLARED_UNKNOWN)
		return;
	if (actual_bytes != declared_bytes)
		violations_add(examination, RULE_SHARD_SIZE, model_json_name,
			"The weights are declared as %" PRId64 " bytes, but their shards have %" PRId64
			"; one of them is cut off or not of this model.",
			declared_bytes, actual_bytes);
}

/* Each value but the first stands behind one of these: a bound on what the JSON becomes in memory. */
static bool has_too_many_values(const struct buffer *json)
{
	size_t values = 0;

	for (size_t i = 0; i < json->length; i++)
		values += json->data[i] == ',' || json->data[i] == '[' || json->data[i] == '{';
	return values > TFJS_JSON_VALUES_MAX;
}

static void judge_manifest(struct examination *examination, const struct tree *members, const json_t *model)
{
	const json_t *manifest = json_object_get(model, "weightsManifest");
	json_t *group;
	size_t i;

	if (!json_is_object(model) || (!manifest && !json_object_get(model, "modelTopology"))) {
		violations_add(examination, RULE_MODEL_JSON_BROKEN, model_json_name,
			"model.json has neither modelTopology nor weightsManifest: it is no TF.js model.");
		return;
	}
	if (manifest && !json_is_array(manifest)) {
		violations_add(examination, RULE_MODEL_JSON_BROKEN, model_json_name,
			"weightsManifest is not an array.");
		return;
	}
	json_array_foreach(manifest, i, group) judge_group(examination, members, group);
}

void tfjs_judge(struct examination *examination, const struct buffer *model_json, const struct tree *members)
{
	AUTO_JSON json_t *model = NULL;
	json_error_t error;

	if (has_too_many_values(model_json)) {
		violations_add(examination, RULE_MODEL_JSON_BROKEN, model_json_name,
			"model.json has more than %d values.", TFJS_JSON_VALUES_MAX);
		return;
	}
	model = json_loadb(buffer_string(model_json), model_json->length, 0, &error);
	if (!model) {
		violations_add(examination, RULE_MODEL_JSON_BROKEN, model_json_name,
			"model.json is not JSON: line %d: %s.", error.line, error.text);
		return;
	}
	judge_manifest(examination, members, model);
}
