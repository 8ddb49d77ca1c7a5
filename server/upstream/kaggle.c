/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/kaggle.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/buffer.h"
#include "common/jsonbounds.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/uri.h"
#include "server/module/framework.h"

bool kaggle_may_have(const struct name *name)
{
	struct framework framework;
	size_t at;

	return framework_of_handle(name->handle, &framework, &at) &&
	       (name->format == FORMAT_ARCHIVE || name->format == framework.format);
}

/* The handle as the API spells it. */
static void add_handle(struct buffer *out, const struct name *name)
{
	struct framework framework;
	AUTO_FREE char *spelled = NULL;
	size_t at;

	if (framework_of_handle(name->handle, &framework, &at))
		spelled = mem_printf(
			"%.*s%s%s", (int)at, name->handle, framework.word, strchr(name->handle + at, '/'));
	uri_encode(out, spelled ? spelled : name->handle, "/");
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

/* A list of a page has an object a file. What a parser makes of a value takes many times its bytes. */
enum { CONTAINERS_MAX = 64, VALUES_MAX = 4096 };

static json_t *parse(const char *text, size_t length)
{
	return json_exceeds(text, length, CONTAINERS_MAX, VALUES_MAX) ? NULL
								      : json_loadb(text, length, 0, NULL);
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
