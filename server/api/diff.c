/* SPDX-License-Identifier: Apache-2.0
 *
 * Two versions of a module held against each other. */
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/model.h"
#include "server/api/version.h"
#include "server/module/savedmodel/comparison.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_inspection.h"
#include "server/store/catalog/catalog_versions.h"

enum { FILES_MAX = 1000 };

/* One of the two. */
struct side {
	struct name name;
	struct version_details details;
	const struct artifact *artifact;
};

struct sides {
	struct side from;
	struct side to;
	struct file_change *files;
	size_t file_count;
	bool more_files;
};

static void finish_sides(struct sides *sides)
{
	version_details_finish(&sides->from.details);
	version_details_finish(&sides->to.details);
	file_changes_destroy(sides->files, sides->file_count);
}

/* ---- which two ---- */

/* "<handle>/<from>/<to>" */
static bool read_names(const char *rest, struct sides *out, struct err *err)
{
	AUTO_FREE char *path = mem_dup(rest);
	char *slash = strrchr(path, '/');
	int64_t to;

	if (!slash || !number_parse(slash + 1, &to) || to < 1 || slash[1] == '0')
		return err_set(err, ERR_BAD_REQUEST,
			"The path must end with two versions, as in \"google/nnlm-en-dim50/1/2\".");
	*slash = '\0';
	out->from.name.format = FORMAT_TF_HUB;
	if (!name_parse_versioned(path, &out->from.name, err))
		return false;
	out->to.name = out->from.name;
	out->to.name.version = to;
	return true;
}

static const struct artifact *find_artifact(const struct version_details *details, enum format format)
{
	for (size_t i = 0; i < details->artifact_count; i++) {
		const struct artifact *artifact = &details->artifacts[i].artifact;

		if (artifact->recorded && artifact_is_examined(artifact) && artifact->name.format == format)
			return artifact;
	}
	return NULL;
}

static bool has_both(struct sides *sides, enum format format)
{
	sides->from.artifact = find_artifact(&sides->from.details, format);
	sides->to.artifact = find_artifact(&sides->to.details, format);
	sides->from.name.format = sides->to.name.format = format;
	return sides->from.artifact && sides->to.artifact;
}

/* The format that is asked for, or the first that both have. */
static bool choose_format(const struct ask *ask, struct sides *sides, struct err *err)
{
	const char *wanted = query_find(ask->query, "format");
	enum format format = FORMAT_TF_HUB;

	if (wanted && !format_parse(wanted, &format))
		return err_set(err, ERR_BAD_REQUEST, "The format must be " FORMATS_IN_WORDS ".");
	while (!has_both(sides, format)) {
		if (wanted || format + 1 == FORMAT_COUNT)
			return err_set(err, ERR_NOT_FOUND,
				"Versions %lld and %lld of %.80s were not both here%s%s yet; only what was "
				"seen can be compared.",
				(long long)sides->from.name.version, (long long)sides->to.name.version,
				sides->from.name.handle, wanted ? " as " : "", wanted ? wanted : "");
		format++;
	}
	return true;
}

static bool load_sides(const struct ask *ask, struct sides *sides, struct err *err)
{
	const struct services *services = ask->services;

	return read_names(ask->rest, sides, err) &&
	       version_find(services, &sides->from.name, &sides->from.details, err) &&
	       version_find(services, &sides->to.name, &sides->to.details, err) &&
	       choose_format(ask, sides, err) &&
	       catalog_compare_files(services->catalog, &sides->from.name, &sides->to.name, FILES_MAX,
		       &sides->files, &sides->file_count, &sides->more_files, err);
}

/* ---- models ---- */

static json_t *type_or_null(const struct tensor *tensor)
{
	return tensor ? model_tensor_type_json(tensor) : json_null();
}

static json_t *tensors_json(const struct tensor_changes *changes)
{
	json_t *array = json_array();

	for (size_t i = 0; i < changes->count; i++) {
		const struct tensor_change *change = &changes->items[i];
		const struct tensor *either = change->to ? change->to : change->from;

		json_array_append_new(array,
			json_pack("{s:o, s:s, s:b, s:o, s:o}", "name", answer_text(either->name), "change",
				change_name(change->change), "breaking", (int)change->breaking, "from",
				type_or_null(change->from), "to", type_or_null(change->to)));
	}
	return array;
}

static json_t *functions_json(const struct function_changes *changes)
{
	json_t *array = json_array();

	for (size_t i = 0; i < changes->count; i++) {
		const struct function_change *change = &changes->items[i];

		json_array_append_new(array,
			json_pack("{s:o, s:o, s:s, s:b, s:o, s:o}", "meta_graph",
				model_tags_json(change->graph), "name", answer_text(change->name), "change",
				change_name(change->change), "breaking", (int)change->breaking, "inputs",
				tensors_json(&change->inputs), "outputs", tensors_json(&change->outputs)));
	}
	return array;
}

static json_t *ops_json(const struct comparison *comparison)
{
	json_t *array = json_array();

	for (size_t i = 0; i < comparison->op_count; i++) {
		const struct op_change *op = &comparison->ops[i];

		json_array_append_new(array, json_pack("{s:o, s:I, s:I}", "op", answer_text(op->op), "from",
						     (json_int_t)op->from, "to", (json_int_t)op->to));
	}
	return array;
}

static const struct saved_model *model_of(const struct side *side)
{
	return version_model(&side->details, side->name.format);
}

static json_t *models_json(const struct sides *sides)
{
	static const struct saved_model none;
	const struct saved_model *from = model_of(&sides->from);
	const struct saved_model *to = model_of(&sides->to);
	AUTO(comparison_finish) struct comparison comparison = {0};

	/* Formats without signatures differ in none, nor do those of which one is not listed yet. */
	if (!from || !to)
		from = to = &none;
	compare_models(from, to, &comparison);
	return json_pack("{s:b, s:o, s:o, s:o}", "breaking", (int)comparison.breaking, "signatures",
		functions_json(&comparison.signatures), "callables", functions_json(&comparison.callables),
		"ops", ops_json(&comparison));
}

/* ---- files ---- */

static json_t *size_or_null(int64_t bytes)
{
	return bytes < 0 ? json_null() : json_integer(bytes);
}

static json_t *files_json(const struct sides *sides)
{
	json_t *array = json_array();

	for (size_t i = 0; i < sides->file_count; i++) {
		const struct file_change *file = &sides->files[i];
		enum change change = file->from_bytes < 0 ? CHANGE_ADDED
				     : file->to_bytes < 0 ? CHANGE_REMOVED
							  : CHANGE_CHANGED;

		json_array_append_new(
			array, json_pack("{s:o, s:s, s:o, s:o, s:s*, s:s*}", "path", answer_text(file->path),
				       "change", change_name(change), "from", size_or_null(file->from_bytes),
				       "to", size_or_null(file->to_bytes), "from_sha256",
				       file->has_digests ? file->from_sha256.hex : NULL, "to_sha256",
				       file->has_digests ? file->to_sha256.hex : NULL));
	}
	return array;
}

/* ---- the answer ---- */

static json_t *two_numbers(int64_t from, int64_t to)
{
	return json_pack("{s:I, s:I}", "from", (json_int_t)from, "to", (json_int_t)to);
}

static json_t *tensorflow_version(const struct saved_model *model)
{
	bool is_known = model && model->meta_graph_count > 0 && *model->meta_graphs[0].tensorflow_version;

	return is_known ? answer_text(model->meta_graphs[0].tensorflow_version) : json_null();
}

static json_t *diff_json(const struct sides *sides)
{
	const struct artifact *from = sides->from.artifact, *to = sides->to.artifact;
	json_t *object = json_pack("{s:s, s:I, s:I, s:s}", "handle", sides->from.name.handle, "from",
		(json_int_t)sides->from.name.version, "to", (json_int_t)sides->to.name.version, "format",
		formats[sides->from.name.format].name);

	(void)json_object_update_new(object, models_json(sides));
	json_object_set_new(object, "size_bytes", two_numbers(from->size_bytes, to->size_bytes));
	json_object_set_new(object, "unpacked_bytes", two_numbers(from->unpacked_bytes, to->unpacked_bytes));
	json_object_set_new(object, "tensorflow_version",
		json_pack("{s:o, s:o}", "from", tensorflow_version(model_of(&sides->from)), "to",
			tensorflow_version(model_of(&sides->to))));
	json_object_set_new(object, "files", files_json(sides));
	if (sides->more_files)
		json_object_set_new(object, "files_truncated", json_true());
	return object;
}

json_t *ask_diff(const struct ask *ask, struct err *err)
{
	AUTO(finish_sides) struct sides sides = {0};

	return load_sides(ask, &sides, err) ? diff_json(&sides) : NULL;
}

void api_diff(void *services, struct request *request, struct reply *reply)
{
	answer_ask_with(services, request, reply, ask_diff, "format");
}
