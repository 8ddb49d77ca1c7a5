/* SPDX-License-Identifier: Apache-2.0 */
#include "server/hub/hub_url.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/module/archives/advice.h"
#include "server/module/framework.h"
#include "server/store/catalog/catalog_spellings.h"

/* Values beside those of the formats table. */
static const struct {
	enum format format;
	const char *value;
	enum wanted wanted;
} other_values[] = {
	{FORMAT_TF_HUB, "uncompressed", WANTED_UNCOMPRESSED},
	{FORMAT_TF_HUB, "file", WANTED_MEMBER},
	{FORMAT_TFJS, "file", WANTED_MEMBER},
	{FORMAT_ARCHIVE, "file", WANTED_MEMBER},
};

static bool read_value(enum format format, const char *value, enum wanted *wanted)
{
	if (strcmp(value, formats[format].query_value) == 0) {
		*wanted = WANTED_ARTIFACT;
		return true;
	}
	for (size_t i = 0; i < sizeof other_values / sizeof *other_values; i++) {
		if (other_values[i].format == format && strcmp(value, other_values[i].value) == 0) {
			*wanted = other_values[i].wanted;
			return true;
		}
	}
	return false;
}

/* Old clients list what they accept, separated by commas: the first value that we know counts. */
static bool read_values(enum format format, const char *list, enum wanted *wanted)
{
	AUTO_FREE char *copy = mem_dup(list);
	char *rest = copy;

	for (char *value = strsep(&rest, ","); value; value = strsep(&rest, ",")) {
		if (read_value(format, value, wanted))
			return true;
	}
	return false;
}

/* Finds the format that the query asks for; *given is false where it names none. */
static bool read_query(
	const struct query *query, enum format *format, enum wanted *wanted, bool *given, struct err *err)
{
	const char *unknown = NULL;

	*given = false;
	for (int candidate = 0; candidate < FORMAT_COUNT; candidate++) {
		for (size_t i = 0; i < query->count; i++) {
			if (strcmp(query->parameters[i].name, formats[candidate].query_key) != 0)
				continue;
			if (read_values((enum format)candidate, query->parameters[i].value, wanted)) {
				*format = (enum format)candidate;
				*given = true;
				return true;
			}
			unknown = formats[candidate].query_key;
		}
	}
	return !unknown ||
	       err_set(err, ERR_BAD_REQUEST, "the query's %s has no value that is known here", unknown);
}

/* Whether what stands before a suffix ends in "/<digits>": a version's archive, not a member's name. */
static bool ends_in_version(const char *path, size_t length)
{
	size_t digits = 0;

	while (digits < length && isdigit((unsigned char)path[length - 1 - digits]))
		digits++;
	return digits > 0 && digits < length && path[length - 1 - digits] == '/';
}

/* Where modules lay before tfhub.dev answered for them, and what files there are called. */
static const struct place {
	const char *bucket;
	const char *suffix; /* NULL: single files lie there */
	enum format format;
	bool any_query; /* whatever the query says */
} places[] = {
	{"tfhub-modules/", ".tar.gz", FORMAT_TF_HUB, false},
	{"tfhub-modules/", ".tgz", FORMAT_TF_HUB, false},
	{"tfhub-lite-models/", ".tflite", FORMAT_TFLITE, true},
	{"tfhub-lite-models/", ".tar.gz", FORMAT_TF_HUB, true},
	{"tfhub-tfjs-modules/", ".tar.gz", FORMAT_TFJS, true},
	{"tfhub-tfjs-modules/", ".tgz", FORMAT_TFJS, true},
	{"tfhub-tfjs-modules/", NULL, FORMAT_TFJS, false},
	{"", ".tar.gz", FORMAT_TF_HUB, false},
	{"", ".tgz", FORMAT_TF_HUB, false},
	{"", ".tflite", FORMAT_TFLITE, false},
};

static bool lies_at(const struct place *place, const char *path)
{
	size_t length = strlen(path);
	size_t suffix = place->suffix ? strlen(place->suffix) : 0;

	if (strncmp(path, place->bucket, strlen(place->bucket)) != 0)
		return false;
	return !place->suffix || (length > suffix && strcmp(path + length - suffix, place->suffix) == 0 &&
					 ends_in_version(path, length - suffix));
}

static const char pages[] = "models/";

/* Behind so many slashes; NULL where there are not as many. */
static char *behind_parts(char *path, int parts)
{
	while (path && parts-- > 0) {
		path = strchr(path, '/');
		path += path != NULL;
	}
	return path;
}

/* "<owner>/<model>/frameworks/<framework>/variations/<variation>/versions/<version>", as some links have it.
 */
static void drop_words(char *path)
{
	static const char *const words[] = {"frameworks/", "variations/", "versions/"};
	char *at = behind_parts(path, 2);

	for (size_t i = 0; i < sizeof words / sizeof *words && at; i++) {
		size_t length = strlen(words[i]);

		if (strncmp(at, words[i], length) != 0)
			return;
		memmove(at, at + length, strlen(at + length) + 1);
		at = behind_parts(at, 1);
	}
}

/* Kaggle's pages are /models/<owner>/<model>/<framework>/<variation>, and a version behind that. */
static void strip_page(char **path)
{
	if (strncmp(*path, pages, strlen(pages)) != 0)
		return;
	AUTO_FREE char *rest = mem_dup(*path + strlen(pages));
	drop_words(rest);
	char *behind = behind_parts(rest, 4);
	AUTO_FREE char *handle = behind ? mem_dup_n(rest, (size_t)(behind - rest) - 1) : mem_dup(rest);
	if (framework_has_handle(handle)) {
		*path += strlen(pages);
		(void)strcpy(*path, rest);
	}
}

/* Takes the bucket and the suffix off; NULL where there is neither. A file of an archive may be called
 * "1.tflite": where one is asked for, that is no version. */
static const struct place *strip_place(char **path, bool asks_for_member)
{
	strip_page(path);
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		const struct place *place = &places[i];

		if (!lies_at(place, *path) || (asks_for_member && !*place->bucket))
			continue;
		if (place->suffix)
			(*path)[strlen(*path) - strlen(place->suffix)] = '\0';
		*path += strlen(place->bucket);
		return place;
	}
	return NULL;
}

/* A whole artifact is what such a file is; of which format, the query may say where the place does not: one
 * whose files are of this kind. */
static void apply_place(const struct place *place, struct hub_url *hub_url, bool *given)
{
	if (!place || !place->suffix)
		return;
	if (!*given || place->any_query ||
		formats[hub_url->name.format].is_archive != formats[place->format].is_archive) {
		hub_url->wanted = WANTED_ARTIFACT;
		hub_url->name.format = place->format;
	}
	*given = true;
}

/* A file that an archive of this format is likely to have. */
static const char *const usual_members[FORMAT_COUNT] = {
	[FORMAT_TF_HUB] = "saved_model.pb",
	[FORMAT_TFJS] = "model.json",
	[FORMAT_ARCHIVE] = "config.json",
};

static bool judge(struct hub_url *hub_url, bool given, struct err *err)
{
	if (!given)
		hub_url->wanted = hub_url->member ? WANTED_MEMBER : WANTED_DESCRIPTION;
	if (!given && hub_url->wanted == WANTED_MEMBER)
		hub_url->name.format = FORMAT_TFJS;
	if (hub_url->wanted == WANTED_MEMBER && !hub_url->member)
		return err_set(err, ERR_BAD_REQUEST, "%s=file needs the name of a file, such as %s/%s",
			formats[hub_url->name.format].query_key, name_path(&hub_url->name).text,
			usual_members[hub_url->name.format]);
	if (hub_url->wanted != WANTED_MEMBER && hub_url->member)
		return err_set(err, ERR_BAD_REQUEST,
			"behind the version stands \"%s\", which no such request can have", hub_url->member);
	if (hub_url->wanted != WANTED_DESCRIPTION && !strchr(hub_url->name.handle, '/'))
		return err_set(
			err, ERR_BAD_REQUEST, "\"%s\" names a publisher, no module", hub_url->name.handle);
	return true;
}

bool hub_url_read(
	const struct request *request, struct catalog *catalog, struct hub_url *out, struct err *err)
{
	AUTO_HUB_URL struct hub_url hub_url = {.memory = mem_dup(request->path + 1)};
	char *path = hub_url.memory;
	const struct place *place;
	enum path_use use;
	bool given;

	if (!read_query(&request->query, &hub_url.name.format, &hub_url.wanted, &given, err))
		return false;
	place = strip_place(&path, given && hub_url.wanted == WANTED_MEMBER);
	apply_place(place, &hub_url, &given);
	use = !given ? PATH_ANY : hub_url.wanted == WANTED_MEMBER ? PATH_MEMBER : PATH_WHOLE;
	if (!catalog_read_path(catalog, path, use, &hub_url.name, &hub_url.member, err))
		return false;
	(void)strcpy(hub_url.written, hub_url.name.handle);
	if ((catalog && !catalog_settle_name(catalog, &hub_url.name, err)) || !judge(&hub_url, given, err))
		return false;
	*out = hub_url;
	hub_url.memory = NULL;
	return true;
}

void hub_url_finish(struct hub_url *hub_url)
{
	free(hub_url->memory);
	*hub_url = (struct hub_url){0};
}

/* Whether the handle ends in a number. */
static bool ends_in_number(const char *handle)
{
	return ends_in_version(handle, strlen(handle));
}

/* curl -T appends the file's name to a URL that ends in a slash. To take it off would be to guess: a file may
 * be called "2", or "2.tar.gz", and mean the version that it was appended to. */
static bool has_no_file(const struct request *request, struct err *err)
{
	AUTO_HUB_URL struct hub_url hub_url = {.memory = mem_dup(request->path + 1)};
	char *path = hub_url.memory;
	const struct place *place = strip_place(&path, false);
	bool archive = place && place->suffix;
	struct err ignored;

	if (!name_parse_path(path, &hub_url.name, &hub_url.member, &ignored))
		return true;
	if (hub_url.member)
		return err_set(err, ERR_BAD_REQUEST,
			"behind the version stands \"%.60s\", as curl -T adds a file's name to a URL that "
			"ends in "
			"\"/\": leave the slash off, and send it to /%.100s",
			hub_url.member, name_path(&hub_url.name).text);
	if (archive && ends_in_number(hub_url.name.handle))
		return err_set(err, ERR_BAD_REQUEST,
			"this can be version %lld of %.80s, or a file that curl -T has added to a URL that "
			"ends in "
			"\"/\": name the version without a file's ending",
			(long long)hub_url.name.version, hub_url.name.handle);
	return true;
}

/* As the files of TF.js models are downloaded. */
static bool is_whole(const struct request *request, struct err *err)
{
	enum format format;
	enum wanted wanted = WANTED_ARTIFACT;
	bool given;
	struct err ignored;

	if (!read_query(&request->query, &format, &wanted, &given, &ignored) || wanted != WANTED_MEMBER)
		return true;
	return err_set(err, ERR_BAD_REQUEST,
		"a model is published as a whole, no single file of it: " ADVICE_PUBLISH
		" packs and sends the folder; or send the archive that larder pack makes of it to the "
		"version's URL with ?%s=%s",
		formats[format].query_key, formats[format].query_value);
}

/* A dot with a letter behind it: "1.0" is none. */
static bool is_file_name(const char *segment)
{
	const char *dot = strrchr(segment, '.');

	return dot && isalpha((unsigned char)dot[1]);
}

static bool refuse_versionless(const struct request *request, struct err *err)
{
	const char *last = strrchr(request->path, '/') + 1;
	bool publishes = request->method != METHOD_DELETE;

	return err_set(err, ERR_BAD_REQUEST,
		"\"%.60s\" is no version: that is a whole number from 1 on, without leading zeros. %s "
		"/<publisher>/<name>/<version>, such as /acme/half-plus-two/1%s",
		last, publishes ? "Publish to" : "Withdraw",
		publishes && is_file_name(last) ? "; where the URL ends in \"/\", curl -T adds the file's "
						  "name: write the version there"
						: "");
}

static bool check_version(const struct request *request, const struct name *name, struct err *err)
{
	if (name->version == 0)
		return refuse_versionless(request, err);
	return strchr(name->handle, '/') || err_set(err, ERR_BAD_REQUEST,
						    "%.100s names a publisher and a version, and no module: "
						    "/<publisher>/<name>/<version> is "
						    "wanted, such as /acme/half-plus-two/1",
						    request->path);
}

bool hub_url_is_version(const char *path)
{
	AUTO_FREE char *memory = mem_dup(path + 1);
	char *rest = memory;
	const char *member = NULL;
	struct name name;
	struct err ignored;

	(void)strip_place(&rest, false);
	return name_parse_path(rest, &name, &member, &ignored) && name.version > 0 && !member &&
	       strchr(name.handle, '/');
}

bool hub_url_read_upload(const struct request *request, struct name *out, struct err *err)
{
	AUTO_HUB_URL struct hub_url hub_url = {0};

	if (!strchr(request->path + 1, '/'))
		return refuse_versionless(request, err);
	/* An upload names its version; by what is known it might be taken for another's file. */
	if (!is_whole(request, err) || !has_no_file(request, err) ||
		!hub_url_read(request, NULL, &hub_url, err))
		return false;
	if (hub_url.wanted == WANTED_DESCRIPTION && !hub_url.member)
		hub_url.name.format = FORMAT_TF_HUB;
	else if (hub_url.wanted != WANTED_ARTIFACT)
		return err_set(err, ERR_BAD_REQUEST,
			"only whole artifacts can be published, by these queries: " FORMATS_IN_QUERIES);
	if (!check_version(request, &hub_url.name, err))
		return false;
	*out = hub_url.name;
	return true;
}
