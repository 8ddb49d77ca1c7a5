/* SPDX-License-Identifier: Apache-2.0
 *
 * What a model takes and gives, as tables: signatures, callables, the operations it is made of. */
#ifndef SERVER_WEB_MODEL_TABLES_H
#define SERVER_WEB_MODEL_TABLES_H

#include <jansson.h>

#include "server/web/view.h"

/* What each model of a version takes and gives, a folded line a function, with the default one open; nothing
 * where no model is known. Bounded, whatever the models say. */
bool model_tables_has_any(const json_t *version);
void model_tables_write(struct view *view, const json_t *version);

/* "float32 [?, 784]" of one tensor. */
void model_tables_write_tensor(struct view *view, const json_t *tensor);

#endif
