/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/membername.h"

#include <string.h>

#include "common/utf8.h"
#include "server/module/archives/advice.h"
#include "server/module/violations.h"

void membername_normalise(const char *name, char out[ARCHIVE_NAME_MAX + 1])
{
	char *end = out;

	while (*name) {
		size_t length = strcspn(name, "/");

		if (length > 0 && !(length == 1 && name[0] == '.')) {
			if (end != out)
				*end++ = '/';
			end = mempcpy(end, name, length);
		}
		name += length + (name[length] == '/');
	}
	*end = '\0';
}

static bool is_not_utf8(const char *name, const char *path)
{
	uint32_t code;
	size_t length;

	for (; *name; name += length) {
		length = utf8_decode(name, &code);
		if (length == 0)
			return true;
	}
	return false;
}

static bool has_control(const char *name, const char *path)
{
	uint32_t code;
	size_t length;

	for (; *name; name += length) {
		length = utf8_decode(name, &code);
		if (length > 0 && utf8_is_control(code))
			return true;
		length = length ? length : 1;
	}
	return false;
}

/* Windows takes a backslash for a slash. */
static bool has_parent_segment(const char *name)
{
	while (*name) {
		size_t length = strcspn(name, "/\\");

		if (length == 2 && memcmp(name, "..", 2) == 0)
			return true;
		name += length + (name[length] != '\0');
	}
	return false;
}

static size_t longest_segment(const char *name)
{
	size_t longest = 0;

	while (*name) {
		size_t length = strcspn(name, "/");

		if (length > longest)
			longest = length;
		name += length + (name[length] == '/');
	}
	return longest;
}

/* The rules as a table: does the name (as written, and in normal form) break it? */
struct name_rule {
	enum rule rule;
	bool is_harmless; /* the member counts all the same */
	bool (*breaks)(const char *name, const char *path);
	const char *message;
};

/* The root itself may be called "/". */
static bool is_absolute(const char *name, const char *path)
{
	return name[0] == '/' && path[0];
}

static bool leads_out(const char *name, const char *path)
{
	return has_parent_segment(name);
}

static bool seems_to_lead_out(const char *name, const char *path)
{
	return !has_parent_segment(name) && strncmp(path, "..", 2) == 0;
}

static bool has_backslash(const char *name, const char *path)
{
	return strchr(name, '\\') != NULL;
}

static bool is_too_long(const char *name, const char *path)
{
	return strlen(path) > MEMBERNAME_MAX || longest_segment(path) > MEMBERNAME_SEGMENT_MAX;
}

static const struct name_rule name_rules[] = {
	{RULE_NAME_ABSOLUTE, false, is_absolute,
		"The name begins with a slash; pack the module with names relative to its "
		"folder: " ADVICE_PACK "."},
	{RULE_NAME_TRAVERSAL, false, leads_out,
		"The name leads out of its folder with \"..\"; pack the module's folder by "
		"itself: " ADVICE_PACK "."},
	{RULE_NAME_TRAVERSAL, false, seems_to_lead_out,
		"Hub clients refuse names that begin with \"..\"; rename it."},
	{RULE_NAME_NOT_UTF8, false, is_not_utf8, "The name is not UTF-8; rename it."},
	{RULE_NAME_CONTROL, false, has_control, "The name has a control character; rename it."},
	{RULE_NAME_BACKSLASH, true, has_backslash,
		"The name has a backslash, which Windows and browsers take for a slash; rename it, or, where "
		"it "
		"was to be a folder, pack with " ADVICE_PACK "."},
	{RULE_NAME_TOO_LONG, false, is_too_long,
		"The name is too long: at most 1024 bytes, and 255 between two slashes; shorten it."},
};

bool membername_judge(struct examination *examination, const char *name)
{
	char path[ARCHIVE_NAME_MAX + 1];
	bool sound = true;

	membername_normalise(name, path);
	for (size_t i = 0; i < sizeof name_rules / sizeof *name_rules; i++) {
		if (name_rules[i].breaks(name, path)) {
			violations_add(examination, name_rules[i].rule, name, "%s", name_rules[i].message);
			sound = sound && name_rules[i].is_harmless;
		}
	}
	return sound;
}
