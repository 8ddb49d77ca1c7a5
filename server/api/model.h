/* SPDX-License-Identifier: Apache-2.0
 *
 * A model's listing as JSON (schema/openapi.yaml). */
#ifndef SERVER_API_MODEL_H
#define SERVER_API_MODEL_H

#include <jansson.h>

#include "server/module/savedmodel/savedmodel.h"

/* All of it, as in a version's "saved_model" and an artifact's "model"; null where model is NULL. */
json_t *model_json(const struct saved_model *model);

/* ["serve"] */
json_t *model_tags_json(const struct meta_graph *graph);

/* What a tensor is, whatever it is called: {"dtype","shape"}, and of those that are not dense what they are
 * instead. */
json_t *model_tensor_type_json(const struct tensor *tensor);

/* Where the listing lacks something, sets "truncated", and "counts" of what the model has in truth. */
void model_tell_truncated(json_t *object, const struct saved_model *model);

/* [{"tags", "signatures", "callables"}] */
json_t *model_signatures_json(const struct saved_model *model);

#endif
