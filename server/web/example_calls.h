/* SPDX-License-Identifier: Apache-2.0
 *
 * Code that calls a model with example tensors of the dtypes and shapes that its signature tells. */
#ifndef SERVER_WEB_EXAMPLE_CALLS_H
#define SERVER_WEB_EXAMPLE_CALLS_H

#include <jansson.h>

#include "common/buffer.h"

/* The function of a list that people most likely mean: the default one, or else the first; NULL where there
 * is none. */
const json_t *example_calls_default(const json_t *functions);

/* Each appends lines that call what was loaded before, or nothing where there is no signature to go by. model
 * is one of the API's, and may be NULL. */
void example_calls_hub(struct buffer *out, const json_t *model);
void example_calls_keras(struct buffer *out, const json_t *model);
void example_calls_graph(struct buffer *out, const json_t *model);
void example_calls_layers(struct buffer *out, const json_t *model);
void example_calls_tflite(struct buffer *out, const json_t *model);

/* The body of a request to TensorFlow Serving, as an argument of the shell; nothing where it would be long.
 */
void example_calls_serving(struct buffer *out, const json_t *model);

#endif
