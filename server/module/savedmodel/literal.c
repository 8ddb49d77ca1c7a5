/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/utf8.h"
#include "server/module/savedmodel/dtype.h"
#include "server/module/savedmodel/tensor.h"

static void add_character(struct buffer *out, const char *at, size_t length, uint32_t code, char quote)
{
	static const char letters[] = "trn";
	static const char meanings[] = "\t\r\n";
	const char *meaning = code < 0x80 ? strchr(meanings, (int)code) : NULL;

	if (meaning)
		buffer_printf(out, "\\%c", letters[meaning - meanings]);
	else if (code == (uint32_t)quote || code == '\\')
		buffer_printf(out, "\\%c", *at);
	else if (utf8_is_control(code))
		buffer_printf(out, "\\x%02x", (unsigned)code);
	else
		buffer_add(out, at, length);
}

/* Python writes a string between single quotes, unless it contains them and no double ones. */
static void add_string(struct buffer *out, const char *string)
{
	char quote = strchr(string, '\'') && !strchr(string, '"') ? '"' : '\'';
	const char *at = string;

	buffer_add(out, &quote, 1);
	while (*at) {
		uint32_t code = 0;
		size_t length = utf8_decode(at, &code);

		add_character(out, at, length, code, quote);
		at += length;
	}
	buffer_add(out, &quote, 1);
}

/* Python writes the fewest digits that give the same number, as 1e-07 below 1e-4 and from 1e16 on. */
static void add_double(struct buffer *out, double value)
{
	char text[40];
	int digits = 1;
	long exponent;

	if (!isfinite(value)) {
		buffer_add_string(out, isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
		return;
	}
	do
		(void)snprintf(text, sizeof text, "%.*e", digits - 1, value);
	while (strtod(text, NULL) != value && ++digits <= 17);
	exponent = strtol(strchr(text, 'e') + 1, NULL, 10);
	if (exponent < -4 || exponent >= 16)
		buffer_add_string(out, text);
	else if (digits - 1 > exponent)
		buffer_printf(out, "%.*f", digits - 1 - (int)exponent, value);
	else
		buffer_printf(out, "%.1f", value);
}

static void add_shape(struct buffer *out, const struct message *shape)
{
	const char *separator = "";

	if (message_integer(shape, SHAPE_UNKNOWN)) {
		buffer_add_string(out, "TensorShape(None)");
		return;
	}
	buffer_add_string(out, "TensorShape([");
	for (const struct item *dim = message_items(shape, SHAPE_DIM); dim; dim = dim->next) {
		int64_t size = message_integer(dim->message, DIM_SIZE);

		buffer_add_string(out, separator);
		if (size < 0)
			buffer_add_string(out, "None");
		else
			buffer_printf(out, "%lld", (long long)size);
		separator = ", ";
	}
	buffer_add_string(out, "])");
}

static void add_value(struct buffer *out, const struct message *value)
{
	switch (message_oneof(value)) {
	case VALUE_FLOAT64:
		add_double(out, message_double(value, VALUE_FLOAT64));
		break;
	case VALUE_INT64:
		buffer_printf(out, "%lld", (long long)message_integer(value, VALUE_INT64));
		break;
	case VALUE_STRING:
		add_string(out, message_string(value, VALUE_STRING));
		break;
	case VALUE_BOOL:
		buffer_add_string(out, message_integer(value, VALUE_BOOL) ? "True" : "False");
		break;
	case VALUE_SHAPE:
		add_shape(out, message_inner(value, VALUE_SHAPE));
		break;
	case VALUE_DTYPE:
		buffer_printf(out, "tf.%s", dtype_name(message_integer(value, VALUE_DTYPE)).text);
		break;
	case VALUE_TENSOR:
	case VALUE_NUMPY:
		buffer_add_string(out, "<constant>");
		break;
	case VALUE_NONE:
		buffer_add_string(out, "None");
		break;
	default:
		buffer_add_string(out, "<unknown>");
	}
}

char *literal_repr(const struct message *value)
{
	struct buffer out = {0};

	add_value(&out, value);
	return buffer_take(&out);
}
