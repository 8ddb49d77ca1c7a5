/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/lockfile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "server/bundle/strictjson.h"
#include "server/command/text_table.h"

static const char digest_prefix[] = "sha256:";

void lockfile_finish(struct lockfile *lockfile)
{
	for (size_t i = 0; i < lockfile->count; i++)
		free(lockfile->items[i].handle);
	free(lockfile->items);
	*lockfile = (struct lockfile){0};
}

char *locked_path(const struct locked *locked)
{
	const struct format_row *format = &formats[locked->format];

	return mem_printf("%s/%" PRId64 "?%s=%s", locked->handle, locked->version, format->query_key,
		format->query_value);
}

bool lockfile_add(struct lockfile *lockfile, const struct locked *locked, struct err *err)
{
	struct name name;

	if (!strictjson_names(locked->handle, locked->version, &name))
		return err_set(err, ERR_BAD_REQUEST,
			"\"%.100s\" with version %" PRId64 " is no module's name", locked->handle,
			locked->version);
	if (lockfile->count == LOCKFILE_ARTIFACTS_MAX)
		return err_set(err, ERR_BAD_REQUEST,
			"A lock file has at most %d artifacts: make several, such as one a publisher.",
			LOCKFILE_ARTIFACTS_MAX);
	MEM_GROW(lockfile->items, lockfile->count, lockfile->capacity);
	lockfile->items[lockfile->count] = *locked;
	lockfile->items[lockfile->count++].handle = mem_dup(locked->handle);
	return true;
}

/* ---- order ---- */

static int compare(const void *left, const void *right)
{
	const struct locked *a = left;
	const struct locked *b = right;
	int handles = strcmp(a->handle, b->handle);

	if (handles != 0)
		return handles;
	if (a->version != b->version)
		return a->version < b->version ? -1 : 1;
	return strcmp(formats[a->format].name, formats[b->format].name);
}

static bool same_bytes(const struct locked *a, const struct locked *b)
{
	return a->size_bytes == b->size_bytes && digest_equal(&a->digest, &b->digest);
}

bool lockfile_sort(struct lockfile *lockfile, struct err *err)
{
	size_t kept = 0;

	if (lockfile->count > 0)
		qsort(lockfile->items, lockfile->count, sizeof *lockfile->items, compare);
	for (size_t i = 0; i < lockfile->count; i++) {
		struct locked *item = &lockfile->items[i];

		if (kept > 0 && compare(item, &lockfile->items[kept - 1]) == 0) {
			if (!same_bytes(item, &lockfile->items[kept - 1]))
				return err_set(err, ERR_BAD_REQUEST,
					"%.300s/%" PRId64
					" (%s) is there twice, with different bytes: leave the right one",
					item->handle, item->version, formats[item->format].name);
			free(TAKE(item->handle));
			continue;
		}
		if (kept++ != i) {
			lockfile->items[kept - 1] = *item;
			item->handle = NULL;
		}
	}
	lockfile->count = kept;
	return true;
}

/* ---- writing ---- */

/* No member needs escaping: the grammar of names sees to it. */
static void write_artifact(const struct locked *locked, struct buffer *out)
{
	buffer_printf(out,
		"  {\"handle\": \"%s\", \"version\": %" PRId64
		", \"format\": \"%s\", \"digest\": \"%s%s\", \"size_bytes\": %" PRId64 "}",
		locked->handle, locked->version, formats[locked->format].name, digest_prefix,
		locked->digest.hex, locked->size_bytes);
}

void lockfile_write(const struct lockfile *lockfile, struct buffer *out)
{
	buffer_printf(out, "{\"larder_lock\": %d, \"artifacts\": [\n", LOCKFILE_VERSION);
	for (size_t i = 0; i < lockfile->count; i++) {
		write_artifact(&lockfile->items[i], out);
		buffer_add_string(out, i + 1 < lockfile->count ? ",\n" : "\n");
	}
	buffer_add_string(out, "]}\n");
}

/* ---- reading: the bytes ---- */

bool lockfile_is_next(FILE *file)
{
	int letter;

	do {
		letter = getc(file);
	} while (letter == ' ' || letter == '\t' || letter == '\r' || letter == '\n');
	if (letter != EOF)
		(void)ungetc(letter, file);
	return letter == '{';
}

static bool read_text(FILE *file, struct buffer *text, struct err *err)
{
	char block[65536];
	size_t got;

	while ((got = fread(block, 1, sizeof block, file)) > 0) {
		if (text->length + got > LOCKFILE_BYTES_MAX)
			return err_set(err, ERR_TOO_LARGE, "it has more than the %d MiB of a lock file",
				LOCKFILE_BYTES_MAX >> 20);
		buffer_add(text, block, got);
	}
	return !ferror(file) || err_errno(err, errno, "it cannot be read");
}

static bool parse(const struct buffer *text, json_t **out, struct err *err)
{
	enum { MEMBERS = 5, VALUES_MAX = LOCKFILE_ARTIFACTS_MAX * (MEMBERS + 1) + 8 };

	return strictjson_parse(buffer_string(text), text->length, VALUES_MAX, out, err) ||
	       (err->code == ERR_TOO_LARGE &&
		       err_set(err, ERR_TOO_LARGE, "it has more than the %d artifacts of a lock file",
			       LOCKFILE_ARTIFACTS_MAX));
}

/* ---- reading: what it says ---- */

static bool read_format(const json_t *object, struct locked *out)
{
	const char *text = strictjson_text(object, "format");

	return text && format_parse(text, &out->format);
}

static bool read_digest(const json_t *object, struct locked *out)
{
	return strictjson_digest(object, "digest", &out->digest);
}

static bool read_handle(const json_t *object, struct locked *out)
{
	/* Copied once it has been added. */
	out->handle = (char *)strictjson_text(object, "handle");
	return out->handle;
}

static bool read_version(const json_t *object, struct locked *out)
{
	return strictjson_number(object, "version", &out->version) && out->version > 0;
}

static bool read_size(const json_t *object, struct locked *out)
{
	return strictjson_number(object, "size_bytes", &out->size_bytes);
}

bool locked_take(struct locked *locked, const json_t *artifact)
{
	return read_format(artifact, locked) && read_digest(artifact, locked) && read_size(artifact, locked);
}

static const struct {
	const char *key;
	bool (*read)(const json_t *object, struct locked *out);
	const char *wanted;
} members[] = {
	{"handle", read_handle, "a text such as \"acme/half-plus-two\""},
	{"version", read_version, "a number from 1"},
	{"format", read_format, FORMATS_IN_WORDS},
	{"digest", read_digest, "\"sha256:\" and 64 hexadecimal digits"},
	{"size_bytes", read_size, "a number of bytes"},
};
enum { MEMBER_COUNT = sizeof members / sizeof *members };

/* Nothing else may be there: what is not understood might be what counts. */
static bool read_artifact(const json_t *object, struct locked *out, struct err *err)
{
	if (!json_is_object(object))
		return err_set(err, ERR_BAD_REQUEST, "it must be an object");
	for (size_t i = 0; i < MEMBER_COUNT; i++) {
		if (!members[i].read(object, out))
			return err_set(err, ERR_BAD_REQUEST, "its \"%s\" must be %s", members[i].key,
				members[i].wanted);
	}
	return json_object_size(object) == MEMBER_COUNT ||
	       err_set(err, ERR_BAD_REQUEST, "it has other members than version %d knows", LOCKFILE_VERSION);
}

static bool read_artifacts(const json_t *artifacts, struct lockfile *out, struct err *err)
{
	const json_t *object;
	size_t i;

	json_array_foreach((json_t *)artifacts, i, object)
	{
		struct locked locked = {0};

		if (!read_artifact(object, &locked, err) || !lockfile_add(out, &locked, err)) {
			text_table_blank_controls(err->text);
			return err_prefix(err, "artifact %zu: ", i + 1);
		}
	}
	return true;
}

static bool check_root(const json_t *root, struct err *err)
{
	const json_t *version = json_object_get(root, "larder_lock");

	if (!json_is_object(root) || !json_is_integer(version))
		return err_set(err, ERR_BAD_REQUEST,
			"it is no lock file, which has \"larder_lock\" with a number: \"larder lock\" writes "
			"them");
	if (json_integer_value(version) != LOCKFILE_VERSION)
		return err_set(err, ERR_BAD_REQUEST,
			"it is a lock file of version %" JSON_INTEGER_FORMAT
			", and this Larder reads version %d: write it anew with \"larder lock\", or use a "
			"newer Larder",
			json_integer_value(version), LOCKFILE_VERSION);
	if (json_object_size(root) != 2 || !json_is_array(json_object_get(root, "artifacts")))
		return err_set(err, ERR_BAD_REQUEST,
			"it needs \"larder_lock\" and \"artifacts\", an array, and nothing else");
	return true;
}

bool lockfile_read(FILE *file, struct lockfile *out, struct err *err)
{
	AUTO_BUFFER struct buffer text = {0};
	json_auto_t *root = NULL;

	return read_text(file, &text, err) && parse(&text, &root, err) && check_root(root, err) &&
	       read_artifacts(json_object_get(root, "artifacts"), out, err) && lockfile_sort(out, err);
}
