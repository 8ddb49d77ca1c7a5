/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/formats/outline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"

/* About what each takes in memory. */
enum { OBJECT_COST = 320, ARRAY_COST = 128, VALUE_COST = 64, KEY_COST = 96, NUMBER_LENGTH_MAX = 63 };

/* Where a value stands. */
enum place {
	NOWHERE,
	ALL, /* it is kept, and all within it */
	ROOT,
	METADATA,
	TOPOLOGY,
	NODES,
	NODE,
	ATTRIBUTES,
	LIBRARY,
	FUNCTIONS,
	FUNCTION,
	INNER_NODES,
	INNER_NODE,
	MODEL,
	CONFIG,
	LAYERS,
	LAYER
};

/* The key is NULL for the elements of an array. */
static const struct {
	enum place parent;
	const char *key;
	enum place place;
} ways[] = {
	{ROOT, "format", ALL},
	{ROOT, "signature", ALL},
	{ROOT, "userDefinedMetadata", METADATA},
	{ROOT, "modelTopology", TOPOLOGY},
	{METADATA, "signature", ALL},
	{TOPOLOGY, "node", NODES},
	{TOPOLOGY, "library", LIBRARY},
	{TOPOLOGY, "class_name", ALL},
	{TOPOLOGY, "config", CONFIG},
	{TOPOLOGY, "model_config", MODEL},
	{NODES, NULL, NODE},
	{NODE, "name", ALL},
	{NODE, "op", ALL},
	{NODE, "input", ALL},
	{NODE, "attr", ATTRIBUTES},
	{ATTRIBUTES, "dtype", ALL},
	{ATTRIBUTES, "shape", ALL},
	{ATTRIBUTES, "T", ALL},
	{LIBRARY, "function", FUNCTIONS},
	{FUNCTIONS, NULL, FUNCTION},
	{FUNCTION, "nodeDef", INNER_NODES},
	{INNER_NODES, NULL, INNER_NODE},
	{INNER_NODE, "op", ALL},
	{MODEL, "class_name", ALL},
	{MODEL, "config", CONFIG},
	{CONFIG, NULL, LAYER}, /* as old Keras wrote Sequential models */
	{CONFIG, "layers", LAYERS},
	{CONFIG, "layer", LAYER},
	{LAYERS, NULL, LAYER},
	{LAYER, "class_name", ALL},
	{LAYER, "name", ALL},
	{LAYER, "config", CONFIG},
	{LAYER, "inbound_nodes", ALL},
};

/* What is kept of a layer's configuration. */
static const char *const config_keys[] = {"name", "input_layers", "output_layers", "batch_input_shape",
	"batch_shape", "dtype", "units", "filters", "kernel_size", "strides", "padding", "pool_size",
	"data_format", "dilation_rate", "depth_multiplier", "return_sequences", "return_state",
	"target_shape", "output_dim", "axis", "n", "size", "merge_mode", "keepdims", "dims"};

static bool is_word(const char *word, const char *text, size_t length)
{
	return strlen(word) == length && memcmp(word, text, length) == 0;
}

static enum place find_place(enum place parent, const char *key, size_t length)
{
	if (parent == ALL)
		return ALL;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		if (ways[i].parent == parent && !ways[i].key == !key &&
			(!key || is_word(ways[i].key, key, length)))
			return ways[i].place;
	}
	for (size_t i = 0; parent == CONFIG && key && i < sizeof config_keys / sizeof *config_keys; i++) {
		if (is_word(config_keys[i], key, length))
			return ALL;
	}
	return NOWHERE;
}

static enum place place_of_next(const struct outline *outline)
{
	const struct outline_frame *frame;

	if (outline->passed_by > 0)
		return NOWHERE;
	if (outline->depth == 0)
		return outline->root ? NOWHERE : ROOT;
	frame = &outline->frames[outline->depth - 1];
	return frame->is_array ? find_place(frame->place, NULL, 0) : (enum place)outline->next;
}

static bool has_room(struct outline *outline, size_t bytes)
{
	if (bytes > OUTLINE_BYTES_MAX - outline->bytes) {
		outline->truncated = true;
		return false;
	}
	outline->bytes += bytes;
	return true;
}

/* Takes the value, which may be NULL. */
static bool put(struct outline *outline, json_t *value)
{
	AUTO_FREE char *key = TAKE(outline->key);
	struct outline_frame *frame = outline->depth > 0 ? &outline->frames[outline->depth - 1] : NULL;

	if (!value)
		return false;
	if (!frame) {
		outline->root = value;
		return true;
	}
	return (frame->is_array ? json_array_append_new(frame->container, value)
				: json_object_set_new(frame->container, key ? key : "", value)) == 0;
}

/* Whether a value of this size is to be kept where one stands. */
static bool wants(struct outline *outline, size_t bytes)
{
	return place_of_next(outline) != NOWHERE && has_room(outline, bytes);
}

void outline_begin(struct outline *outline, bool is_array)
{
	enum place place = place_of_next(outline);
	json_t *container;

	if (place != NOWHERE && outline->depth == OUTLINE_DEPTH_MAX)
		outline->truncated = true;
	if (place == NOWHERE || outline->depth == OUTLINE_DEPTH_MAX ||
		!has_room(outline, is_array ? ARRAY_COST : OBJECT_COST)) {
		outline->passed_by++;
		return;
	}
	container = is_array ? json_array() : json_object();
	if (!put(outline, container)) {
		outline->passed_by++;
		return;
	}
	outline->frames[outline->depth++] = (struct outline_frame){container, (unsigned char)place, is_array};
}

void outline_end(struct outline *outline)
{
	if (outline->passed_by > 0)
		outline->passed_by--;
	else
		outline->depth--;
}

void outline_key(struct outline *outline, const char *key, size_t length)
{
	enum place parent;

	free(TAKE(outline->key));
	outline->next = NOWHERE;
	if (outline->passed_by > 0)
		return;
	parent = (enum place)outline->frames[outline->depth - 1].place;
	if (find_place(parent, key, length) == NOWHERE)
		return;
	if (length > OUTLINE_TEXT_MAX || !has_room(outline, KEY_COST + length)) {
		outline->truncated = true;
		return;
	}
	outline->next = (unsigned char)find_place(parent, key, length);
	outline->key = mem_dup_n(key, length);
}

void outline_text(struct outline *outline, const char *text, size_t length)
{
	length = length < OUTLINE_TEXT_MAX ? length : OUTLINE_TEXT_MAX;
	if (wants(outline, VALUE_COST + length))
		(void)put(outline, json_stringn(text, length));
}

static json_t *number_json(const char *text)
{
	double number = strtod(text, NULL);

	return floor(number) == number && fabs(number) < 1e15 ? json_integer((json_int_t)number)
							      : json_real(number);
}

void outline_number(struct outline *outline, const char *text, size_t length)
{
	char copy[NUMBER_LENGTH_MAX + 1];

	if (length > NUMBER_LENGTH_MAX || !wants(outline, VALUE_COST))
		return;
	memcpy(copy, text, length);
	copy[length] = '\0';
	(void)put(outline, number_json(copy));
}

void outline_boolean(struct outline *outline, bool truth)
{
	if (wants(outline, VALUE_COST))
		(void)put(outline, json_boolean(truth));
}

void outline_null(struct outline *outline)
{
	if (wants(outline, VALUE_COST))
		(void)put(outline, json_null());
}

void outline_finish(struct outline *outline)
{
	json_decref(outline->root);
	free(outline->key);
	*outline = (struct outline){0};
}
