/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/savedmodel/textlexer.h"

#include <string.h>

enum { NOTHING = -1 };

void textlexer_init(struct textlexer *lexer, struct stream *stream)
{
	*lexer = (struct textlexer){.stream = stream, .line = 1};
}

bool textlexer_is(const struct textlexer *lexer, char sign)
{
	return lexer->kind == TOKEN_SIGN && lexer->text[0] == sign;
}

bool textlexer_fail(const struct textlexer *lexer, const char *what, struct err *err)
{
	return err_set(err, ERR_INVALID_MODULE, "The text message is malformed in line %lld: %s.",
		(long long)lexer->line, what);
}

/* The next character without taking it; NOTHING at the end. */
static bool peek(struct textlexer *lexer, int *out, struct err *err)
{
	if (lexer->length == 0 && !stream_next(lexer->stream, &lexer->data, &lexer->length, err))
		return false;
	*out = lexer->length > 0 ? *lexer->data : NOTHING;
	if (lexer->taken == SAVED_MODEL_TEXT_BYTES_MAX && *out != NOTHING)
		return textlexer_fail(lexer, "it is longer than 256 MiB", err);
	return true;
}

static void skip(struct textlexer *lexer)
{
	if (*lexer->data == '\n')
		lexer->line++;
	lexer->data++;
	lexer->length--;
	lexer->taken++;
}

static bool take(struct textlexer *lexer, int *out, struct err *err)
{
	if (!peek(lexer, out, err))
		return false;
	if (*out != NOTHING)
		skip(lexer);
	return true;
}

static void add(struct textlexer *lexer, int character)
{
	if (lexer->text_length < SAVED_MODEL_STRING_MAX)
		lexer->text[lexer->text_length++] = (char)character;
	else
		lexer->is_cut = true;
}

static bool is_digit(int character)
{
	return character >= '0' && character <= '9';
}

static bool is_letter(int character)
{
	return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
	       character == '_';
}

static bool is_space(int character)
{
	return character == ' ' || (character >= '\t' && character <= '\r');
}

static bool skip_space(struct textlexer *lexer, int *next, struct err *err)
{
	bool in_comment = false;

	for (;;) {
		if (!peek(lexer, next, err))
			return false;
		if (*next == '#')
			in_comment = true;
		else if (*next == '\n')
			in_comment = false;
		if (*next == NOTHING || (!in_comment && !is_space(*next)))
			return true;
		skip(lexer);
	}
}

static int digit_value(int character)
{
	if (is_digit(character))
		return character - '0';
	if (character >= 'a' && character <= 'f')
		return character - 'a' + 10;
	if (character >= 'A' && character <= 'F')
		return character - 'A' + 10;
	return 16;
}

/* Takes from min to max digits of a base into *value. */
static bool take_digits(struct textlexer *lexer, int base, int min, int max, uint32_t *value, struct err *err)
{
	for (int i = 0; i < max; i++) {
		int next;

		if (!peek(lexer, &next, err))
			return false;
		if (digit_value(next) >= base)
			return i >= min || textlexer_fail(lexer, "an escape lacks digits", err);
		*value = *value * (uint32_t)base + (uint32_t)digit_value(next);
		skip(lexer);
	}
	return true;
}

static bool add_code_point(struct textlexer *lexer, uint32_t point, struct err *err)
{
	if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return textlexer_fail(lexer, "an escape stands for no character", err);
	if (point < 0x80) {
		add(lexer, (int)point);
		return true;
	}
	if (point >= 0x10000) {
		add(lexer, (int)(0xf0 | point >> 18));
		add(lexer, (int)(0x80 | (point >> 12 & 0x3f)));
	} else if (point >= 0x800) {
		add(lexer, (int)(0xe0 | point >> 12));
	}
	add(lexer, (int)(point >= 0x800 ? 0x80 | (point >> 6 & 0x3f) : 0xc0 | point >> 6));
	add(lexer, (int)(0x80 | (point & 0x3f)));
	return true;
}

static bool take_numeric_escape(
	struct textlexer *lexer, int base, int min, int max, bool is_point, struct err *err)
{
	uint32_t value = 0;

	if (!take_digits(lexer, base, min, max, &value, err))
		return false;
	if (is_point)
		return add_code_point(lexer, value, err);
	if (value > 0xff)
		return textlexer_fail(lexer, "an escape stands for no byte", err);
	add(lexer, (int)value);
	return true;
}

static bool take_escape(struct textlexer *lexer, struct err *err)
{
	static const char letters[] = "abfnrtv\\'\"?";
	static const char meanings[] = "\a\b\f\n\r\t\v\\'\"?";
	const char *letter;
	int next;

	if (!peek(lexer, &next, err))
		return false;
	if (next >= '0' && next <= '7')
		return take_numeric_escape(lexer, 8, 1, 3, false, err);
	letter = next > 0 ? strchr(letters, next) : NULL;
	if (next != NOTHING)
		skip(lexer);
	if (letter) {
		add(lexer, meanings[letter - letters]);
		return true;
	}
	switch (next) {
	case 'x':
	case 'X':
		return take_numeric_escape(lexer, 16, 1, 2, false, err);
	case 'u':
		return take_numeric_escape(lexer, 16, 4, 4, true, err);
	case 'U':
		return take_numeric_escape(lexer, 16, 8, 8, true, err);
	default:
		return textlexer_fail(lexer, "a string has an unknown escape", err);
	}
}

static bool take_quoted(struct textlexer *lexer, struct err *err)
{
	int quote;
	int next;

	if (!take(lexer, &quote, err))
		return false;
	for (;;) {
		if (!take(lexer, &next, err))
			return false;
		if (next == quote)
			return true;
		if (next == NOTHING || next == '\n')
			return textlexer_fail(lexer, "a string does not end in its line", err);
		if (next != '\\')
			add(lexer, next);
		else if (!take_escape(lexer, err))
			return false;
	}
}

static bool take_strings(struct textlexer *lexer, struct err *err)
{
	int next;

	lexer->kind = TOKEN_STRING;
	do {
		if (!take_quoted(lexer, err) || !skip_space(lexer, &next, err))
			return false;
	} while (next == '"' || next == '\'');
	return true;
}

static bool take_word(struct textlexer *lexer, int first, struct err *err)
{
	bool is_number = !is_letter(first);
	int before = 0;
	int next = first;

	lexer->kind = TOKEN_WORD;
	while (is_letter(next) || is_digit(next) || next == '.' ||
		(is_number && (next == '+' || next == '-') && (before == 'e' || before == 'E'))) {
		add(lexer, next);
		before = next;
		skip(lexer);
		if (!peek(lexer, &next, err))
			return false;
	}
	return true;
}

bool textlexer_next(struct textlexer *lexer, struct err *err)
{
	bool done = true;
	int next;

	lexer->text_length = 0;
	lexer->is_cut = false;
	if (!skip_space(lexer, &next, err))
		return false;
	if (next == NOTHING) {
		lexer->kind = TOKEN_END;
	} else if (next == '"' || next == '\'') {
		done = take_strings(lexer, err);
	} else if (is_letter(next) || is_digit(next) || next == '.') {
		done = take_word(lexer, next, err);
	} else {
		lexer->kind = TOKEN_SIGN;
		add(lexer, next);
		skip(lexer);
	}
	lexer->text[lexer->text_length] = '\0';
	return done;
}
