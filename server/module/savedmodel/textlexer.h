/* SPDX-License-Identifier: Apache-2.0
 *
 * Protobuf's text format cut into tokens, one at a time, in bounded memory. */
#ifndef SERVER_MODULE_SAVEDMODEL_TEXTLEXER_H
#define SERVER_MODULE_SAVEDMODEL_TEXTLEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/stream.h"
#include "server/module/savedmodel/model_facts.h"

enum token_kind {
	TOKEN_END,
	TOKEN_WORD, /* an identifier or a number without its sign */
	TOKEN_STRING,
	TOKEN_SIGN /* one other character, in text[0] */
};

struct textlexer {
	struct stream *stream;
	const uint8_t *data; /* what is left of the stream's current piece */
	size_t length;
	int64_t taken; /* bytes of the stream so far */
	int64_t line;
	enum token_kind kind; /* the current token */
	bool is_cut;          /* it is longer than text can hold */
	size_t text_length;
	char text[SAVED_MODEL_STRING_MAX + 1]; /* a string's without quotes and escapes; ends with a NUL */
};

/* Begins before the first token. */
void textlexer_init(struct textlexer *lexer, struct stream *stream);

/* Goes to the next token; ERR_INVALID_MODULE for what is none. Strings that follow each other are one. */
bool textlexer_next(struct textlexer *lexer, struct err *err);

/* Whether the current token is this one character. */
bool textlexer_is(const struct textlexer *lexer, char sign);

/* Says what is wrong in the current line, as ERR_INVALID_MODULE. Always false. */
bool textlexer_fail(const struct textlexer *lexer, const char *what, struct err *err);

#endif
