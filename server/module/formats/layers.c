/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/formats/layers.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"

/* How many layers may come together in one. */
enum { INPUTS_MAX = 64 };

/* One model on its way through its layers. */
struct walk {
	const json_t *layers;
	json_t *places; /* name → index */
	struct layer_shape *shapes;
	size_t count;
};

static const struct layer_shape unknown;

static struct layer_shape infer_any(const json_t *layer, const struct layer_shape *inputs, size_t count);

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static const json_t *config_of(const json_t *layer)
{
	return json_object_get(layer, "config");
}

static const char *name_of(const json_t *layer)
{
	const char *name = text_of(layer, "name");

	return *name ? name : text_of(config_of(layer), "name");
}

const json_t *layers_of(const json_t *model)
{
	const json_t *config = config_of(model);
	const json_t *layers = json_is_array(config) ? config : json_object_get(config, "layers");

	return json_is_array(layers) ? layers : NULL;
}

static bool is_sequential(const json_t *model)
{
	return strcmp(text_of(model, "class_name"), "Sequential") == 0;
}

static struct layer_shape stated_shape(const json_t *layer)
{
	const json_t *config = config_of(layer);
	struct layer_shape shape = layer_shape_read(json_object_get(config, "batch_input_shape"));

	return shape.is_known ? shape : layer_shape_read(json_object_get(config, "batch_shape"));
}

/* Keras 3 has an object for it. */
static const char *dtype_of(const json_t *layer)
{
	const json_t *dtype = json_object_get(config_of(layer), "dtype");

	return json_is_object(dtype) ? text_of(config_of(dtype), "name") : text_of(config_of(layer), "dtype");
}

void layer_ends_finish(struct layer_ends *ends)
{
	free(ends->items);
	*ends = (struct layer_ends){0};
}

static void add_end(struct layer_ends *ends, const json_t *layer, const struct layer_shape *shape)
{
	MEM_GROW(ends->items, ends->count, ends->capacity);
	ends->items[ends->count++] = (struct layer_end){name_of(layer), dtype_of(layer), *shape};
}

/* ---- one layer after the other ---- */

/* What goes in is what the first layer states, or what it is given. */
static struct layer_shape run_sequential(const json_t *model, const struct layer_shape *in)
{
	const json_t *layers = layers_of(model);
	struct layer_shape shape = in ? *in : unknown;
	const json_t *layer;
	size_t i;

	json_array_foreach((json_t *)layers, i, layer)
	{
		if (i == 0 && !shape.is_known)
			shape = stated_shape(layer);
		shape = infer_any(layer, &shape, 1);
	}
	return shape;
}

/* ---- a graph of layers ---- */

/* ["dense", 0, 0]: a layer, which of its calls, which of its outputs. Only the first of each has a shape
 * here. */
static struct layer_shape shape_of(const struct walk *walk, const json_t *reference, const json_t **out_layer)
{
	const char *name = json_string_value(json_array_get(reference, 0));
	const json_t *place = name ? json_object_get(walk->places, name) : NULL;
	size_t at = (size_t)json_integer_value(place);

	*out_layer = place ? json_array_get(walk->layers, at) : NULL;
	if (!place || json_integer_value(json_array_get(reference, 1)) != 0 ||
		json_integer_value(json_array_get(reference, 2)) != 0)
		return unknown;
	return walk->shapes[at];
}

static struct layer_shape infer_in_graph(const struct walk *walk, const json_t *layer)
{
	const json_t *nodes = json_object_get(layer, "inbound_nodes");
	const json_t *first = json_array_get(nodes, 0);
	struct layer_shape inputs[INPUTS_MAX];
	size_t count = json_array_size(first);

	if (count == 0) {
		inputs[0] = stated_shape(layer);
		return infer_any(layer, inputs, 1);
	}
	if (count > INPUTS_MAX)
		return unknown;
	for (size_t i = 0; i < count; i++) {
		const json_t *from;

		inputs[i] = shape_of(walk, json_array_get(first, i), &from);
	}
	return infer_any(layer, inputs, count);
}

static void finish_walk(struct walk *walk)
{
	json_decref(walk->places);
	free(walk->shapes);
}

/* Layers come after those that they need, as Keras writes them. */
static void run_graph(struct walk *walk, const json_t *model, const struct layer_shape *in)
{
	const json_t *layer;
	size_t i;

	walk->layers = layers_of(model);
	walk->count = json_array_size(walk->layers);
	walk->places = json_object();
	walk->shapes = mem_zero(walk->count + 1, sizeof *walk->shapes);
	json_array_foreach((json_t *)walk->layers, i, layer)
	{
		walk->shapes[i] = in && strcmp(text_of(layer, "class_name"), "InputLayer") == 0
					  ? *in
					  : infer_in_graph(walk, layer);
		(void)json_object_set_new(walk->places, name_of(layer), json_integer((json_int_t)i));
	}
}

/* [["a", 0, 0], ["b", 0, 0]], or of one alone ["a", 0, 0]. */
static size_t count_references(const json_t *list)
{
	return json_is_string(json_array_get(list, 0)) ? 1 : json_array_size(list);
}

static const json_t *reference_at(const json_t *list, size_t i)
{
	return json_is_string(json_array_get(list, 0)) ? list : json_array_get(list, i);
}

static void take_references(const struct walk *walk, const json_t *list, struct layer_ends *out)
{
	for (size_t i = 0; i < count_references(list); i++) {
		const json_t *layer;
		struct layer_shape shape = shape_of(walk, reference_at(list, i), &layer);

		if (layer)
			add_end(out, layer, &shape);
	}
}

static struct layer_shape infer_nested(const json_t *model, const struct layer_shape *in)
{
	AUTO(finish_walk) struct walk walk = {0};
	const json_t *outputs = json_object_get(config_of(model), "output_layers");
	const json_t *layer;

	if (is_sequential(model))
		return run_sequential(model, in);
	if (count_references(outputs) != 1)
		return unknown;
	run_graph(&walk, model, in);
	return shape_of(&walk, reference_at(outputs, 0), &layer);
}

/* A layer may be a whole model. */
static struct layer_shape infer_any(const json_t *layer, const struct layer_shape *inputs, size_t count)
{
	if (!layers_of(layer))
		return layer_shape_infer(layer, inputs, count);
	return count != 1 ? unknown : infer_nested(layer, inputs[0].is_known ? inputs : NULL);
}

/* ---- the ends ---- */

/* A model in the first place begins as that does. */
static void find_sequential_input(const json_t *model, struct layer_ends *inputs)
{
	const json_t *first = json_array_get(layers_of(model), 0);
	struct layer_shape shape = stated_shape(first);

	if (!shape.is_known && layers_of(first)) {
		AUTO(layer_ends_finish) struct layer_ends outputs = {0};

		layers_find_ends(first, inputs, &outputs);
	} else if (first) {
		add_end(inputs, first, &shape);
	}
}

void layers_find_ends(const json_t *model, struct layer_ends *inputs, struct layer_ends *outputs)
{
	const json_t *layers = layers_of(model);
	const json_t *last = json_array_get(layers, json_array_size(layers) - 1);
	AUTO(finish_walk) struct walk walk = {0};

	if (is_sequential(model)) {
		struct layer_shape shape = run_sequential(model, NULL);

		find_sequential_input(model, inputs);
		if (last)
			add_end(outputs, last, &shape);
		return;
	}
	run_graph(&walk, model, NULL);
	take_references(&walk, json_object_get(config_of(model), "input_layers"), inputs);
	take_references(&walk, json_object_get(config_of(model), "output_layers"), outputs);
}
