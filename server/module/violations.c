/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/violations.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/utf8.h"

struct rule_row {
	const char *name;
	enum severity severity;
	bool publishable;
};

static_assert(RULE_COUNT <= 64, "broken_rules has a bit for each");

static const struct rule_row rules[RULE_COUNT] = {
	[RULE_GZIP_BROKEN] = {"gzip-broken", SEVERITY_VIOLATION, false},
	[RULE_TAR_BROKEN] = {"tar-broken", SEVERITY_VIOLATION, false},
	[RULE_GZIP_EXTRA] = {"gzip-extra", SEVERITY_WARNING, false},
	[RULE_GZIP_MISSING] = {"gzip-missing", SEVERITY_WARNING, false},
	[RULE_TAR_END_MISSING] = {"tar-end-missing", SEVERITY_WARNING, false},
	[RULE_BOMB_SIZE] = {"bomb-size", SEVERITY_VIOLATION, false},
	[RULE_BOMB_RATIO] = {"bomb-ratio", SEVERITY_VIOLATION, false},
	[RULE_TOO_MANY_MEMBERS] = {"too-many-members", SEVERITY_VIOLATION, false},
	[RULE_MEMBER_TYPE] = {"member-type", SEVERITY_VIOLATION, false},
	[RULE_SPARSE_MEMBER] = {"sparse-member", SEVERITY_WARNING, false},
	[RULE_LFS_POINTER] = {"lfs-pointer", SEVERITY_WARNING, false},
	[RULE_NAME_EMPTY] = {"name-empty", SEVERITY_VIOLATION, false},
	[RULE_NAME_TRAVERSAL] = {"name-traversal", SEVERITY_VIOLATION, false},
	[RULE_NAME_ABSOLUTE] = {"name-absolute", SEVERITY_VIOLATION, false},
	[RULE_NAME_NOT_UTF8] = {"name-not-utf8", SEVERITY_VIOLATION, false},
	[RULE_NAME_CONTROL] = {"name-control", SEVERITY_VIOLATION, false},
	[RULE_NAME_TOO_LONG] = {"name-too-long", SEVERITY_VIOLATION, false},
	[RULE_NAME_BACKSLASH] = {"name-backslash", SEVERITY_WARNING, false},
	[RULE_NAME_DUPLICATE] = {"name-duplicate", SEVERITY_VIOLATION, false},
	[RULE_NAME_REPEATED] = {"name-repeated", SEVERITY_WARNING, false},
	[RULE_NAME_CASE_COLLISION] = {"name-case-collision", SEVERITY_WARNING, false},
	[RULE_NAME_UNDER_FILE] = {"name-under-file", SEVERITY_VIOLATION, false},
	[RULE_FOLDER_MISSING] = {"folder-missing", SEVERITY_WARNING, false},
	[RULE_WRAPPER_FOLDER] = {"wrapper-folder", SEVERITY_VIOLATION, false},
	[RULE_SAVED_MODEL_MISSING] = {"saved-model-missing", SEVERITY_VIOLATION, false},
	[RULE_SAVED_MODEL_BROKEN] = {"saved-model-broken", SEVERITY_VIOLATION, false},
	[RULE_PBTXT_ONLY] = {"pbtxt-only", SEVERITY_WARNING, true},
	[RULE_TFHUB_MODULE_FORMAT] = {"tfhub-module-format", SEVERITY_WARNING, false},
	[RULE_MODEL_JSON_MISSING] = {"model-json-missing", SEVERITY_VIOLATION, false},
	[RULE_MODEL_JSON_BROKEN] = {"model-json-broken", SEVERITY_VIOLATION, false},
	[RULE_SHARD_MISSING] = {"shard-missing", SEVERITY_VIOLATION, false},
	[RULE_SHARD_SIZE] = {"shard-size", SEVERITY_VIOLATION, false},
	[RULE_PBTXT_UNKNOWN_FIELD] = {"pbtxt-unknown-field", SEVERITY_WARNING, false},
	[RULE_PBTXT_UNKNOWN_VALUE] = {"pbtxt-unknown-value", SEVERITY_WARNING, false},
	[RULE_VARIABLES_MISSING] = {"variables-missing", SEVERITY_WARNING, false},
	[RULE_CHECKPOINT_SHARDS] = {"checkpoint-shards", SEVERITY_WARNING, false},
	[RULE_CHECKPOINT_INDEX] = {"checkpoint-index", SEVERITY_WARNING, false},
	[RULE_SHARD_NAME] = {"shard-name", SEVERITY_WARNING, false},
	[RULE_TFLITE_MAGIC] = {"tflite-magic", SEVERITY_VIOLATION, false},
	[RULE_TFLITE_BROKEN] = {"tflite-broken", SEVERITY_VIOLATION, false},
	[RULE_TFLITE_CUT] = {"tflite-cut", SEVERITY_VIOLATION, false},
	[RULE_TFLITE_TEXT_MODE] = {"tflite-text-mode", SEVERITY_VIOLATION, false},
	[RULE_FILE_HEAD] = {"file-head", SEVERITY_WARNING, true},
};

static char *printable(const char *text, const char *escaped)
{
	AUTO_BUFFER struct buffer out = {0};
	uint32_t code;

	while (*text) {
		size_t length = utf8_decode(text, &code);

		if (length == 0 || utf8_is_control(code) || strchr(escaped, *text)) {
			buffer_printf(&out, "\\x%02x", (unsigned char)*text);
			text++;
		} else {
			buffer_add(&out, text, length);
			text += length;
		}
	}
	return buffer_take(&out);
}

static char *format_message(const char *format, va_list args)
{
	AUTO_FREE char *text = NULL;

	if (vasprintf(&text, format, args) < 0)
		abort();
	return printable(text, "");
}

char *violations_name(const char *name)
{
	return printable(name, "`");
}

/* What does not refuse an artifact comes last. */
static unsigned rank_of(enum severity severity, bool publishable)
{
	return severity == SEVERITY_VIOLATION ? 2 : !publishable;
}

/* The last of those that matter least. */
static struct finding *find_least(struct examination *examination)
{
	struct finding *least = &examination->findings[0];

	for (size_t i = 1; i < examination->finding_count; i++) {
		struct finding *finding = &examination->findings[i];

		if (rank_of(finding->severity, finding->publishable) <=
			rank_of(least->severity, least->publishable))
			least = finding;
	}
	return least;
}

/* Where the next finding goes, or NULL. What matters less never crowds out what refuses the artifact, lest it
 * pass for sound. */
static struct finding *find_room(struct examination *examination, const struct rule_row *rule)
{
	struct finding *least;

	if (examination->finding_count < EXAMINATION_FINDINGS_MAX) {
		MEM_GROW(examination->findings, examination->finding_count, examination->finding_capacity);
		examination->findings[examination->finding_count] = (struct finding){0};
		return &examination->findings[examination->finding_count++];
	}
	least = find_least(examination);
	return rank_of(least->severity, least->publishable) < rank_of(rule->severity, rule->publishable)
		       ? least
		       : NULL;
}

void violations_add(
	struct examination *examination, enum rule rule, const char *path, const char *format, ...)
{
	struct finding *finding = find_room(examination, &rules[rule]);
	va_list args;

	examination->broken_rules |= UINT64_C(1) << rule;
	if (!finding)
		return;
	free(finding->path);
	free(finding->message);
	va_start(args, format);
	*finding = (struct finding){.severity = rules[rule].severity,
		.publishable = rules[rule].publishable,
		.rule = rules[rule].name,
		.path = violations_name(path),
		.message = format_message(format, args)};
	va_end(args);
}

bool examination_breaks(const struct examination *examination, enum rule rule)
{
	return examination->broken_rules >> rule & 1;
}
