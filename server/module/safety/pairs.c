/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/safety/pairs.h"

#include <string.h>

#include "server/module/safety/safety_rules.h"

static const struct {
	const char *key;
	const char *value;
} signs[] = {
	{"class_name", "Lambda"},
	{"class_name", "__lambda__"},
	{"function_type", "lambda"},
};

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

static void judge(const struct pairs *pairs, struct safety_findings *findings, const char *where)
{
	for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
		if (strcmp(pairs->key, signs[i].key) == 0 && strcmp(pairs->text, signs[i].value) == 0)
			safety_findings_add(
				findings, SAFETY_KERAS_LAMBDA, where, "%s %s", pairs->key, pairs->text);
	}
	if (pairs->is_tfjs)
		judge_tfjs(pairs, findings, where);
}

static void begin_text(struct pairs *pairs, enum pairs_place place)
{
	pairs->place = place;
	pairs->quoting = pairs->slashes;
	pairs->length = 0;
	pairs->hex_left = 0;
}

/* One that is too long is like no other. */
static void add_to_text(struct pairs *pairs, char byte)
{
	if (pairs->length < PAIRS_TEXT_MAX)
		pairs->text[pairs->length] = byte;
	pairs->length += pairs->length <= PAIRS_TEXT_MAX;
}

static void end_text(struct pairs *pairs, struct safety_findings *findings, const char *where)
{
	pairs->text[pairs->length <= PAIRS_TEXT_MAX ? pairs->length : 0] = '\0';
	if (pairs->place == PAIRS_IN_VALUE)
		judge(pairs, findings, where);
	memcpy(pairs->key, pairs->text, sizeof pairs->key);
	pairs->place = pairs->place == PAIRS_IN_KEY ? PAIRS_BEHIND_KEY : PAIRS_OUTSIDE;
}

static int hex_of(uint8_t byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte |= 0x20;
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static void take_hex(struct pairs *pairs, uint8_t byte)
{
	int digit = hex_of(byte);

	pairs->code = pairs->code << 4 | (unsigned)(digit < 0 ? 0 : digit);
	if (--pairs->hex_left == 0)
		add_to_text(pairs, pairs->code < 0x80 ? (char)pairs->code : '?');
}

static void take_in_text(
	struct pairs *pairs, struct safety_findings *findings, const char *where, uint8_t byte)
{
	if (byte == '"' && pairs->slashes <= pairs->quoting) {
		end_text(pairs, findings, where);
	} else if (byte == '"') {
		/* JSON in a text. */
		begin_text(pairs, PAIRS_IN_KEY);
	} else if (pairs->hex_left > 0) {
		take_hex(pairs, byte);
	} else if (byte == 'u' && pairs->slashes > pairs->quoting) {
		pairs->hex_left = 4;
		pairs->code = 0;
	} else if (byte != '\\') {
		add_to_text(pairs, (char)byte);
	}
}

static bool is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r' || byte == '\\';
}

static void take(struct pairs *pairs, struct safety_findings *findings, const char *where, uint8_t byte)
{
	if (pairs->place == PAIRS_IN_KEY || pairs->place == PAIRS_IN_VALUE)
		take_in_text(pairs, findings, where, byte);
	else if (byte == '"')
		begin_text(pairs, pairs->place == PAIRS_BEHIND_COLON ? PAIRS_IN_VALUE : PAIRS_IN_KEY);
	else if (byte == ':' && pairs->place == PAIRS_BEHIND_KEY)
		pairs->place = PAIRS_BEHIND_COLON;
	else if (!is_blank(byte))
		pairs->place = PAIRS_OUTSIDE;
	pairs->slashes = byte == '\\' ? pairs->slashes + 1 : 0;
}

/* Where nothing can come before the next quote: what lies before it, but for its backslashes. */
static size_t skippable(const struct pairs *pairs, const uint8_t *data, size_t length)
{
	const uint8_t *quote;
	size_t at;

	if (pairs->place != PAIRS_OUTSIDE &&
		!((pairs->place == PAIRS_IN_KEY || pairs->place == PAIRS_IN_VALUE) &&
			pairs->length > PAIRS_TEXT_MAX))
		return 0;
	quote = memchr(data, '"', length);
	at = quote ? (size_t)(quote - data) : length;
	while (at > 0 && data[at - 1] == '\\')
		at--;
	return at;
}

void pairs_feed(struct pairs *pairs, struct safety_findings *findings, const char *where, const uint8_t *data,
	size_t length)
{
	while (length > 0) {
		size_t skipped = skippable(pairs, data, length);

		if (skipped > 0)
			pairs->slashes = 0;
		data += skipped;
		length -= skipped;
		if (length == 0)
			return;
		take(pairs, findings, where, *data++);
		length--;
	}
}
