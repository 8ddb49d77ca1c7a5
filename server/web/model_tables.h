/* SPDX-License-Identifier: Apache-2.0
 *
 * What a model takes and gives, as tables: signatures, callables, the operations it is made of. */
#ifndef SERVER_WEB_MODEL_TABLES_H
#define SERVER_WEB_MODEL_TABLES_H

#include <jansson.h>

#include "server/web/view.h"

/* The whole of a version's "saved_model". */
void model_tables_write(struct view *view, const json_t *model);

/* "float32 [?, 784]" of one tensor. */
void model_tables_write_tensor(struct view *view, const json_t *tensor);

#endif
