/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/formats/layershape.h"

#include <string.h>

static const struct layer_shape unknown;

/* Sizes that no model has, so that sums and products stay within 64 bits. */
static const int64_t size_max = INT64_C(1) << 40;

static int64_t checked(int64_t size)
{
	return size < 0 || size > size_max ? -1 : size;
}

static int64_t read_size(const json_t *value)
{
	return json_is_integer(value) ? checked(json_integer_value(value)) : -1;
}

struct layer_shape layer_shape_read(const json_t *value)
{
	struct layer_shape shape = {.is_known = json_is_array(value), .rank = json_array_size(value)};

	if (shape.rank > LAYER_RANK_MAX)
		return unknown;
	for (size_t i = 0; i < shape.rank; i++)
		shape.sizes[i] = read_size(json_array_get(value, i));
	return shape;
}

/* ---- configurations ---- */

static const json_t *config_of(const json_t *layer)
{
	return json_object_get(layer, "config");
}

static const char *word(const json_t *config, const char *key)
{
	const char *text = json_string_value(json_object_get(config, key));

	return text ? text : "";
}

static int64_t number(const json_t *config, const char *key, int64_t otherwise)
{
	const json_t *value = json_object_get(config, key);

	return json_is_integer(value) ? read_size(value) : otherwise;
}

/* "3" for all dimensions, or "[3, 5]". */
static int64_t number_at(const json_t *config, const char *key, size_t i, int64_t otherwise)
{
	const json_t *value = json_object_get(config, key);

	if (json_is_array(value))
		value = json_array_get(value, json_array_size(value) == 1 ? 0 : i);
	return json_is_integer(value) ? read_size(value) : otherwise;
}

static bool is_first(const json_t *config)
{
	return strcmp(word(config, "data_format"), "channels_first") == 0 ||
	       strcmp(word(config, "data_format"), "channelsFirst") == 0;
}

/* ---- kinds of layers ---- */

static struct layer_shape same(const json_t *config, struct layer_shape in)
{
	(void)config;
	return in;
}

static struct layer_shape dense(const json_t *config, struct layer_shape in)
{
	if (in.rank == 0)
		return unknown;
	in.sizes[in.rank - 1] = number(config, "units", -1);
	return in;
}

static struct layer_shape embedding(const json_t *config, struct layer_shape in)
{
	if (in.rank == LAYER_RANK_MAX)
		return unknown;
	in.sizes[in.rank++] = number(config, "output_dim", -1);
	return in;
}

static int64_t product(const int64_t *sizes, size_t count)
{
	int64_t all = 1;

	for (size_t i = 0; i < count; i++) {
		if (sizes[i] < 0 || __builtin_mul_overflow(all, sizes[i], &all))
			return -1;
	}
	return all;
}

static struct layer_shape flatten(const json_t *config, struct layer_shape in)
{
	(void)config;
	if (in.rank == 0)
		return unknown;
	return (struct layer_shape){true, 2, {in.sizes[0], product(in.sizes + 1, in.rank - 1)}};
}

/* One size may be left to be computed. */
static struct layer_shape reshape(const json_t *config, struct layer_shape in)
{
	struct layer_shape target = layer_shape_read(json_object_get(config, "target_shape"));
	int64_t all = in.rank > 0 ? product(in.sizes + 1, in.rank - 1) : -1;
	int64_t others = 1;
	size_t open = LAYER_RANK_MAX;
	struct layer_shape out = {true, target.rank + 1, {in.sizes[0]}};

	if (!target.is_known || target.rank == LAYER_RANK_MAX || in.rank == 0)
		return unknown;
	for (size_t i = 0; i < target.rank; i++) {
		out.sizes[i + 1] = target.sizes[i];
		if (target.sizes[i] < 0)
			open = i + 1;
		else if (__builtin_mul_overflow(others, target.sizes[i], &others))
			return unknown;
	}
	if (open < LAYER_RANK_MAX && all >= 0 && others > 0)
		out.sizes[open] = all / others;
	return out;
}

static struct layer_shape repeat(const json_t *config, struct layer_shape in)
{
	if (in.rank != 2)
		return unknown;
	return (struct layer_shape){true, 3, {in.sizes[0], number(config, "n", -1), in.sizes[1]}};
}

static struct layer_shape recurrent(const json_t *config, struct layer_shape in)
{
	int64_t units = number(config, "units", -1);

	if (in.rank != 3 || json_is_true(json_object_get(config, "return_state")))
		return unknown;
	if (json_is_true(json_object_get(config, "return_sequences")))
		return (struct layer_shape){true, 3, {in.sizes[0], in.sizes[1], units}};
	return (struct layer_shape){true, 2, {in.sizes[0], units}};
}

/* How far a window slides over one dimension. */
static int64_t slide(const json_t *config, int64_t size, int64_t window, int64_t stride, int64_t dilation)
{
	if (size < 0 || window < 1 || stride < 1 || dilation < 1)
		return -1;
	if (strcmp(word(config, "padding"), "same") == 0)
		return (size + stride - 1) / stride;
	size -= (window - 1) * dilation;
	if (strcmp(word(config, "padding"), "causal") == 0)
		size += (window - 1) * dilation;
	return size < 1 ? -1 : (size + stride - 1) / stride;
}

static struct layer_shape convolve(const json_t *config, struct layer_shape in)
{
	size_t first = is_first(config) ? 2 : 1;

	if (in.rank < 3)
		return unknown;
	for (size_t i = 0; i < in.rank - 2; i++)
		in.sizes[first + i] =
			slide(config, in.sizes[first + i], number_at(config, "kernel_size", i, -1),
				number_at(config, "strides", i, 1), number_at(config, "dilation_rate", i, 1));
	in.sizes[first == 2 ? 1 : in.rank - 1] = number(config, "filters", -1);
	return in;
}

static struct layer_shape convolve_depthwise(const json_t *config, struct layer_shape in)
{
	size_t at = is_first(config) ? 1 : in.rank - 1;
	int64_t channels = in.rank < 3 ? -1 : in.sizes[at];
	struct layer_shape out = convolve(config, in);
	int64_t multiplier = number(config, "depth_multiplier", 1);

	if (out.is_known)
		out.sizes[at] = channels < 0 || multiplier < 0 || multiplier > size_max / (channels + 1)
					? -1
					: channels * multiplier;
	return out;
}

static struct layer_shape convolve_transposed(const json_t *config, struct layer_shape in)
{
	size_t first = is_first(config) ? 2 : 1;

	if (in.rank < 3)
		return unknown;
	for (size_t i = 0; i < in.rank - 2; i++) {
		int64_t window = number_at(config, "kernel_size", i, -1);
		int64_t stride = number_at(config, "strides", i, 1);
		int64_t *size = &in.sizes[first + i];

		if (*size < 0 || window < 0 || stride < 1 || stride > size_max / (*size + 1))
			*size = -1;
		else
			*size = *size * stride +
				(strcmp(word(config, "padding"), "same") == 0 || window < stride
						? 0
						: window - stride);
	}
	in.sizes[first == 2 ? 1 : in.rank - 1] = number(config, "filters", -1);
	return in;
}

static struct layer_shape pool(const json_t *config, struct layer_shape in)
{
	size_t first = is_first(config) ? 2 : 1;

	if (in.rank < 3)
		return unknown;
	for (size_t i = 0; i < in.rank - 2; i++) {
		int64_t window = number_at(config, "pool_size", i, 2);

		in.sizes[first + i] = slide(
			config, in.sizes[first + i], window, number_at(config, "strides", i, window), 1);
	}
	return in;
}

static struct layer_shape pool_globally(const json_t *config, struct layer_shape in)
{
	size_t channel = is_first(config) ? 1 : in.rank - 1;

	if (in.rank < 3)
		return unknown;
	if (!json_is_true(json_object_get(config, "keepdims")))
		return (struct layer_shape){true, 2, {in.sizes[0], in.sizes[channel]}};
	for (size_t i = 1; i < in.rank; i++)
		in.sizes[i] = i == channel ? in.sizes[i] : 1;
	return in;
}

/* "padding" of ZeroPadding2D: 1, [1, 2] or [[0, 1], [0, 1]]. */
static struct layer_shape pad(const json_t *config, struct layer_shape in)
{
	const json_t *padding = json_object_get(config, "padding");
	size_t first = is_first(config) ? 2 : 1;

	if (in.rank < 3)
		return unknown;
	for (size_t i = 0; i < in.rank - 2; i++) {
		const json_t *sides = json_is_array(padding) ? json_array_get(padding, i) : padding;
		int64_t before = read_size(json_is_array(sides) ? json_array_get(sides, 0) : sides);
		int64_t after = read_size(json_is_array(sides) ? json_array_get(sides, 1) : sides);
		int64_t *size = &in.sizes[first + i];

		*size = *size < 0 || before < 0 || after < 0 ? -1 : checked(*size + before + after);
	}
	return in;
}

static struct layer_shape enlarge(const json_t *config, struct layer_shape in)
{
	size_t first = is_first(config) ? 2 : 1;

	if (in.rank < 3)
		return unknown;
	for (size_t i = 0; i < in.rank - 2; i++) {
		int64_t times = number_at(config, "size", i, 2);
		int64_t *size = &in.sizes[first + i];

		*size = *size < 0 || times < 0 || times > size_max / (*size + 1) ? -1 : *size * times;
	}
	return in;
}

static struct layer_shape permute(const json_t *config, struct layer_shape in)
{
	struct layer_shape dims = layer_shape_read(json_object_get(config, "dims"));
	struct layer_shape out = in;

	if (!dims.is_known || dims.rank + 1 != in.rank)
		return unknown;
	for (size_t i = 0; i < dims.rank; i++) {
		if (dims.sizes[i] < 1 || dims.sizes[i] >= (int64_t)in.rank)
			return unknown;
		out.sizes[i + 1] = in.sizes[dims.sizes[i]];
	}
	return out;
}

/* ---- layers around a layer ---- */

static struct layer_shape inner(const json_t *config, const struct layer_shape *in)
{
	return layer_shape_infer(json_object_get(config, "layer"), in, 1);
}

static struct layer_shape distribute(const json_t *config, struct layer_shape in)
{
	struct layer_shape each = {true, in.rank - 1, {in.sizes[0]}};
	struct layer_shape out;

	if (in.rank < 3)
		return unknown;
	memcpy(each.sizes + 1, in.sizes + 2, (in.rank - 2) * sizeof *in.sizes);
	out = inner(config, &each);
	if (!out.is_known || out.rank == 0 || out.rank == LAYER_RANK_MAX)
		return unknown;
	memmove(out.sizes + 2, out.sizes + 1, (out.rank - 1) * sizeof *out.sizes);
	out.sizes[1] = in.sizes[1];
	out.rank++;
	return out;
}

static struct layer_shape both_ways(const json_t *config, struct layer_shape in)
{
	struct layer_shape out = inner(config, &in);
	const char *mode = word(config, "merge_mode");

	if (!out.is_known || out.rank == 0 || (!*mode && json_object_get(config, "merge_mode")))
		return unknown;
	if ((!*mode || strcmp(mode, "concat") == 0) && out.sizes[out.rank - 1] > 0)
		out.sizes[out.rank - 1] = checked(2 * out.sizes[out.rank - 1]);
	return out;
}

static const struct {
	const char *class_name;
	struct layer_shape (*infer)(const json_t *config, struct layer_shape in);
} rows[] = {{"InputLayer", same}, {"Activation", same}, {"ActivityRegularization", same},
	{"AlphaDropout", same}, {"BatchNormalization", same}, {"Dropout", same}, {"ELU", same},
	{"GaussianDropout", same}, {"GaussianNoise", same}, {"LayerNormalization", same}, {"LeakyReLU", same},
	{"Masking", same}, {"PReLU", same}, {"ReLU", same}, {"Rescaling", same}, {"Softmax", same},
	{"SpatialDropout1D", same}, {"SpatialDropout2D", same}, {"ThresholdedReLU", same}, {"Dense", dense},
	{"Embedding", embedding}, {"Flatten", flatten}, {"Reshape", reshape}, {"RepeatVector", repeat},
	{"Permute", permute}, {"LSTM", recurrent}, {"GRU", recurrent}, {"SimpleRNN", recurrent},
	{"Conv1D", convolve}, {"Conv2D", convolve}, {"Conv3D", convolve}, {"SeparableConv2D", convolve},
	{"DepthwiseConv2D", convolve_depthwise}, {"Conv2DTranspose", convolve_transposed},
	{"Conv3DTranspose", convolve_transposed}, {"MaxPooling1D", pool}, {"MaxPooling2D", pool},
	{"MaxPooling3D", pool}, {"AveragePooling1D", pool}, {"AveragePooling2D", pool},
	{"AveragePooling3D", pool}, {"GlobalAveragePooling1D", pool_globally},
	{"GlobalAveragePooling2D", pool_globally}, {"GlobalMaxPooling1D", pool_globally},
	{"GlobalMaxPooling2D", pool_globally}, {"ZeroPadding2D", pad}, {"UpSampling2D", enlarge},
	{"TimeDistributed", distribute}, {"Bidirectional", both_ways}};

/* ---- layers that merge others ---- */

static struct layer_shape concatenate(const json_t *config, const struct layer_shape *inputs, size_t count)
{
	const json_t *value = json_object_get(config, "axis");
	int64_t axis = json_is_integer(value) ? json_integer_value(value) : -1;
	struct layer_shape out = inputs[0];

	axis += axis < 0 ? (int64_t)out.rank : 0;
	if (axis < 0 || axis >= (int64_t)out.rank)
		return unknown;
	for (size_t i = 1; i < count; i++) {
		if (inputs[i].rank != out.rank)
			return unknown;
		out.sizes[axis] = out.sizes[axis] < 0 || inputs[i].sizes[axis] < 0
					  ? -1
					  : checked(out.sizes[axis] + inputs[i].sizes[axis]);
	}
	return out;
}

static bool are_alike(const struct layer_shape *a, const struct layer_shape *b)
{
	return a->rank == b->rank && memcmp(a->sizes, b->sizes, a->rank * sizeof *a->sizes) == 0;
}

static struct layer_shape merge(const json_t *config, const struct layer_shape *inputs, size_t count)
{
	(void)config;
	for (size_t i = 1; i < count; i++) {
		if (!are_alike(&inputs[0], &inputs[i]))
			return unknown;
	}
	return inputs[0];
}

static const struct {
	const char *class_name;
	struct layer_shape (*infer)(const json_t *config, const struct layer_shape *inputs, size_t count);
} merging[] = {{"Concatenate", concatenate}, {"Add", merge}, {"Average", merge}, {"Maximum", merge},
	{"Minimum", merge}, {"Multiply", merge}, {"Subtract", merge}};

struct layer_shape layer_shape_infer(const json_t *layer, const struct layer_shape *inputs, size_t count)
{
	const char *class_name = word(layer, "class_name");

	for (size_t i = 0; i < count; i++) {
		if (!inputs[i].is_known)
			return unknown;
	}
	for (size_t i = 0; count > 0 && i < sizeof merging / sizeof *merging; i++) {
		if (strcmp(merging[i].class_name, class_name) == 0)
			return merging[i].infer(config_of(layer), inputs, count);
	}
	for (size_t i = 0; count == 1 && i < sizeof rows / sizeof *rows; i++) {
		if (strcmp(rows[i].class_name, class_name) == 0)
			return rows[i].infer(config_of(layer), inputs[0]);
	}
	return unknown;
}
