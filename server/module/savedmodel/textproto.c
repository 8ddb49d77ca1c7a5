/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/savedmodel/textproto.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "common/utf8.h"
#include "server/module/savedmodel/textlexer.h"

struct textproto {
	struct textlexer lexer;
	struct pool *pool;
	unsigned depth;
};

/* Where a value goes; field is NULL for one that is not read, known for one that TensorFlow does not know. */
struct place {
	const struct message_type *type; /* of the message; NULL inside of what is skipped */
	struct message *message;         /* NULL as well where there is no room for it */
	const struct field *field;
	const struct proto_type *schema;
	const struct proto_field *known;
};

static bool next(struct textproto *text, struct err *err)
{
	return textlexer_next(&text->lexer, err);
}

static bool is_sign(const struct textproto *text, char sign)
{
	return textlexer_is(&text->lexer, sign);
}

static bool fail(const struct textproto *text, const char *what, struct err *err)
{
	return textlexer_fail(&text->lexer, what, err);
}

static bool parse_bool(const char *word, uint64_t *bits)
{
	static const char *const words[][4] = {{"false", "False", "f", "0"}, {"true", "True", "t", "1"}};

	for (size_t i = 0; i < 8; i++) {
		if (strcmp(word, words[i / 4][i % 4]) == 0) {
			*bits = i / 4;
			return true;
		}
	}
	return false;
}

static bool parse_integer(const char *word, bool is_negative, bool is_32_bit, uint64_t *bits)
{
	uint64_t limit = (is_32_bit ? INT32_MAX : INT64_MAX) + (uint64_t)is_negative;
	uint64_t value;
	char *end;

	if (*word < '0' || *word > '9')
		return false;
	errno = 0;
	value = strtoull(word, &end, 0);
	if (*end || errno || value > limit)
		return false;
	*bits = is_negative ? 0 - value : value;
	return true;
}

static bool parse_double(const char *word, bool is_negative, uint64_t *bits)
{
	char *end;
	double value = strtod(word, &end);

	if (end == word || (*end && strcmp(end, "f") != 0 && strcmp(end, "F") != 0))
		return false;
	if (is_negative)
		value = -value;
	memcpy(bits, &value, sizeof value);
	return true;
}

static bool parse_number(const struct field *field, const char *word, bool is_negative, uint64_t *bits)
{
	int64_t symbol;

	switch (field->kind) {
	case FIELD_BOOL:
		return !is_negative && parse_bool(word, bits);
	case FIELD_DOUBLE:
		return parse_double(word, is_negative, bits);
	case FIELD_ENUM:
		if (!is_negative && field->symbol(word, &symbol)) {
			*bits = (uint64_t)symbol;
			return true;
		}
		return parse_integer(word, is_negative, true, bits);
	default:
		return parse_integer(word, is_negative, field->kind == FIELD_INT32, bits);
	}
}

static bool is_identifier(const char *word)
{
	return *word < '0' || *word > '9';
}

/* Whether a word can be the value of a field that is not read. The names of an enum's values are another
 * matter: a later TensorFlow may know more of them. */
static bool suits(enum proto_kind kind, const char *word, bool is_negative)
{
	uint64_t bits;

	switch (kind) {
	case PROTO_BOOL:
		return !is_negative && parse_bool(word, &bits);
	case PROTO_FLOAT:
	case PROTO_DOUBLE:
		return parse_double(word, is_negative, &bits);
	case PROTO_ENUM:
		return (!is_negative && is_identifier(word)) || parse_integer(word, is_negative, true, &bits);
	case PROTO_INT32:
		return parse_integer(word, is_negative, true, &bits);
	case PROTO_INT64:
	case PROTO_SINT64:
		return parse_integer(word, is_negative, false, &bits);
	case PROTO_UINT32:
	case PROTO_UINT64:
	case PROTO_FIXED64:
		return !is_negative && !is_identifier(word);
	default:
		return false;
	}
}

/* The first name that TensorFlow's text parser would refuse: of a field, or of an enum's value. */
static void note_odd(struct textproto *text, const char *name, bool is_value)
{
	struct pool *pool = text->pool;

	if (pool->odd_name[0])
		return;
	(void)snprintf(pool->odd_name, sizeof pool->odd_name, "%.63s", name);
	pool->odd_is_value = is_value;
}

static void note_odd_value(struct textproto *text, const struct proto_field *known, const char *word)
{
	if (known->kind == PROTO_ENUM && is_identifier(word) && !proto_enum_has(known->values, word))
		note_odd(text, word, true);
}

static bool check_string(const struct textproto *text, const struct proto_field *known, struct err *err)
{
	const struct textlexer *lexer = &text->lexer;

	if (!known || known->kind == PROTO_BYTES)
		return true;
	if (known->kind != PROTO_STRING)
		return fail(text, "a string stands where none can be", err);
	return lexer->is_cut || utf8_is_characters(lexer->text, lexer->text_length) ||
	       fail(text, "a string is not UTF-8", err);
}

static bool read_string(struct textproto *text, const struct place *place, struct err *err)
{
	const struct textlexer *lexer = &text->lexer;

	if (place->field && place->field->kind == FIELD_BYTES) {
		message_set_bytes(text->pool, place->message, place->field, lexer->text, lexer->text_length);
		return next(text, err);
	}
	if (place->field && place->field->kind != FIELD_STRING)
		return fail(text, "a string stands where none can be", err);
	if (!place->field && !check_string(text, place->known, err))
		return false;
	if (place->field && !message_set_string(text->pool, place->message, place->field,
				    lexer->is_cut ? NULL : lexer->text, lexer->text_length, err))
		return false;
	return next(text, err);
}

static bool read_scalar(struct textproto *text, const struct place *place, struct err *err)
{
	bool is_negative = is_sign(text, '-');
	uint64_t bits;

	if (text->lexer.kind == TOKEN_STRING)
		return read_string(text, place, err);
	if (is_negative && !next(text, err))
		return false;
	if (text->lexer.kind != TOKEN_WORD)
		return fail(text, "a value is missing", err);
	if (place->field) {
		if (place->field->kind == FIELD_STRING || place->field->kind == FIELD_BYTES ||
			place->field->kind == FIELD_MESSAGE ||
			!parse_number(place->field, text->lexer.text, is_negative, &bits))
			return fail(text, "a value is not of its field's type", err);
		message_set_number(place->message, place->field, bits);
	} else if (place->known) {
		if (!suits(place->known->kind, text->lexer.text, is_negative))
			return fail(text, "a value is not of its field's type", err);
		note_odd_value(text, place->known, text->lexer.text);
	}
	return next(text, err);
}

static bool read_fields(struct textproto *text, const struct message_type *type, struct message *message,
	const struct proto_type *schema, char end, struct err *err);

static bool read_message(struct textproto *text, const struct place *place, struct err *err)
{
	char end = is_sign(text, '{') ? '}' : '>';
	struct inner inner = {0};

	if ((place->field && place->field->kind != FIELD_MESSAGE) ||
		(place->known && place->known->kind != PROTO_MESSAGE))
		return fail(text, "a message stands where none can be", err);
	if (text->depth == TEXTPROTO_DEPTH_MAX)
		return fail(text, "it is nested too deeply", err);
	if (place->field && !message_may_open(place->message, place->field, err))
		return false;
	if (place->field)
		inner = message_open(text->pool, place->message, place->field);
	text->depth++;
	if (!next(text, err) || !read_fields(text, place->field ? place->field->type : NULL, inner.message,
					place->known ? place->known->type : NULL, end, err))
		return false;
	text->depth--;
	if (place->field)
		message_close(text->pool, place->message, place->field, &inner);
	return next(text, err);
}

static bool read_value(struct textproto *text, const struct place *place, struct err *err)
{
	if (is_sign(text, '{') || is_sign(text, '<'))
		return read_message(text, place, err);
	return read_scalar(text, place, err);
}

static bool read_list(struct textproto *text, const struct place *place, struct err *err)
{
	if ((place->field && place->field->label == FIELD_SINGLE) ||
		(place->known && !place->known->repeated))
		return fail(text, "a list stands where one value belongs", err);
	if (!next(text, err))
		return false;
	if (is_sign(text, ']'))
		return next(text, err);
	for (;;) {
		if (!read_value(text, place, err))
			return false;
		if (is_sign(text, ']'))
			return next(text, err);
		if (!is_sign(text, ','))
			return fail(text, "a list lacks a comma", err);
		if (!next(text, err))
			return false;
	}
}

/* "[type.googleapis.com/some.Type]" or "[an.extension]": nothing that is read has one. */
static bool skip_bracketed_name(struct textproto *text, struct err *err)
{
	static const char signs[] = {']', '/', '.', '-', '%'};

	do {
		if (!next(text, err))
			return false;
		if (text->lexer.kind != TOKEN_WORD &&
			(text->lexer.kind != TOKEN_SIGN || !memchr(signs, text->lexer.text[0], sizeof signs)))
			return fail(text, "a name in brackets does not end", err);
	} while (!is_sign(text, ']'));
	return next(text, err);
}

static bool read_name(struct textproto *text, struct place *place, struct err *err)
{
	if (is_sign(text, '[')) {
		if (place->schema && !place->schema->is_any)
			note_odd(text, "[…]", false);
		return skip_bracketed_name(text, err);
	}
	if (text->lexer.kind != TOKEN_WORD)
		return fail(text, "a field's name is missing", err);
	if (place->type)
		place->field = field_by_name(place->type, text->lexer.text);
	place->known = proto_by_name(place->schema, text->lexer.text);
	if (place->schema && !place->known)
		note_odd(text, text->lexer.text, false);
	return next(text, err);
}

static bool read_field(struct textproto *text, const struct message_type *type, struct message *message,
	const struct proto_type *schema, struct err *err)
{
	struct place place = {.type = type, .message = message, .schema = schema};
	bool has_colon;

	if (!read_name(text, &place, err))
		return false;
	has_colon = is_sign(text, ':');
	if (has_colon && !next(text, err))
		return false;
	if (!has_colon && !is_sign(text, '{') && !is_sign(text, '<'))
		return fail(text, "a colon is missing", err);
	if (!(is_sign(text, '[') ? read_list(text, &place, err) : read_value(text, &place, err)))
		return false;
	return (!is_sign(text, ',') && !is_sign(text, ';')) || next(text, err);
}

/* Reads up to the sign that ends the message, without taking it; the outermost ends with the text, and '\0'
 * says so. */
static bool read_fields(struct textproto *text, const struct message_type *type, struct message *message,
	const struct proto_type *schema, char end, struct err *err)
{
	for (;;) {
		if (end ? is_sign(text, end) : text->lexer.kind == TOKEN_END)
			return true;
		if (text->lexer.kind == TOKEN_END)
			return fail(text, "it ends within a message", err);
		if (!read_field(text, type, message, schema, err))
			return false;
	}
}

bool textproto_read(struct pool *pool, struct message *message, struct stream *stream, struct err *err)
{
	AUTO_FREE struct textproto *text = mem_zero(1, sizeof *text);

	text->pool = pool;
	textlexer_init(&text->lexer, stream);
	return next(text, err) && read_fields(text, message_type(message), message, pool->schema, '\0', err);
}
