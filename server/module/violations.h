/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules that an artifact can break, and the list of those that one did. What breaks a rule is for others
 * to see. */
#ifndef SERVER_MODULE_VIOLATIONS_H
#define SERVER_MODULE_VIOLATIONS_H

#include <stdbool.h>

#include "server/module/findings.h"

enum rule {
	RULE_GZIP_BROKEN,
	RULE_TAR_BROKEN,
	RULE_GZIP_EXTRA,
	RULE_GZIP_MISSING,
	RULE_TAR_END_MISSING,
	RULE_BOMB_SIZE,
	RULE_BOMB_RATIO,
	RULE_TOO_MANY_MEMBERS,
	RULE_MEMBER_TYPE,
	RULE_SPARSE_MEMBER,
	RULE_LFS_POINTER,
	RULE_NAME_EMPTY,
	RULE_NAME_TRAVERSAL,
	RULE_NAME_ABSOLUTE,
	RULE_NAME_NOT_UTF8,
	RULE_NAME_CONTROL,
	RULE_NAME_TOO_LONG,
	RULE_NAME_BACKSLASH,
	RULE_NAME_DUPLICATE,
	RULE_NAME_REPEATED,
	RULE_NAME_CASE_COLLISION,
	RULE_NAME_UNDER_FILE,
	RULE_FOLDER_MISSING,
	RULE_WRAPPER_FOLDER,
	RULE_SAVED_MODEL_MISSING,
	RULE_SAVED_MODEL_BROKEN,
	RULE_PBTXT_ONLY,
	RULE_TFHUB_MODULE_FORMAT,
	RULE_MODEL_JSON_MISSING,
	RULE_MODEL_JSON_BROKEN,
	RULE_SHARD_MISSING,
	RULE_SHARD_SIZE,
	RULE_PBTXT_UNKNOWN_FIELD,
	RULE_PBTXT_UNKNOWN_VALUE,
	RULE_VARIABLES_MISSING,
	RULE_CHECKPOINT_SHARDS,
	RULE_CHECKPOINT_INDEX,
	RULE_SHARD_NAME,
	RULE_TFLITE_MAGIC,
	RULE_TFLITE_BROKEN,
	RULE_TFLITE_CUT,
	RULE_TFLITE_TEXT_MODE,
	RULE_FILE_HEAD,
	RULE_COUNT
};

/* Whether it broke this rule, also where the finding had no room. */
bool examination_breaks(const struct examination *examination, enum rule rule);

/* A stranger's name within a message; the caller frees it. Messages mark commands by backticks, so these are
 * written as \x60. */
char *violations_name(const char *name);

/* Adds a finding; where there are EXAMINATION_FINDINGS_MAX already, it takes the place of one that matters
 * less: a warning that may be published goes first, a violation never. Path and message may hold any bytes:
 * what is not printable UTF-8 is written as \xNN, and so are the path's backticks. */
void violations_add(struct examination *examination, enum rule rule, const char *path, const char *format,
	...) __attribute__((format(printf, 4, 5)));

#endif
