/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/s3/aws_credentials.h"

#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/file.h"
#include "common/own.h"

/* By hand: inih cuts lines, and tokens of sessions are long. */
enum { FILE_BYTES_MAX = 256 << 10 };

struct slot {
	const char *name;
	const char *variable;
	size_t offset;
	size_t size;
};

#define SLOT(name_, variable_, member_) \
	{ \
		name_, variable_, offsetof(struct aws_credentials, member_), \
			sizeof((struct aws_credentials *)0)->member_ \
	}

static const struct slot slots[] = {
	SLOT("aws_access_key_id", "AWS_ACCESS_KEY_ID", key_id),
	SLOT("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY", secret),
	SLOT("aws_session_token", "AWS_SESSION_TOKEN", token),
};

enum { SLOT_COUNT = sizeof slots / sizeof *slots };

static const char blanks[] = " \t\r";

static void wipe(struct buffer *text)
{
	if (text->data)
		explicit_bzero(text->data, text->capacity);
	buffer_finish(text);
}

void aws_credentials_finish(struct aws_credentials *credentials)
{
	explicit_bzero(credentials, sizeof *credentials);
}

/* They stand in heads of requests: nothing but printable ASCII may. */
static bool put(const struct slot *slot, const char *value, size_t length, struct aws_credentials *out,
	struct err *err)
{
	char *place = (char *)out + slot->offset;

	if (length >= slot->size)
		return err_set(
			err, ERR_BAD_REQUEST, "%s has more than %zu characters", slot->name, slot->size - 1);
	for (size_t i = 0; i < length; i++) {
		if (value[i] <= ' ' || value[i] > '~')
			return err_set(
				err, ERR_BAD_REQUEST, "%s has a blank, or what is not ASCII", slot->name);
	}
	memcpy(place, value, length);
	place[length] = '\0';
	return true;
}

static size_t trim(const char **text, size_t length)
{
	size_t blank = 0;

	while (blank < length && strchr(blanks, (*text)[blank]))
		blank++;
	*text += blank;
	length -= blank;
	while (length > 0 && strchr(blanks, (*text)[length - 1]))
		length--;
	return length;
}

static bool read_pair(const char *line, size_t length, struct aws_credentials *out, struct err *err)
{
	const char *sign = memchr(line, '=', length);
	const char *value = sign ? sign + 1 : line;
	size_t name_length = sign ? trim(&line, (size_t)(sign - line)) : 0;
	size_t value_length;

	if (!sign)
		return true;
	length -= (size_t)(value - line);
	value_length = strcspn(value, "\n");
	value_length = trim(&value, value_length);
	for (size_t i = 0; i < SLOT_COUNT; i++) {
		if (strlen(slots[i].name) == name_length &&
			strncasecmp(slots[i].name, line, name_length) == 0)
			return put(&slots[i], value, value_length, out, err);
	}
	return true;
}

/* "[name]" or, as in AWS' config files, "[profile name]". */
static bool is_profile(const char *line, size_t length, const char *profile)
{
	const char *end = memchr(line, ']', length);
	const char *name = line + 1;
	size_t name_length = end ? (size_t)(end - name) : 0;

	name_length = trim(&name, name_length);
	if (name_length > 8 && strncmp(name, "profile ", 8) == 0) {
		name += 8;
		name_length = trim(&name, name_length - 8);
	}
	return strlen(profile) == name_length && strncmp(name, profile, name_length) == 0;
}

static bool read_profile(const char *text, const char *profile, struct aws_credentials *out, struct err *err)
{
	bool inside = false;

	while (*text) {
		size_t whole = strcspn(text, "\n");
		const char *line = text;
		size_t length = trim(&line, whole);

		if (length > 0 && *line == '[')
			inside = is_profile(line, length, profile);
		else if (inside && length > 0 && *line != '#' && *line != ';' &&
			 !read_pair(line, length, out, err))
			return false;
		text += whole + (text[whole] == '\n');
	}
	return true;
}

static bool read_file(const char *path, struct aws_credentials *out, struct err *err)
{
	AUTO(wipe) struct buffer text = {0};
	const char *profile = getenv("AWS_PROFILE");

	if (!profile || !*profile)
		profile = "default";
	if (!file_read_all(path, FILE_BYTES_MAX, &text, err)) {
		/* Whatever it was: to try again at once does not help. */
		err->code = ERR_BAD_REQUEST;
		return false;
	}
	if (!read_profile(buffer_string(&text), profile, out, err))
		return err_prefix(err, "%.200s: ", path);
	if (!*out->key_id || !*out->secret)
		return err_set(err, ERR_BAD_REQUEST,
			"%.200s has no aws_access_key_id and aws_secret_access_key in [%.60s]", path,
			profile);
	return true;
}

static bool read_environment(struct aws_credentials *out, struct err *err)
{
	for (size_t i = 0; i < SLOT_COUNT; i++) {
		const char *value = getenv(slots[i].variable);

		if (value && !put(&slots[i], value, strlen(value), out, err))
			return false;
	}
	if (!*out->key_id || !*out->secret)
		return err_set(err, ERR_BAD_REQUEST,
			"there is no store.credentials_file, and AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
			"are "
			"not set");
	return true;
}

bool aws_credentials_read(const char *path, struct aws_credentials *out, struct err *err)
{
	memset(out, 0, sizeof *out);
	return path ? read_file(path, out, err) : read_environment(out, err);
}
