/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/formats/tfliteschema.h"

#define ROWS(rows) sizeof(rows) / sizeof((rows)[0]), (rows)
#define TYPE(fields) \
	{ \
		ROWS(fields), 0 \
	}
#define VECTOR(slot, bytes) \
	{ \
		slot, FLAT_VECTOR, .element_bytes = (bytes) \
	}
#define STRING(slot) \
	{ \
		slot, FLAT_STRING \
	}
#define TABLE(slot, of) \
	{ \
		slot, FLAT_TABLE, .type = &(of) \
	}
#define TABLES(slot, of) \
	{ \
		slot, FLAT_TABLES, .type = &(of) \
	}
#define UNION(slot, of) \
	{ \
		slot, FLAT_UNION, .members = (of), .member_count = sizeof(of) / sizeof((of)[0]) \
	}
#define REGION(slot) \
	{ \
		slot, FLAT_REGION \
	}

/* ---- tensors ---- */

static const struct flat_field details_fields[] = {VECTOR(0, 1)};
static const struct flat_type details = TYPE(details_fields);
static const struct flat_type *const all_details[] = {NULL, &details};

static const struct flat_field quantization_fields[] = {
	VECTOR(0, 4), VECTOR(1, 4), VECTOR(2, 4), VECTOR(3, 8), UNION(5, all_details)};
static const struct flat_type quantization = TYPE(quantization_fields);

static const struct flat_field int32_index_fields[] = {VECTOR(0, 4)};
static const struct flat_field uint16_index_fields[] = {VECTOR(0, 2)};
static const struct flat_field uint8_index_fields[] = {VECTOR(0, 1)};
static const struct flat_type int32_index = TYPE(int32_index_fields);
static const struct flat_type uint16_index = TYPE(uint16_index_fields);
static const struct flat_type uint8_index = TYPE(uint8_index_fields);
static const struct flat_type *const indexes[] = {NULL, &int32_index, &uint16_index, &uint8_index};

static const struct flat_field dimension_fields[] = {UNION(3, indexes), UNION(5, indexes)};
static const struct flat_type dimension = TYPE(dimension_fields);
static const struct flat_field sparsity_fields[] = {VECTOR(0, 4), VECTOR(1, 4), TABLES(2, dimension)};
static const struct flat_type sparsity = TYPE(sparsity_fields);
static const struct flat_field variant_fields[] = {VECTOR(0, 4)};
static const struct flat_type variant = TYPE(variant_fields);

static const struct flat_field tensor_fields[] = {VECTOR(0, 4), STRING(3), TABLE(4, quantization),
	TABLE(6, sparsity), VECTOR(7, 4), TABLES(9, variant)};
static const struct flat_type tensor = TYPE(tensor_fields);

/* ---- operators ---- */

static const struct flat_field two_vectors_fields[] = {VECTOR(1, 4), VECTOR(2, 4)};
static const struct flat_type concat_embeddings = TYPE(two_vectors_fields);
static const struct flat_field one_vector_fields[] = {VECTOR(0, 4)};
static const struct flat_type one_vector = TYPE(one_vector_fields);
static const struct flat_field var_handle_fields[] = {STRING(0), STRING(1)};
static const struct flat_type var_handle = TYPE(var_handle_fields);

/* Those that refer to anything. */
static const struct flat_type *const options[] = {
	[3] = &concat_embeddings,
	[17] = &one_vector, /* reshape */
	[30] = &one_vector, /* squeeze */
	[111] = &var_handle,
	[115] = &one_vector, /* bucketize */
};

static const struct flat_field longs_at_0[] = {VECTOR(0, 8)};
static const struct flat_type long_vector = TYPE(longs_at_0);
static const struct flat_field longs_to_2[] = {VECTOR(0, 8), VECTOR(1, 8), VECTOR(2, 8)};
static const struct flat_type three_long_vectors = TYPE(longs_to_2);
static const struct flat_field convolution_fields[] = {VECTOR(0, 8), VECTOR(1, 8), VECTOR(2, 8), VECTOR(3, 8),
	VECTOR(4, 1), VECTOR(7, 8), VECTOR(10, 8), VECTOR(13, 8), VECTOR(16, 4)};
static const struct flat_type convolution = TYPE(convolution_fields);
static const struct flat_field custom_call_fields[] = {STRING(0), STRING(2), VECTOR(4, 4), VECTOR(5, 1)};
static const struct flat_type custom_call = TYPE(custom_call_fields);
static const struct flat_field scatter_fields[] = {VECTOR(1, 8), VECTOR(2, 8), VECTOR(3, 8)};
static const struct flat_type scatter = TYPE(scatter_fields);
static const struct flat_field dot_general_fields[] = {
	VECTOR(0, 8), VECTOR(1, 8), VECTOR(2, 8), VECTOR(3, 8), VECTOR(4, 4)};
static const struct flat_type dot_general = TYPE(dot_general_fields);
static const struct flat_field reduce_window_fields[] = {
	VECTOR(0, 8), VECTOR(1, 8), VECTOR(2, 8), VECTOR(3, 8), VECTOR(4, 8)};
static const struct flat_type reduce_window = TYPE(reduce_window_fields);
static const struct flat_field gather_fields[] = {VECTOR(0, 8), VECTOR(1, 8), VECTOR(2, 8), VECTOR(4, 8)};
static const struct flat_type gather = TYPE(gather_fields);
static const struct flat_field composite_fields[] = {STRING(0), VECTOR(2, 1)};
static const struct flat_type composite = TYPE(composite_fields);

/* StableHLO's. */
static const struct flat_type *const options_2[] = {
	[2] = &long_vector,        /* broadcast_in_dim */
	[3] = &three_long_vectors, /* slice */
	[4] = &convolution,
	[5] = &custom_call,
	[6] = &long_vector, /* reduce */
	[7] = &scatter,
	[9] = &long_vector,         /* dynamic_slice */
	[10] = &three_long_vectors, /* pad */
	[12] = &dot_general,
	[13] = &reduce_window,
	[16] = &gather,
	[17] = &long_vector, /* transpose */
	[21] = &composite,
};

static const struct flat_field operator_fields[] = {VECTOR(1, 4), VECTOR(2, 4), UNION(4, options),
	VECTOR(5, 1), VECTOR(7, 1), VECTOR(8, 4), REGION(9), UNION(12, options_2)};
static const struct flat_type operator_type = TYPE(operator_fields);
static const struct flat_field operator_code_fields[] = {STRING(1)};
static const struct flat_type operator_code = TYPE(operator_code_fields);

/* ---- the model ---- */

static const struct flat_field subgraph_fields[] = {
	TABLES(0, tensor), VECTOR(1, 4), VECTOR(2, 4), TABLES(3, operator_type), STRING(4)};
static const struct flat_type subgraph = TYPE(subgraph_fields);

static const struct flat_field buffer_fields[] = {VECTOR(0, 1), REGION(1)};
static const struct flat_type buffer = TYPE(buffer_fields);

static const struct flat_field named_fields[] = {STRING(0)};
static const struct flat_type named = TYPE(named_fields);

static const struct flat_field signature_fields[] = {
	TABLES(0, named), TABLES(1, named), STRING(2), STRING(3)};
static const struct flat_type signature = TYPE(signature_fields);

enum { MODEL_SUBGRAPHS = 2, MODEL_BUFFERS = 4 };

static const struct flat_field model_fields[] = {TABLES(1, operator_code), TABLES(MODEL_SUBGRAPHS, subgraph),
	STRING(3), TABLES(MODEL_BUFFERS, buffer), VECTOR(5, 4), TABLES(6, named), TABLES(7, signature)};
const struct flat_type tflite_model_type = {ROWS(model_fields), 1U << MODEL_SUBGRAPHS | 1U << MODEL_BUFFERS};
