/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/cells.h"

#include <unistd.h>

#include "common/number.h"
#include "common/own.h"

bool cells_for_people(void)
{
	return isatty(STDOUT_FILENO);
}

const char *cell_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

void cell_add_text(struct text_table *table, const json_t *object, const char *key)
{
	text_table_add(table, cell_text(object, key));
}

void cell_add_number(struct text_table *table, const json_t *object, const char *key)
{
	const json_t *number = json_object_get(object, key);

	if (json_is_integer(number))
		text_table_printf(table, "%lld", (long long)json_integer_value(number));
	else
		text_table_add(table, "");
}

void cell_add_size(struct text_table *table, const json_t *object, const char *key)
{
	if (cells_for_people() && json_is_integer(json_object_get(object, key)))
		text_table_add(table, number_size(json_integer_value(json_object_get(object, key))).text);
	else
		cell_add_number(table, object, key);
}

static void join(struct buffer *out, const json_t *array)
{
	size_t i;
	const json_t *item;

	json_array_foreach((json_t *)array, i, item)
	{
		if (i > 0)
			buffer_add_string(out, ",");
		if (json_is_string(item))
			buffer_add_string(out, json_string_value(item));
		else if (json_is_integer(item))
			buffer_printf(out, "%lld", (long long)json_integer_value(item));
	}
}

void cell_add_joined(struct text_table *table, const json_t *array)
{
	AUTO_BUFFER struct buffer text = {0};

	join(&text, array);
	text_table_add(table, buffer_string(&text));
}

/* ---- tensors ---- */

const char *cell_dtype(const json_t *tensor)
{
	static const char *const keys[] = {"dtype", "type", "value"};
	size_t i = 0;

	while (i + 1 < sizeof keys / sizeof *keys && !*cell_text(tensor, keys[i]))
		i++;
	return cell_text(tensor, keys[i]);
}

void cell_write_shape(struct buffer *out, const json_t *tensor)
{
	const json_t *shape = json_object_get(tensor, "shape");

	if (json_is_array(shape)) {
		buffer_add_string(out, "[");
		join(out, shape);
		buffer_add_string(out, "]");
	} else if (json_is_null(shape)) {
		buffer_add_string(out, "unknown");
	}
}
