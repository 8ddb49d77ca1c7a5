/* SPDX-License-Identifier: Apache-2.0
 *
 * Which messages and fields of a SavedModel Larder reads, as one table: the C side of
 * schema/saved_model.proto, walked by the binary and the text reader alike. Every field that is not in it is
 * skipped. */
#ifndef SERVER_MODULE_SAVEDMODEL_FIELDS_H
#define SERVER_MODULE_SAVEDMODEL_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_kind {
	FIELD_INT64,
	FIELD_INT32,
	FIELD_BOOL,
	FIELD_ENUM,
	FIELD_SINT64, /* zigzag */
	FIELD_DOUBLE,
	FIELD_STRING,
	FIELD_BYTES, /* as far as FIELD_BYTES_MAX, and as text: what is not printable ASCII is "?" */
	FIELD_MESSAGE
};

enum field_label {
	FIELD_SINGLE,
	FIELD_REPEATED,
	FIELD_MAP,     /* repeated entries with the fields ENTRY_KEY and ENTRY_VALUE */
	FIELD_STREAMED /* repeated, but each element is shown to the listener, which decides whether to keep
			  it */
};

/* What is counted, whether or not there is room to keep it. */
enum tally {
	TALLY_NONE,
	TALLY_META_GRAPHS,
	TALLY_TAGS,
	TALLY_SIGNATURES,
	TALLY_TENSORS, /* inputs and outputs of signatures */
	TALLY_NODES,
	TALLY_COUNT
};

struct message_type;

struct field {
	const char *name;
	uint32_t number;
	enum field_kind kind;
	enum field_label label;
	unsigned slot;                   /* where a message keeps it: members of one oneof share a slot */
	const struct message_type *type; /* of FIELD_MESSAGE */
	bool (*symbol)(const char *name, int64_t *number); /* of FIELD_ENUM: reads the name of a value */
	enum tally tally;
	unsigned most;     /* elements that TensorFlow takes; 0: any number */
	bool may_have_nul; /* of FIELD_STRING: TensorFlow has no use for it but as bytes; kept as "?" */
};

struct message_type {
	const char *name;
	unsigned slot_count;
	size_t field_count;
	const struct field *fields;
};

extern const struct message_type saved_model_type;
extern const struct message_type meta_graph_type;
extern const struct message_type node_type;          /* of a graph */
extern const struct message_type function_node_type; /* of a function: the same */
extern const struct message_type attr_entry_type;
extern const struct message_type op_def_type;
extern const struct message_type function_def_type;
extern const struct message_type asset_type;
extern const struct message_type object_type;
extern const struct message_type concrete_entry_type;

/* The field with this number or name; NULL if it is not read. */
const struct field *field_by_number(const struct message_type *type, uint32_t number);
const struct field *field_by_name(const struct message_type *type, const char *name);

/* Reads the name of a TypeSpecProto.TypeSpecClass ("RAGGED_TENSOR_SPEC"). */
bool type_spec_class_parse_symbol(const char *name, int64_t *number);

/* The Python class of a TypeSpecProto.TypeSpecClass ("RaggedTensorSpec"); NULL for a number not known. */
const char *type_spec_class_name(int64_t number);

enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };
enum { SAVED_MODEL_SCHEMA_VERSION = 1, SAVED_MODEL_META_GRAPHS = 2 };
enum {
	META_GRAPH_INFO = 1,
	META_GRAPH_GRAPH = 2,
	META_GRAPH_SAVER = 3,
	META_GRAPH_SIGNATURES = 5,
	META_GRAPH_ASSETS = 6,
	META_GRAPH_OBJECTS = 7
};
enum { SAVER_RESTORE = 3 };
enum { META_INFO_TAGS = 4, META_INFO_TENSORFLOW_VERSION = 5 };
enum { GRAPH_NODE = 1, GRAPH_LIBRARY = 2 };
enum { LIBRARY_FUNCTION = 1 };
enum { FUNCTION_DEF_NODE = 3 };
enum { FUNCTION_DEF_SIGNATURE = 1 };
enum { OP_DEF_NAME = 1 };
enum { NODE_NAME = 1, NODE_OP = 2, NODE_ATTR = 5 };
enum { ATTR_LIST = 1, ATTR_BYTES = 2, ATTR_PLACEHOLDER = 9 };
enum { ATTR_LIST_BYTES = 2 };
enum { ASSET_FILENAME = 2 };
enum { FIELD_BYTES_MAX = 256 };
enum { SIGNATURE_INPUTS = 1, SIGNATURE_OUTPUTS = 2, SIGNATURE_METHOD = 3 };
enum {
	TENSOR_INFO_NAME = 1,
	TENSOR_INFO_DTYPE = 2,
	TENSOR_INFO_SHAPE = 3,
	TENSOR_INFO_COO = 4,
	TENSOR_INFO_COMPOSITE = 5
};
enum { COO_VALUES = 1, COO_INDICES = 2, COO_DENSE_SHAPE = 3 };
enum { COMPOSITE_TYPE_SPEC = 1 };
enum { SHAPE_DIM = 2, SHAPE_UNKNOWN = 3 };
enum { SHAPE_DIMENSIONS_MAX = 254 }; /* TensorFlow's TensorShape::MaxDimensions() */
enum { DIM_SIZE = 1 };
enum { OBJECTS_NODES = 1, OBJECTS_CONCRETE_FUNCTIONS = 2 };
enum { OBJECT_CHILDREN = 1, OBJECT_FUNCTION = 6, OBJECT_VARIABLE = 7 };
enum { CHILD_NODE = 1, CHILD_NAME = 2 };
enum { FUNCTION_CONCRETE = 1, FUNCTION_SPEC = 2 };
enum { SPEC_FULLARGSPEC = 1, SPEC_IS_METHOD = 2 };
enum { CONCRETE_INPUT = 3, CONCRETE_OUTPUT = 4 };
enum { TENSOR_SPEC_NAME = 1, TENSOR_SPEC_SHAPE = 2, TENSOR_SPEC_DTYPE = 3 };
enum { TYPE_SPEC_CLASS = 1, TYPE_SPEC_STATE = 2, TYPE_SPEC_CLASS_NAME = 3 };
enum { VALUES = 1 };                                   /* of a list or tuple; the fields of a dict */
enum { NAMED_TUPLE_NAME = 1, NAMED_TUPLE_VALUES = 2 }; /* each a pair: ENTRY_KEY and ENTRY_VALUE */

/* The one oneof of a StructuredValue. */
enum {
	VALUE_NONE = 1,
	VALUE_FLOAT64 = 11,
	VALUE_INT64 = 12,
	VALUE_STRING = 13,
	VALUE_BOOL = 14,
	VALUE_SHAPE = 31,
	VALUE_DTYPE = 32,
	VALUE_TENSOR_SPEC = 33,
	VALUE_TYPE_SPEC = 34,
	VALUE_BOUNDED_SPEC = 35,
	VALUE_LIST = 51,
	VALUE_TUPLE = 52,
	VALUE_DICT = 53,
	VALUE_NAMED_TUPLE = 54,
	VALUE_TENSOR = 55,
	VALUE_NUMPY = 56
};

#endif
