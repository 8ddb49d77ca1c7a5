/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/number.h"
#include "common/uri.h"
#include "common/utf8.h"

const struct format_row formats[FORMAT_COUNT] = {
	[FORMAT_TF_HUB] = {"tf-hub", "tf-hub-format", "compressed", "application/gzip", ".tar.gz", true},
	[FORMAT_TFJS] = {"tfjs", "tfjs-format", "compressed", "application/gzip", ".tar.gz", true},
	[FORMAT_TFLITE] = {"tflite", "lite-format", "tflite", "application/octet-stream", ".tflite", false},
	[FORMAT_CORAL] = {"coral", "coral-format", "tflite", "application/octet-stream", ".tflite", false},
	[FORMAT_ARCHIVE] = {"archive", "archive-format", "compressed", "application/gzip", ".tar.gz", true},
};

static const char *const reserved_publishers[] = {"api", "healthz", "readyz", "metrics"};

static const char publisher_characters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
static const char name_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

bool format_parse(const char *name, enum format *out)
{
	for (int i = 0; i < FORMAT_COUNT; i++) {
		if (strcmp(formats[i].name, name) == 0) {
			*out = (enum format)i;
			return true;
		}
	}
	return false;
}

/* A piece of a path between slashes; it points into the path. */
struct segment {
	const char *text;
	size_t length;
};

/* The segment after this one; false at the end of the path. */
static bool next_segment(const char *path_end, struct segment *segment)
{
	const char *end = segment->text + segment->length;

	if (end == path_end)
		return false;
	segment->text = end + 1;
	segment->length = (size_t)(strchrnul(segment->text, '/') - segment->text);
	if (segment->text + segment->length > path_end)
		segment->length = (size_t)(path_end - segment->text);
	return true;
}

static struct segment first_segment(const char *path)
{
	return (struct segment){path, (size_t)(strchrnul(path, '/') - path)};
}

static bool consists_of(struct segment segment, const char *characters)
{
	return strspn(segment.text, characters) >= segment.length;
}

static bool equals(struct segment segment, const char *text)
{
	return strlen(text) == segment.length && memcmp(segment.text, text, segment.length) == 0;
}

/* Rules that hold for every segment, of handle and member alike. */
static bool check_segments(const char *path, struct err *err)
{
	const char *end = path + strlen(path);
	struct segment segment = first_segment(path);

	do {
		if (segment.length == 0)
			return err_set(err, ERR_BAD_REQUEST,
				"The path has an empty segment (two slashes in a row, or one at an end).");
		if (equals(segment, ".") || equals(segment, ".."))
			return uri_refuse_dots(err);
	} while (next_segment(end, &segment));
	return true;
}

static bool check_characters(const char *path, struct err *err)
{
	uint32_t code;
	size_t length;

	for (const char *at = path; *at; at += length) {
		length = utf8_decode(at, &code);
		if (length == 0)
			return err_set(err, ERR_BAD_REQUEST, "The path is not UTF-8.");
		if (utf8_is_control(code))
			return err_set(err, ERR_BAD_REQUEST, "The path has a control character.");
	}
	return true;
}

static bool check_publisher(struct segment publisher, struct err *err)
{
	if (publisher.text[0] == '-')
		return err_set(err, ERR_BAD_REQUEST,
			"A publisher cannot begin with \"-\": such paths are Larder's own.");
	if (!consists_of(publisher, publisher_characters))
		return err_set(err, ERR_BAD_REQUEST,
			"The publisher \"%.*s\" may only have lower case letters, digits and \"-\".",
			(int)(publisher.length > 64 ? 64 : publisher.length), publisher.text);
	for (size_t i = 0; i < sizeof reserved_publishers / sizeof *reserved_publishers; i++) {
		if (equals(publisher, reserved_publishers[i]))
			return err_set(err, ERR_BAD_REQUEST, "\"%s\" is reserved and can be no publisher.",
				reserved_publishers[i]);
	}
	return true;
}

static bool check_handle(const char *handle, size_t length, struct err *err)
{
	struct segment segment = first_segment(handle);

	if (segment.length > length)
		segment.length = length;
	if (!check_publisher(segment, err))
		return false;
	while (next_segment(handle + length, &segment)) {
		if (!consists_of(segment, name_characters))
			return err_set(err, ERR_BAD_REQUEST,
				"A module's name may only have letters, digits, \"_\", \".\" and \"-\" "
				"between its slashes.");
	}
	return true;
}

/* The last all-digit segment behind the publisher. A publisher may be all digits, and is never a version. */
static bool find_version(const char *path, struct segment *out)
{
	const char *end = path + strlen(path);
	struct segment segment = first_segment(path);
	bool found = false;

	while (next_segment(end, &segment)) {
		if (consists_of(segment, "0123456789")) {
			*out = segment;
			found = true;
		}
	}
	return found;
}

static bool parse_version(struct segment segment, int64_t *out, struct err *err)
{
	char digits[20] = "";

	if (segment.text[0] == '0')
		return err_set(
			err, ERR_BAD_REQUEST, "A version is an integer from 1, without leading zeros.");
	if (segment.length < sizeof digits)
		memcpy(digits, segment.text, segment.length);
	return number_parse(digits, out) ||
	       err_set(err, ERR_BAD_REQUEST, "The version is too large a number.");
}

static bool parse_parts(
	const char *path, struct segment version, struct name *name, const char **member, struct err *err)
{
	size_t handle_length = version.text ? (size_t)(version.text - 1 - path) : strlen(path);
	int64_t number = 0;

	if (!check_handle(path, handle_length, err))
		return false;
	if (version.text && !parse_version(version, &number, err))
		return false;
	if (version.text && !memchr(path, '/', handle_length))
		return err_set(err, ERR_BAD_REQUEST,
			"The path has a publisher and a version, but no module between them.");
	memcpy(name->handle, path, handle_length);
	name->handle[handle_length] = '\0';
	name->version = number;
	*member = version.text && version.text[version.length] ? version.text + version.length + 1 : NULL;
	return true;
}

bool name_parse_path(const char *path, struct name *name, const char **member, struct err *err)
{
	struct segment version = {0};

	if (strlen(path) > NAME_PATH_MAX)
		return err_set(err, ERR_BAD_REQUEST, "The path has more than %d bytes.", NAME_PATH_MAX);
	if (!check_characters(path, err) || !check_segments(path, err))
		return false;
	(void)find_version(path, &version);
	return parse_parts(path, version, name, member, err);
}

/* ---- every way to read a path ---- */

static bool read_with_version(const char *path, struct segment version, struct name_reading *out)
{
	const char *end = version.text + version.length;
	struct name_reading reading = {.handle_length = (size_t)(version.text - 1 - path)};
	struct err ignored;

	if (!memchr(path, '/', reading.handle_length) ||
		!check_handle(path, reading.handle_length, &ignored) ||
		!parse_version(version, &reading.version, &ignored))
		return false;
	reading.member = *end ? end + 1 : NULL;
	*out = reading;
	return true;
}

/* The segment before this one; false at the beginning of the path. */
static bool previous_segment(const char *path, struct segment *segment)
{
	const char *end = segment->text - 1;
	const char *slash;

	if (segment->text == path)
		return false;
	slash = memrchr(path, '/', (size_t)(end - path));
	segment->text = slash ? slash + 1 : path;
	segment->length = (size_t)(end - segment->text);
	return true;
}

size_t name_list_readings(const char *path, struct name_reading out[NAME_READINGS_MAX])
{
	size_t length = strnlen(path, NAME_PATH_MAX + 1);
	struct segment segment = {path + length + 1, 0};
	struct err ignored;
	size_t count = 0;

	if (length > NAME_PATH_MAX || !strchr(path, '/') || !check_characters(path, &ignored) ||
		!check_segments(path, &ignored))
		return 0;
	if (check_handle(path, length, &ignored))
		out[count++] = (struct name_reading){.handle_length = length};
	while (count < NAME_READINGS_MAX && previous_segment(path, &segment)) {
		if (consists_of(segment, "0123456789"))
			count += read_with_version(path, segment, &out[count]);
	}
	return count;
}

void name_take_reading(
	struct name *name, const char *path, const struct name_reading *reading, const char **member)
{
	memcpy(name->handle, path, reading->handle_length);
	name->handle[reading->handle_length] = '\0';
	name->version = reading->version;
	*member = reading->member;
}

bool name_parse_versioned(const char *path, struct name *name, struct err *err)
{
	struct name parsed = *name;
	const char *member;

	if (!name_parse_path(path, &parsed, &member, err))
		return false;
	if (parsed.version == 0 || member)
		return err_set(err, ERR_BAD_REQUEST,
			"The path must end with a version, a whole number from 1 on without leading zeros, "
			"as in \"google/nnlm-en-dim50/2\".");
	*name = parsed;
	return true;
}

bool name_equals(const struct name *a, const struct name *b)
{
	return a->version == b->version && a->format == b->format && strcmp(a->handle, b->handle) == 0;
}

/* FNV-1a. Whoever chooses names that collide gains nothing by it. */
uint32_t name_hash(const struct name *name)
{
	uint32_t hash = 2166136261u ^ (uint32_t)name->format;

	for (const char *c = name->handle; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	return (hash ^ (uint32_t)name->version) * 16777619u;
}

struct name_path name_path(const struct name *name)
{
	struct name_path path;

	if (name->version == 0)
		(void)snprintf(path.text, sizeof path.text, "%s", name->handle);
	else
		(void)snprintf(path.text, sizeof path.text, "%s/%" PRId64, name->handle, name->version);
	return path;
}

struct publisher_name name_publisher(const char *handle)
{
	struct publisher_name publisher;
	size_t length = strcspn(handle, "/");

	(void)snprintf(publisher.text, sizeof publisher.text, "%.*s",
		(int)(length > NAME_PATH_MAX ? NAME_PATH_MAX : length), handle);
	return publisher;
}
