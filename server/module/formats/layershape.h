/* SPDX-License-Identifier: Apache-2.0
 *
 * The shape that comes out of a Keras layer, from its configuration and the shapes that go in. */
#ifndef SERVER_MODULE_FORMATS_LAYERSHAPE_H
#define SERVER_MODULE_FORMATS_LAYERSHAPE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LAYER_RANK_MAX = 8 };

struct layer_shape {
	bool is_known;
	size_t rank;
	int64_t sizes[LAYER_RANK_MAX]; /* -1: any */
};

/* [null, 10] */
struct layer_shape layer_shape_read(const json_t *value);

/* Of one layer, {"class_name", "config"}, that gets these; not known where the class is not, or they do not
 * fit. */
struct layer_shape layer_shape_infer(const json_t *layer, const struct layer_shape *inputs, size_t count);

#endif
