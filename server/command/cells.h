/* SPDX-License-Identifier: Apache-2.0
 *
 * Members of the API's JSON as cells of tables. What is missing or of another type than the interface says
 * makes an empty cell. */
#ifndef SERVER_COMMAND_CELLS_H
#define SERVER_COMMAND_CELLS_H

#include <jansson.h>
#include <stdbool.h>

#include "common/buffer.h"
#include "server/command/text_table.h"

/* Whether standard output is a terminal: then sizes are short and descriptions cut. */
bool cells_for_people(void);

/* A member's text, "" where it has none; valid as long as the object. */
const char *cell_text(const json_t *object, const char *key);

void cell_add_text(struct text_table *table, const json_t *object, const char *key);
void cell_add_number(struct text_table *table, const json_t *object, const char *key);
/* A number of bytes. */
void cell_add_size(struct text_table *table, const json_t *object, const char *key);
/* Texts and numbers with commas between them. */
void cell_add_joined(struct text_table *table, const json_t *array);

/* What a tensor is: its dtype, or a literal's value, or a composite tensor's type. */
const char *cell_dtype(const json_t *tensor);
/* "[-1,784]", "unknown" for an unknown rank, nothing without a shape. */
void cell_write_shape(struct buffer *out, const json_t *tensor);

#endif
