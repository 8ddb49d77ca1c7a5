/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/safety/pairs.h"

#include <stdio.h>
#include <string.h>

#include "common/globs.h"
#include "server/module/safety/safety_rules.h"

static const struct {
	const char *key;
	const char *value;
} signs[] = {
	{"class_name", "Lambda"},
	{"class_name", "__lambda__"},
	{"function_type", "lambda"},
};

/* Modules whose classes are Keras's own, and functions by which TensorFlow reaches out of a graph. */
static const char keras_modules[] = "keras,keras.*,tf_keras,tf_keras.*,tensorflow.keras,tensorflow.keras.*,"
				    "tensorflow.python.keras,tensorflow.python.keras.*,keras_core,"
				    "keras_core.*,keras_cv.*,keras_hub.*,keras_nlp.*,builtins";
static const char reaching_functions[] =
	"autograph.*,compat.*,config.*,data.*,debugging.*,distribute.*,experimental.*,function,io.*,"
	"load_library,load_op_library,lookup.*,numpy_function,print,profiler.*,py_func,py_function,raw_ops.*,"
	"saved_model.*,summary.*,sysconfig.*,tpu.*,train.*";

static bool is_module_name(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";

	return text[0] && text[strspn(text, letters)] == '\0';
}

/* A module counts where there are classes too: other JSON has that key as well. */
static void judge_keras(struct pairs *pairs, struct safety_findings *findings, const char *where)
{
	if (strcmp(pairs->key, "class_name") == 0) {
		pairs->has_class = true;
		if (strcmp(pairs->text, "function") == 0)
			safety_findings_add(findings, SAFETY_KERAS_IMPORT, where, "class_name function");
	} else if (strcmp(pairs->key, "function") == 0 && globs_match(reaching_functions, pairs->text)) {
		safety_findings_add(findings, SAFETY_KERAS_IMPORT, where, "function %s", pairs->text);
	} else if (strcmp(pairs->key, "module") == 0 && is_module_name(pairs->text) &&
		   !globs_match(keras_modules, pairs->text)) {
		(void)snprintf(pairs->module, sizeof pairs->module, "%s", pairs->text);
	}
	if (pairs->has_class && pairs->module[0]) {
		safety_findings_add(findings, SAFETY_KERAS_IMPORT, where, "module %s", pairs->module);
		pairs->module[0] = '\0';
	}
}

/* What TF.js makes of a graph's ops. */
static bool is_of_tfjs(const char *op)
{
	static const char *const made[] = {"FusedDepthwiseConv2dNative", "Prelu", "Step"};

	for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
		if (strcmp(op, made[i]) == 0)
			return true;
	}
	return false;
}

static void judge_tfjs(const struct pairs *pairs, struct safety_findings *findings, const char *where)
{
	const char *text = pairs->text[0] ? pairs->text : "one with a long name";

	if (strcmp(pairs->key, "op") == 0 && !safety_op_is_known(text) && !is_of_tfjs(text))
		safety_findings_add(findings, SAFETY_TFJS_CUSTOM_OP, where, "%s", text);
	else if (strcmp(pairs->key, "class_name") == 0 && !safety_keras_has(text))
		safety_findings_add(findings, SAFETY_TFJS_CUSTOM_LAYER, where, "%s", text);
}

static void judge(struct pairs *pairs, struct safety_findings *findings, const char *where)
{
	for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
		if (strcmp(pairs->key, signs[i].key) == 0 && strcmp(pairs->text, signs[i].value) == 0)
			safety_findings_add(
				findings, SAFETY_KERAS_LAMBDA, where, "%s %s", pairs->key, pairs->text);
	}
	judge_keras(pairs, findings, where);
	if (pairs->is_tfjs)
		judge_tfjs(pairs, findings, where);
}

/* One that is too long is like no other. */
static void add_to_text(struct pairs *pairs, char byte)
{
	if (pairs->length < PAIRS_TEXT_MAX)
		pairs->text[pairs->length] = byte;
	pairs->length += pairs->length <= PAIRS_TEXT_MAX;
}

/* A colon and blanks. */
static bool is_separator(const char *text)
{
	static const char blanks[] = " \t\r\n";
	const char *colon = text + strspn(text, blanks);

	return *colon == ':' && colon[1 + strspn(colon + 1, blanks)] == '\0';
}

static void end_text(struct pairs *pairs, struct safety_findings *findings, const char *where)
{
	pairs->text[pairs->length <= PAIRS_TEXT_MAX ? pairs->length : 0] = '\0';
	if (is_separator(pairs->before))
		judge(pairs, findings, where);
	memcpy(pairs->key, pairs->before, sizeof pairs->key);
	memcpy(pairs->before, pairs->text, sizeof pairs->before);
	pairs->length = 0;
}

/* -1: none of this base. */
static int digit_of(uint8_t byte, unsigned bits)
{
	uint8_t lower = byte | 0x20;

	if (byte >= '0' && byte <= (bits == 3 ? '7' : '9'))
		return byte - '0';
	return bits == 4 && lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static void begin_escape(struct pairs *pairs, unsigned digits, unsigned bits)
{
	pairs->digits_left = digits;
	pairs->digit_bits = bits;
	pairs->code = 0;
}

/* A byte as the text has it; a quote ends it, however it is written. */
static void take_plain(struct pairs *pairs, struct safety_findings *findings, const char *where, uint8_t byte)
{
	if (byte == '"')
		end_text(pairs, findings, where);
	else
		add_to_text(pairs, (char)byte);
}

/* False where the byte is none of the escape's digits. */
static bool take_digit(struct pairs *pairs, struct safety_findings *findings, const char *where, uint8_t byte)
{
	int digit = digit_of(byte, pairs->digit_bits);

	if (digit < 0) {
		pairs->digits_left = 0;
		return false;
	}
	pairs->code = pairs->code << pairs->digit_bits | (unsigned)digit;
	if (--pairs->digits_left == 0)
		take_plain(pairs, findings, where, pairs->code < 0x80 ? (uint8_t)pairs->code : '?');
	return true;
}

/* Escapes of JSON, and those of protobuf's texts. */
static void take_escaped(
	struct pairs *pairs, struct safety_findings *findings, const char *where, uint8_t byte)
{
	if (byte == 'u')
		begin_escape(pairs, 4, 4);
	else if (byte == 'U')
		begin_escape(pairs, 8, 4);
	else if (byte == 'x')
		begin_escape(pairs, 2, 4);
	else if (digit_of(byte, 3) >= 0) {
		begin_escape(pairs, 3, 3);
		(void)take_digit(pairs, findings, where, byte);
	} else if (byte == 'n' || byte == 't' || byte == 'r')
		add_to_text(pairs, ' ');
	else
		take_plain(pairs, findings, where, byte);
}

static void take(struct pairs *pairs, struct safety_findings *findings, const char *where, uint8_t byte)
{
	bool is_escaped = pairs->slashes > 0;

	pairs->slashes = byte == '\\' ? pairs->slashes + 1 : 0;
	if (pairs->digits_left > 0 && take_digit(pairs, findings, where, byte))
		return;
	if (byte == '\\')
		return;
	if (is_escaped)
		take_escaped(pairs, findings, where, byte);
	else
		take_plain(pairs, findings, where, byte);
}

/* In a text that is too long nothing counts before the next quote, or escape that may be one. */
static size_t skippable(const struct pairs *pairs, const uint8_t *data, size_t length)
{
	size_t at = 0;

	if (pairs->length <= PAIRS_TEXT_MAX || pairs->slashes > 0 || pairs->digits_left > 0)
		return 0;
	while (at < length && data[at] != '"' && data[at] != '\\')
		at++;
	return at;
}

void pairs_feed(struct pairs *pairs, struct safety_findings *findings, const char *where, const uint8_t *data,
	size_t length)
{
	while (length > 0) {
		size_t skipped = skippable(pairs, data, length);

		data += skipped;
		length -= skipped;
		if (length == 0)
			return;
		take(pairs, findings, where, *data++);
		length--;
	}
}
