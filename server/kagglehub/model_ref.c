/* SPDX-License-Identifier: Apache-2.0 */
#include "server/kagglehub/model_ref.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/kagglehub/kaggle_body.h"
#include "server/registry/zip_pieces.h"
#include "server/store/catalog/catalog_spellings.h"

void model_ref_finish(struct model_ref *ref)
{
	free(ref->model);
	free(ref->variation);
	free(ref->written);
	free(ref->file);
	*ref = (struct model_ref){0};
}

/* ---- the pieces ---- */

static bool write_handle(struct model_ref *ref, const char *word, struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s/%s/%s/1", ref->model, word, ref->variation);
	struct name read = {.handle = ""};

	if (!name_parse_versioned(path, &read, err))
		return false;
	(void)snprintf(ref->name.handle, sizeof ref->name.handle, "%s", read.handle);
	return true;
}

static bool is_slug(const char *text)
{
	return text && *text && !strchr(text, '/');
}

char *model_ref_model(const char *owner, const char *model, struct err *err)
{
	if (is_slug(owner) && is_slug(model))
		return mem_printf("%s/%s", owner, model);
	(void)err_set(err, ERR_BAD_REQUEST,
		"A model has an owner and a name, as in \"google/nnlm/tensorFlow2/en-dim50\".");
	return NULL;
}

/* An empty one is none. What no archive can have leads nowhere. */
static bool set_file(struct model_ref *ref, const char *file, struct err *err)
{
	if (!file || !*file)
		return true;
	if (strlen(file) + 1 + strlen(name_path(&ref->name).text) > NAME_PATH_MAX)
		return err_set(err, ERR_BAD_REQUEST,
			"The path \"%.40s…\" is too long: with its version it may have %d bytes", file,
			NAME_PATH_MAX);
	if (!zip_pieces_is_path(file))
		return err_set(err, ERR_BAD_REQUEST,
			"\"%.100s\" is no path of a file in a model: it begins with no \"/\", and has no "
			"\"..\"",
			file);
	ref->file = mem_dup(file);
	return true;
}

bool model_ref_check_model(const char *model, struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s/1", model);
	struct name read = {.handle = ""};

	return name_parse_versioned(path, &read, err);
}

bool model_ref_set(struct model_ref *out, const char *model, const char *framework, const char *variation,
	int64_t version, const char *file, struct err *err)
{
	AUTO_MODEL_REF struct model_ref ref = {.model = mem_dup(model), .variation = mem_dup(variation)};

	if (!is_slug(variation) || !framework || !framework_read(framework, &ref.framework))
		return err_set(err, ERR_BAD_REQUEST,
			"A model's handle has four parts, as in \"google/nnlm/tensorFlow2/en-dim50\".");
	ref.written = mem_dup(framework);
	ref.name.version = version;
	ref.name.format = ref.framework.format;
	if (!write_handle(&ref, ref.framework.word, err) || !set_file(&ref, file, err))
		return false;
	*out = ref;
	ref = (struct model_ref){0};
	return true;
}

/* ---- a path ---- */

enum { PARTS = 6 };

/* Cuts the text at its slashes; the last part is all the rest. */
static size_t split(char *text, char *parts[PARTS])
{
	size_t count = 0;

	while (text && count + 1 < PARTS)
		parts[count++] = strsep(&text, "/");
	if (text)
		parts[count++] = text;
	return count;
}

/* "files", "download" or "download/a/b", behind a version. */
static enum model_call read_end(const char *end, const char **file)
{
	static const char download[] = "download";
	size_t length = strlen(download);

	*file = NULL;
	if (strcmp(end, "files") == 0)
		return CALL_FILES;
	if (strncmp(end, download, length) != 0 || (end[length] && end[length] != '/'))
		return CALL_UNKNOWN;
	if (end[length])
		*file = end + length + 1;
	return CALL_DOWNLOAD;
}

static bool read_version(const char *text, int64_t *out, struct err *err)
{
	return (number_parse(text, out) && *out > 0) ||
	       err_set(err, ERR_BAD_REQUEST, "\"%.40s\" is no version: that is a whole number from 1 on.",
		       text);
}

static bool is_get(const char *part)
{
	return strcmp(part, "get") == 0;
}

bool model_ref_read_path(const char *rest, struct model_ref *out, enum model_call *call, struct err *err)
{
	AUTO_FREE char *text = mem_dup(rest);
	AUTO_FREE char *model = NULL;
	char *parts[PARTS];
	size_t count = split(text, parts);
	const char *file = NULL;
	int64_t version = 0;

	*call = CALL_UNKNOWN;
	if (count < 3)
		return true;
	model = model_ref_model(parts[0], parts[1], err);
	if (!model)
		return false;
	if (count == 3 && is_get(parts[2])) {
		out->model = TAKE(model);
		*call = CALL_MODEL;
		return true;
	}
	if (count == 5 && is_get(parts[4]))
		*call = CALL_LATEST;
	else if (count == PARTS)
		*call = read_end(parts[5], &file);
	if (*call == CALL_UNKNOWN)
		return true;
	return (*call == CALL_LATEST || read_version(parts[4], &version, err)) &&
	       model_ref_set(out, model, parts[2], parts[3], version, file, err);
}

/* ---- JSON ---- */

bool model_ref_read_json(const json_t *body, bool with_version, struct model_ref *out, struct err *err)
{
	AUTO_FREE char *model =
		model_ref_model(kaggle_text(body, "ownerSlug"), kaggle_text(body, "modelSlug"), err);
	int64_t version = json_integer_value(json_object_get(body, "versionNumber"));
	const char *variation = kaggle_text(body, "instanceSlug");

	if (!model)
		return false;
	if (with_version && version < 1)
		return err_set(err, ERR_BAD_REQUEST, "The call needs a versionNumber from 1 on.");
	return model_ref_set(out, model, kaggle_text(body, "framework"), variation ? variation : "",
		with_version ? version : 0, kaggle_text(body, "path"), err);
}

/* ---- what is known ---- */

bool model_ref_resolve(
	struct model_ref *ref, struct catalog *catalog, bool for_upload, bool *known, struct err *err)
{
	const struct spelling spelling = {
		ref->model, ref->variation, &ref->framework, ref->written, ref->name.version, for_upload};

	return catalog_find_spelling(catalog, &spelling, ref->name.handle, known, err);
}
