/* SPDX-License-Identifier: Apache-2.0
 *
 * The safety rules and their lists, as schema/safety*.* have them: made into tables by the build. */
#ifndef SERVER_MODULE_SAFETY_SAFETY_TABLES_H
#define SERVER_MODULE_SAFETY_SAFETY_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum safety_severity {
	SAFETY_SEVERITY_INFO,
	SAFETY_SEVERITY_LOW,
	SAFETY_SEVERITY_MEDIUM,
	SAFETY_SEVERITY_HIGH,
	SAFETY_SEVERITY_CRITICAL,
	SAFETY_SEVERITY_COUNT
};

/* In the order of safety.json. */
enum safety_rule_id {
	SAFETY_OP_FILE_READ,
	SAFETY_OP_FILE_WRITE,
	SAFETY_OP_SAVER,
	SAFETY_OP_ASSET_READ,
	SAFETY_OP_NETWORK,
	SAFETY_OP_REMOTE,
	SAFETY_OP_PYTHON,
	SAFETY_OP_NATIVE_CODE,
	SAFETY_OP_HIDDEN_GRAPH,
	SAFETY_OP_SHARED_MEMORY,
	SAFETY_OP_PRINT_FILE,
	SAFETY_OP_DEBUG_URL,
	SAFETY_OP_ABORT,
	SAFETY_OP_CUSTOM,
	SAFETY_OP_COMPANION,
	SAFETY_ASSET_PATH,
	SAFETY_KERAS_LAMBDA,
	SAFETY_KERAS_IMPORT,
	SAFETY_TFJS_CUSTOM_OP,
	SAFETY_TFJS_CUSTOM_LAYER,
	SAFETY_TFJS_REMOTE,
	SAFETY_TFLITE_CUSTOM_OP,
	SAFETY_TFLITE_METADATA,
	SAFETY_PICKLE,
	SAFETY_PICKLE_IMPORT,
	SAFETY_PICKLE_DANGER,
	SAFETY_PICKLE_UNREAD,
	SAFETY_FILE_EXECUTABLE,
	SAFETY_FILE_SCRIPT,
	SAFETY_FILE_PYTHON,
	SAFETY_FILE_NOTEBOOK,
	SAFETY_FILE_ARCHIVE,
	SAFETY_ZIP_UNREAD,
	SAFETY_SECRET_KEY,
	SAFETY_SECRET_TOKEN,
	SAFETY_RULE_COUNT
};

struct safety_rule {
	const char *name;
	enum safety_severity severity;
	const char *meaning;
	const char *reference;
};

/* An op that a rule speaks of; a name that ends in "*" stands for all that begin so. */
struct safety_op {
	const char *name;
	const char *attribute; /* without which it does none of that; "": it always may */
	enum safety_rule_id rule;
};

/* What a pickle may import, or may by no means; a module that ends in ".*" has its own modules too. */
struct safety_import {
	const char *module;
	const char *name; /* "*": all that the module has */
	bool is_denied;
};

extern const unsigned safety_version;
extern const struct safety_rule safety_rules[SAFETY_RULE_COUNT];
extern const struct safety_op safety_ops[]; /* sorted by name */
extern const size_t safety_op_count;
/* The attributes that some op's rule asks for. */
enum { SAFETY_ATTRIBUTES_MAX = 8 };
extern const char *const safety_attributes[];
extern const size_t safety_attribute_count;

extern const struct safety_import safety_imports[]; /* sorted by module */
extern const size_t safety_import_count;

/* The classes that TF.js and Keras have by themselves. */
extern const char *const safety_keras_classes[];
extern const size_t safety_keras_class_count;

/* All ops of TensorFlow's releases, sorted, each with its NUL; where each begins. */
extern const char safety_op_names[];
extern const uint16_t safety_op_offsets[];
extern const size_t safety_op_name_count;

#endif
