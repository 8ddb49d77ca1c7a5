/* SPDX-License-Identifier: Apache-2.0
 *
 * Which layers of a Keras model it begins and ends with, and of which shape they are: stated, or computed
 * layer by layer, as far as the layers are known. */
#ifndef SERVER_MODULE_FORMATS_LAYERS_H
#define SERVER_MODULE_FORMATS_LAYERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "server/module/formats/layershape.h"

struct layer_end {
	const char *name;  /* the model's */
	const char *dtype; /* "float32"; "" where nothing says */
	struct layer_shape shape;
};

struct layer_ends {
	struct layer_end *items;
	size_t count;
	size_t capacity;
};
void layer_ends_finish(struct layer_ends *ends);

/* A model's array of layers; NULL where it has none. */
const json_t *layers_of(const json_t *model);

/* The model is {"class_name", "config"}, and must outlive both lists. */
void layers_find_ends(const json_t *model, struct layer_ends *inputs, struct layer_ends *outputs);

#endif
