/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/savedmodel/tensor.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

static struct shape shape_from(const struct message *message)
{
	struct shape shape = {.kind = message ? SHAPE_KNOWN : SHAPE_UNSET};
	size_t capacity = 0;

	if (message_integer(message, SHAPE_UNKNOWN)) {
		shape.kind = SHAPE_UNKNOWN_RANK;
		return shape;
	}
	for (const struct item *dim = message_items(message, SHAPE_DIM); dim; dim = dim->next) {
		int64_t size = message_integer(dim->message, DIM_SIZE);

		MEM_GROW(shape.dimensions, shape.rank, capacity);
		shape.dimensions[shape.rank++] = size < 0 ? -1 : size;
	}
	return shape;
}

static char *type_from(const struct message *type_spec)
{
	int64_t number = message_integer(type_spec, TYPE_SPEC_CLASS);
	const char *given = message_string(type_spec, TYPE_SPEC_CLASS_NAME);
	const char *known = type_spec_class_name(number);

	if (*given)
		return mem_dup(given);
	return known ? mem_dup(known) : mem_printf("type_spec_%lld", (long long)number);
}

void tensor_from_info(struct tensor *tensor, const struct message *info)
{
	const struct message *coo = message_inner(info, TENSOR_INFO_COO);

	tensor->dtype = message_integer(info, TENSOR_INFO_DTYPE);
	tensor->shape = shape_from(message_inner(info, TENSOR_INFO_SHAPE));
	switch (message_oneof(info)) {
	case TENSOR_INFO_COO:
		tensor->encoding = TENSOR_COO;
		tensor->values = mem_dup(message_string(coo, COO_VALUES));
		tensor->indices = mem_dup(message_string(coo, COO_INDICES));
		tensor->dense_shape = mem_dup(message_string(coo, COO_DENSE_SHAPE));
		break;
	case TENSOR_INFO_COMPOSITE:
		tensor->encoding = TENSOR_COMPOSITE;
		tensor->type = type_from(
			message_inner(message_inner(info, TENSOR_INFO_COMPOSITE), COMPOSITE_TYPE_SPEC));
		break;
	default:
		tensor->encoding = TENSOR_DENSE;
		tensor->tensor = mem_dup(message_string(info, TENSOR_INFO_NAME));
	}
}

static void from_tensor_spec(struct tensor *tensor, const struct message *spec)
{
	tensor->encoding = TENSOR_DENSE;
	tensor->dtype = message_integer(spec, TENSOR_SPEC_DTYPE);
	tensor->shape = shape_from(message_inner(spec, TENSOR_SPEC_SHAPE));
}

/* The state of the common specs is a tuple in which shape and dtype stand as such. */
static void from_type_spec(struct tensor *tensor, const struct message *spec)
{
	const struct message *state = message_inner(message_inner(spec, TYPE_SPEC_STATE), VALUE_TUPLE);

	tensor->encoding = TENSOR_COMPOSITE;
	tensor->type = type_from(spec);
	for (const struct item *item = message_items(state, VALUES); item; item = item->next) {
		const struct message *shape = message_inner(item->message, VALUE_SHAPE);

		if (tensor->dtype == 0)
			tensor->dtype = message_integer(item->message, VALUE_DTYPE);
		if (shape && tensor->shape.kind == SHAPE_UNSET)
			tensor->shape = shape_from(shape);
	}
}

void tensor_from_value(struct tensor *tensor, const struct message *value)
{
	uint32_t which = message_oneof(value);

	switch (which) {
	case VALUE_TENSOR_SPEC:
	case VALUE_BOUNDED_SPEC:
		from_tensor_spec(tensor, message_inner(value, which));
		break;
	case VALUE_TYPE_SPEC:
		from_type_spec(tensor, message_inner(value, which));
		break;
	default:
		tensor->encoding = TENSOR_LITERAL;
		tensor->type = literal_repr(value);
	}
}

void tensor_finish(struct tensor *tensor)
{
	free(tensor->name);
	free(tensor->tensor);
	free(tensor->values);
	free(tensor->indices);
	free(tensor->dense_shape);
	free(tensor->type);
	free(tensor->shape.dimensions);
}

static size_t string_bytes(const char *string)
{
	return string ? strlen(string) + 1 : 0;
}

static size_t tensor_bytes(const struct tensor *tensor)
{
	return sizeof *tensor + string_bytes(tensor->name) + string_bytes(tensor->tensor) +
	       string_bytes(tensor->values) + string_bytes(tensor->indices) +
	       string_bytes(tensor->dense_shape) + string_bytes(tensor->type) +
	       tensor->shape.rank * sizeof *tensor->shape.dimensions;
}

/* As values of JSON in memory; some characters become several when they are written. */
enum { TENSOR_COST = 448, DIMENSION_COST = 32, ESCAPE_COST = 5 };

size_t text_cost(const char *text)
{
	size_t cost = string_bytes(text);

	for (; text && *text; text++)
		cost += (unsigned char)*text < ' ' || strchr("\"\\<>&", *text) ? ESCAPE_COST : 0;
	return cost;
}

static size_t tensor_cost(const struct tensor *tensor)
{
	return TENSOR_COST + text_cost(tensor->name) + text_cost(tensor->tensor) + text_cost(tensor->values) +
	       text_cost(tensor->indices) + text_cost(tensor->dense_shape) + text_cost(tensor->type) +
	       tensor->shape.rank * DIMENSION_COST;
}

size_t tensors_cost(const struct tensors *tensors)
{
	size_t cost = 0;

	for (size_t i = 0; i < tensors->count; i++)
		cost += tensor_cost(&tensors->items[i]);
	return cost;
}

bool tensors_add(struct tensors *tensors, struct tensor *tensor, struct pool *pool)
{
	if (!pool_charge(pool, tensor_bytes(tensor))) {
		tensor_finish(tensor);
		return false;
	}
	MEM_GROW(tensors->items, tensors->count, tensors->capacity);
	tensors->items[tensors->count++] = *tensor;
	return true;
}

void tensors_finish(struct tensors *tensors)
{
	for (size_t i = 0; i < tensors->count; i++)
		tensor_finish(&tensors->items[i]);
	free(tensors->items);
	*tensors = (struct tensors){0};
}
