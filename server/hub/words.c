/* SPDX-License-Identifier: Apache-2.0 */
#include "server/hub/words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"

/* Values beside those of the formats table. */
static const struct {
	enum format format;
	const char *value;
	enum wanted wanted;
} other_values[] = {
	{FORMAT_TF_HUB, "uncompressed", WANTED_UNCOMPRESSED},
	{FORMAT_TFJS, "file", WANTED_MEMBER},
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

/* Takes "tfhub-modules/" and ".tar.gz" off; true where there was such a suffix. */
static bool strip_archive_words(char **path)
{
	static const char *const suffixes[] = {".tar.gz", ".tgz"};
	static const char bucket[] = "tfhub-modules/";

	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		size_t length = strlen(*path);
		size_t suffix = strlen(suffixes[i]);

		if (length <= suffix || strcmp(*path + length - suffix, suffixes[i]) != 0 ||
			!ends_in_version(*path, length - suffix))
			continue;
		(*path)[length - suffix] = '\0';
		if (strncmp(*path, bucket, sizeof bucket - 1) == 0)
			*path += sizeof bucket - 1;
		return true;
	}
	return false;
}

static bool judge(struct words *words, bool given, bool archive, struct err *err)
{
	if (archive && !(given && words->name.format == FORMAT_TFJS)) {
		words->wanted = WANTED_ARTIFACT;
		words->name.format = FORMAT_TF_HUB;
	} else if (!given) {
		words->wanted = words->member ? WANTED_MEMBER : WANTED_DESCRIPTION;
	}
	if (words->wanted == WANTED_MEMBER)
		words->name.format = FORMAT_TFJS;
	if (words->wanted == WANTED_MEMBER && !words->member)
		return err_set(err, ERR_BAD_REQUEST,
			"tfjs-format=file needs the name of a file, such as %s/model.json",
			name_path(&words->name).text);
	if (words->wanted != WANTED_MEMBER && words->member)
		return err_set(err, ERR_BAD_REQUEST,
			"behind the version stands \"%s\", which no such request can have", words->member);
	if (words->wanted != WANTED_DESCRIPTION && !strchr(words->name.handle, '/'))
		return err_set(
			err, ERR_BAD_REQUEST, "\"%s\" names a publisher, no module", words->name.handle);
	return true;
}

bool words_read(const struct request *request, struct words *out, struct err *err)
{
	AUTO_WORDS struct words words = {.memory = mem_dup(request->path + 1)};
	char *path = words.memory;
	bool archive = strip_archive_words(&path);
	bool given;

	if (!read_query(&request->query, &words.name.format, &words.wanted, &given, err) ||
		!name_parse_path(path, &words.name, &words.member, err) ||
		!judge(&words, given, archive, err))
		return false;
	*out = words;
	words.memory = NULL;
	return true;
}

void words_finish(struct words *words)
{
	free(words->memory);
	*words = (struct words){0};
}

/* Whether the handle ends in a number. */
static bool ends_in_number(const char *handle)
{
	return ends_in_version(handle, strlen(handle));
}

/* curl -T appends the file's name to a URL that ends in a slash. To take it off would be to guess: a file may be
 * called "2", or "2.tar.gz", and mean the version that it was appended to. */
static bool has_no_file(const struct request *request, struct err *err)
{
	AUTO_WORDS struct words words = {.memory = mem_dup(request->path + 1)};
	char *path = words.memory;
	bool archive = strip_archive_words(&path);
	struct err ignored;

	if (!name_parse_path(path, &words.name, &words.member, &ignored))
		return true;
	if (words.member)
		return err_set(err, ERR_BAD_REQUEST,
			"behind the version stands \"%.60s\", as curl -T adds a file's name to a URL that ends in "
			"\"/\": leave the slash off, and send it to /%.100s",
			words.member, name_path(&words.name).text);
	if (archive && ends_in_number(words.name.handle))
		return err_set(err, ERR_BAD_REQUEST,
			"this can be version %lld of %.80s, or a file that curl -T has added to a URL that ends in "
			"\"/\": name the version without a file's ending",
			(long long)words.name.version, words.name.handle);
	return true;
}

bool words_read_upload(const struct request *request, struct name *out, struct err *err)
{
	AUTO_WORDS struct words words = {0};

	if (!has_no_file(request, err) || !words_read(request, &words, err))
		return false;
	if (words.wanted == WANTED_DESCRIPTION && !words.member)
		words.name.format = FORMAT_TF_HUB;
	else if (words.wanted != WANTED_ARTIFACT)
		return err_set(err, ERR_BAD_REQUEST,
			"only whole artifacts can be published: ?tf-hub-format=compressed, "
			"?tfjs-format=compressed, "
			"?lite-format=tflite or ?coral-format=tflite");
	if (words.name.version == 0 || !strchr(words.name.handle, '/'))
		return err_set(err, ERR_BAD_REQUEST,
			"publish to /<publisher>/<name>/<version>, such as /acme/half-plus-two/1");
	*out = words.name;
	return true;
}
