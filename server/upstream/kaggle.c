/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/kaggle.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/buffer.h"
#include "common/own.h"
#include "common/uri.h"

/* As handles spell them. */
static const struct framework {
	const char *name;
	enum format format;
} frameworks[] = {
	{"tensorFlow1", FORMAT_TF_HUB},
	{"tensorFlow2", FORMAT_TF_HUB},
	{"tfJs", FORMAT_TFJS},
	{"tfLite", FORMAT_TFLITE},
	{"coral", FORMAT_CORAL},
	{"pyTorch", FORMAT_ARCHIVE},
	{"jax", FORMAT_ARCHIVE},
	{"flax", FORMAT_ARCHIVE},
	{"pax", FORMAT_ARCHIVE},
	{"maxText", FORMAT_ARCHIVE},
	{"gemmaCpp", FORMAT_ARCHIVE},
	{"ggml", FORMAT_ARCHIVE},
	{"gguf", FORMAT_ARCHIVE},
	{"scikitLearn", FORMAT_ARCHIVE},
	{"mxnet", FORMAT_ARCHIVE},
	{"onnx", FORMAT_ARCHIVE},
	{"keras", FORMAT_ARCHIVE},
	{"transformers", FORMAT_ARCHIVE},
	{"api", FORMAT_ARCHIVE},
	{"tensorRtLlm", FORMAT_ARCHIVE},
	{"triton", FORMAT_ARCHIVE},
	{"other", FORMAT_ARCHIVE},
};

/* A handle's parts: where each begins, and how long it is. */
struct parts {
	const char *at[4];
	size_t length[4];
};

enum { PART_FRAMEWORK = 2, PART_COUNT = 4 };

static const struct framework *find_framework(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof frameworks / sizeof *frameworks; i++) {
		if (strlen(frameworks[i].name) == length &&
			strncasecmp(frameworks[i].name, name, length) == 0)
			return &frameworks[i];
	}
	return NULL;
}

/* The framework of a variation; NULL: the handle is none's. */
static const struct framework *split(const char *handle, struct parts *parts)
{
	for (size_t i = 0; i < PART_COUNT; i++) {
		parts->at[i] = handle;
		parts->length[i] = strcspn(handle, "/");
		handle += parts->length[i];
		if (parts->length[i] == 0 || (*handle == '/') != (i + 1 < PART_COUNT))
			return NULL;
		handle += *handle == '/';
	}
	return find_framework(parts->at[PART_FRAMEWORK], parts->length[PART_FRAMEWORK]);
}

bool kaggle_is_handle(const char *handle)
{
	struct parts parts;

	return split(handle, &parts);
}

bool kaggle_may_have(const struct name *name)
{
	struct parts parts;
	const struct framework *framework = split(name->handle, &parts);

	return framework && (name->format == FORMAT_ARCHIVE || name->format == framework->format);
}

/* The handle as the API spells it. */
static void add_handle(struct buffer *out, const struct name *name)
{
	struct parts parts;
	const struct framework *framework = split(name->handle, &parts);
	struct name spelled = *name;

	if (framework)
		memcpy(spelled.handle + (parts.at[PART_FRAMEWORK] - name->handle), framework->name,
			parts.length[PART_FRAMEWORK]);
	uri_encode(out, spelled.handle, "/");
}

static void add_version(struct buffer *out, const char *base, const struct name *name)
{
	buffer_printf(out, "%s/models/", base);
	add_handle(out, name);
	if (name->version > 0)
		buffer_printf(out, "/%" PRId64, name->version);
}

char *kaggle_url(const char *base, const struct name *name)
{
	struct buffer url = {0};

	add_version(&url, base, name);
	buffer_add_string(&url, name->version > 0 ? "/download" : "/get");
	return buffer_take(&url);
}

char *kaggle_listing_url(const char *base, const struct name *name)
{
	struct buffer url = {0};

	if (formats[name->format].is_archive || name->version == 0)
		return NULL;
	add_version(&url, base, name);
	buffer_add_string(&url, "/files?page_size=25");
	return buffer_take(&url);
}

/* ---- what it answers ---- */

/* A list of a page has one level a file, side by side; the parser goes into itself for each. What it makes of
 * a value takes many times its bytes. */
enum { LEVELS_MAX = 64, VALUES_MAX = 4096 };

/* Descriptions are Markdown: what stands in a text counts as nothing. */
static bool is_intricate(const char *text, size_t length)
{
	int levels = 0;
	int values = 1;
	bool quoted = false;

	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (c == '"')
			quoted = !quoted;
		else if (quoted)
			i += c == '\\';
		else if (c == '{' || c == '[')
			levels++;
		else if (c == ',')
			values++;
	}
	return levels > LEVELS_MAX || values > VALUES_MAX;
}

static json_t *parse(const char *text, size_t length)
{
	return is_intricate(text, length) ? NULL : json_loadb(text, length, 0, NULL);
}

static bool ends_with(const char *text, const char *suffix)
{
	size_t length = strlen(text);

	return length > strlen(suffix) && strcasecmp(text + length - strlen(suffix), suffix) == 0;
}

/* The only one with this ending of a list that is whole. */
static const char *only_file(const json_t *list, const char *suffix)
{
	const char *token = json_string_value(json_object_get(list, "nextPageToken"));
	const char *found = NULL;
	const json_t *item;
	size_t i;

	if (token && *token)
		return NULL;
	json_array_foreach(json_object_get(list, "files"), i, item)
	{
		const char *name = json_string_value(json_object_get(item, "name"));

		if (!name || !ends_with(name, suffix))
			continue;
		if (found)
			return NULL;
		found = name;
	}
	return found;
}

/* Whether it stays below where it is put. */
static bool leads_down(const char *path)
{
	for (;; path++) {
		size_t length = strcspn(path, "/");

		if (length == 0 || (length <= 2 && strspn(path, ".") == length))
			return false;
		path += length;
		if (*path == '\0')
			return true;
	}
}

bool kaggle_listed_url(const char *base, const struct name *name, const char *list, size_t length, char **out)
{
	json_auto_t *listed = parse(list, length);
	const char *file = only_file(listed, formats[name->format].file_suffix);
	struct buffer url = {0};

	*out = NULL;
	if (!json_is_array(json_object_get(listed, "files")))
		return false;
	if (!file || !leads_down(file))
		return true;
	add_version(&url, base, name);
	buffer_add_string(&url, "/download/");
	uri_encode(&url, file, "/");
	*out = buffer_take(&url);
	return true;
}

int64_t kaggle_latest_in(const char *answer, size_t length)
{
	json_auto_t *told = parse(answer, length);
	json_int_t version = json_integer_value(json_object_get(told, "versionNumber"));

	return version > 0 ? version : 0;
}

void kaggle_explain(const struct name *name, int status, struct err *err)
{
	size_t used = strlen(err->text);

	if (status == 403)
		(void)snprintf(err->text + used, sizeof err->text - used,
			": Kaggle gives it to those only who have agreed to its terms; do so at "
			"https://www.kaggle.com/models/%.200s with the account of credentials_file",
			name->handle);
	else if (status == 401)
		(void)snprintf(err->text + used, sizeof err->text - used,
			": Kaggle does not take what credentials_file has, or there is none");
}
