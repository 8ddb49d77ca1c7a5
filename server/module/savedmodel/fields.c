/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/savedmodel/fields.h"

#include <string.h>

#include "server/module/savedmodel/dtype.h"

#define ROWS(rows) sizeof(rows) / sizeof((rows)[0]), (rows)
#define MESSAGE(inner) FIELD_MESSAGE, FIELD_SINGLE, .type = &(inner)
#define STRING FIELD_STRING, FIELD_SINGLE

static const struct {
	const char *symbol;
	const char *class_name;
	int64_t number;
} type_spec_classes[] = {
	{"UNKNOWN", "", 0},
	{"SPARSE_TENSOR_SPEC", "SparseTensorSpec", 1},
	{"INDEXED_SLICES_SPEC", "IndexedSlicesSpec", 2},
	{"RAGGED_TENSOR_SPEC", "RaggedTensorSpec", 3},
	{"TENSOR_ARRAY_SPEC", "TensorArraySpec", 4},
	{"DATA_DATASET_SPEC", "DatasetSpec", 5},
	{"DATA_ITERATOR_SPEC", "IteratorSpec", 6},
	{"OPTIONAL_SPEC", "OptionalSpec", 7},
	{"PER_REPLICA_SPEC", "PerReplicaSpec", 8},
	{"VARIABLE_SPEC", "VariableSpec", 9},
	{"ROW_PARTITION_SPEC", "RowPartitionSpec", 10},
	{"REGISTERED_TYPE_SPEC", "RegisteredTypeSpec", 12},
	{"EXTENSION_TYPE_SPEC", "ExtensionTypeSpec", 13},
};
enum { TYPE_SPEC_CLASS_COUNT = sizeof type_spec_classes / sizeof type_spec_classes[0] };

bool type_spec_class_parse_symbol(const char *name, int64_t *number)
{
	for (size_t i = 0; i < TYPE_SPEC_CLASS_COUNT; i++) {
		if (strcmp(name, type_spec_classes[i].symbol) == 0) {
			*number = type_spec_classes[i].number;
			return true;
		}
	}
	return false;
}

const char *type_spec_class_name(int64_t number)
{
	for (size_t i = 0; i < TYPE_SPEC_CLASS_COUNT; i++) {
		if (number == type_spec_classes[i].number)
			return type_spec_classes[i].class_name;
	}
	return NULL;
}

#define DTYPE FIELD_ENUM, FIELD_SINGLE, .symbol = dtype_parse_symbol

/* Of a oneof's members that are not read, only which one was set last counts. */
static const struct message_type unread_type = {"", 0, 0, NULL};
static const struct message_type value_type;

static const struct field dim_fields[] = {{"size", DIM_SIZE, FIELD_INT64, .slot = 0}};
static const struct message_type dim_type = {"TensorShapeProto.Dim", 1, ROWS(dim_fields)};

static const struct field shape_fields[] = {
	{"dim", SHAPE_DIM, FIELD_MESSAGE, FIELD_REPEATED, .type = &dim_type, .slot = 0,
		.most = SHAPE_DIMENSIONS_MAX},
	{"unknown_rank", SHAPE_UNKNOWN, FIELD_BOOL, .slot = 1},
};
static const struct message_type shape_type = {"TensorShapeProto", 2, ROWS(shape_fields)};

static const struct field type_spec_fields[] = {
	{"type_spec_class", TYPE_SPEC_CLASS, FIELD_ENUM, .symbol = type_spec_class_parse_symbol, .slot = 0},
	{"type_state", TYPE_SPEC_STATE, MESSAGE(value_type), .slot = 1},
	{"type_spec_class_name", TYPE_SPEC_CLASS_NAME, STRING, .slot = 2},
};
static const struct message_type type_spec_type = {"TypeSpecProto", 3, ROWS(type_spec_fields)};

/* A BoundedTensorSpecProto has these as well, and its bounds are not read. */
static const struct field tensor_spec_fields[] = {
	{"name", TENSOR_SPEC_NAME, STRING, .slot = 0},
	{"shape", TENSOR_SPEC_SHAPE, MESSAGE(shape_type), .slot = 1},
	{"dtype", TENSOR_SPEC_DTYPE, DTYPE, .slot = 2},
};
static const struct message_type tensor_spec_type = {"TensorSpecProto", 3, ROWS(tensor_spec_fields)};

static const struct field list_fields[] = {
	{"values", VALUES, FIELD_MESSAGE, FIELD_REPEATED, .type = &value_type, .slot = 0},
};
static const struct message_type list_type = {"ListValue", 1, ROWS(list_fields)};

static const struct field value_entry_fields[] = {
	{"key", ENTRY_KEY, STRING, .slot = 0},
	{"value", ENTRY_VALUE, MESSAGE(value_type), .slot = 1},
};
static const struct message_type value_entry_type = {"PairValue", 2, ROWS(value_entry_fields)};

static const struct field dict_fields[] = {
	{"fields", VALUES, FIELD_MESSAGE, FIELD_MAP, .type = &value_entry_type, .slot = 0},
};
static const struct message_type dict_type = {"DictValue", 1, ROWS(dict_fields)};

static const struct field named_tuple_fields[] = {
	{"name", NAMED_TUPLE_NAME, STRING, .slot = 0},
	{"values", NAMED_TUPLE_VALUES, FIELD_MESSAGE, FIELD_REPEATED, .type = &value_entry_type, .slot = 1},
};
static const struct message_type named_tuple_type = {"NamedTupleValue", 2, ROWS(named_tuple_fields)};

static const struct field value_fields[] = {
	{"none_value", VALUE_NONE, MESSAGE(unread_type)},
	{"float64_value", VALUE_FLOAT64, FIELD_DOUBLE},
	{"int64_value", VALUE_INT64, FIELD_SINT64},
	{"string_value", VALUE_STRING, STRING},
	{"bool_value", VALUE_BOOL, FIELD_BOOL},
	{"tensor_shape_value", VALUE_SHAPE, MESSAGE(shape_type)},
	{"tensor_dtype_value", VALUE_DTYPE, DTYPE},
	{"tensor_spec_value", VALUE_TENSOR_SPEC, MESSAGE(tensor_spec_type)},
	{"type_spec_value", VALUE_TYPE_SPEC, MESSAGE(type_spec_type)},
	{"bounded_tensor_spec_value", VALUE_BOUNDED_SPEC, MESSAGE(tensor_spec_type)},
	{"list_value", VALUE_LIST, MESSAGE(list_type)},
	{"tuple_value", VALUE_TUPLE, MESSAGE(list_type)},
	{"dict_value", VALUE_DICT, MESSAGE(dict_type)},
	{"named_tuple_value", VALUE_NAMED_TUPLE, MESSAGE(named_tuple_type)},
	{"tensor_value", VALUE_TENSOR, MESSAGE(unread_type)},
	{"numpy_value", VALUE_NUMPY, MESSAGE(unread_type)},
};
static const struct message_type value_type = {"StructuredValue", 1, ROWS(value_fields)};

static const struct field coo_fields[] = {
	{"values_tensor_name", COO_VALUES, STRING, .slot = 0},
	{"indices_tensor_name", COO_INDICES, STRING, .slot = 1},
	{"dense_shape_tensor_name", COO_DENSE_SHAPE, STRING, .slot = 2},
};
static const struct message_type coo_type = {"TensorInfo.CooSparse", 3, ROWS(coo_fields)};

static const struct field composite_fields[] = {
	{"type_spec", COMPOSITE_TYPE_SPEC, MESSAGE(type_spec_type), .slot = 0},
};
static const struct message_type composite_type = {"TensorInfo.CompositeTensor", 1, ROWS(composite_fields)};

static const struct field tensor_info_fields[] = {
	{"name", TENSOR_INFO_NAME, STRING, .slot = 0},
	{"coo_sparse", TENSOR_INFO_COO, MESSAGE(coo_type), .slot = 0},
	{"composite_tensor", TENSOR_INFO_COMPOSITE, MESSAGE(composite_type), .slot = 0},
	{"dtype", TENSOR_INFO_DTYPE, DTYPE, .slot = 1},
	{"tensor_shape", TENSOR_INFO_SHAPE, MESSAGE(shape_type), .slot = 2},
};
static const struct message_type tensor_info_type = {"TensorInfo", 3, ROWS(tensor_info_fields)};

static const struct field tensor_entry_fields[] = {
	{"key", ENTRY_KEY, STRING, .slot = 0},
	{"value", ENTRY_VALUE, MESSAGE(tensor_info_type), .slot = 1},
};
static const struct message_type tensor_entry_type = {
	"SignatureDef.InputsEntry", 2, ROWS(tensor_entry_fields)};

static const struct field signature_fields[] = {
	{"inputs", SIGNATURE_INPUTS, FIELD_MESSAGE, FIELD_MAP, .type = &tensor_entry_type, .slot = 0,
		.tally = TALLY_TENSORS},
	{"outputs", SIGNATURE_OUTPUTS, FIELD_MESSAGE, FIELD_MAP, .type = &tensor_entry_type, .slot = 1,
		.tally = TALLY_TENSORS},
	{"method_name", SIGNATURE_METHOD, STRING, .slot = 2},
};
static const struct message_type signature_type = {"SignatureDef", 3, ROWS(signature_fields)};

static const struct field signature_entry_fields[] = {
	{"key", ENTRY_KEY, STRING, .slot = 0},
	{"value", ENTRY_VALUE, MESSAGE(signature_type), .slot = 1},
};
static const struct message_type signature_entry_type = {
	"MetaGraphDef.SignatureDefEntry", 2, ROWS(signature_entry_fields)};

static const struct field child_fields[] = {
	{"node_id", CHILD_NODE, FIELD_INT32, .slot = 0},
	{"local_name", CHILD_NAME, STRING, .slot = 1},
};
static const struct message_type child_type = {"ObjectReference", 2, ROWS(child_fields)};

static const struct field function_spec_fields[] = {
	{"fullargspec", SPEC_FULLARGSPEC, MESSAGE(value_type), .slot = 0},
	{"is_method", SPEC_IS_METHOD, FIELD_BOOL, .slot = 1},
};
static const struct message_type function_spec_type = {"FunctionSpec", 2, ROWS(function_spec_fields)};

static const struct field function_fields[] = {
	{"concrete_functions", FUNCTION_CONCRETE, FIELD_STRING, FIELD_REPEATED, .slot = 0},
	{"function_spec", FUNCTION_SPEC, MESSAGE(function_spec_type), .slot = 1},
};
static const struct message_type function_type = {"SavedFunction", 2, ROWS(function_fields)};

static const struct field object_fields[] = {
	{"children", OBJECT_CHILDREN, FIELD_MESSAGE, FIELD_REPEATED, .type = &child_type, .slot = 0},
	{"user_object", 4, MESSAGE(unread_type), .slot = 1},
	{"asset", 5, MESSAGE(unread_type), .slot = 1},
	{"function", OBJECT_FUNCTION, MESSAGE(function_type), .slot = 1},
	{"variable", OBJECT_VARIABLE, MESSAGE(unread_type), .slot = 1},
	{"bare_concrete_function", 8, MESSAGE(unread_type), .slot = 1},
	{"constant", 9, MESSAGE(unread_type), .slot = 1},
	{"resource", 10, MESSAGE(unread_type), .slot = 1},
	{"captured_tensor", 12, MESSAGE(unread_type), .slot = 1},
};
const struct message_type object_type = {"SavedObject", 2, ROWS(object_fields)};

static const struct field concrete_fields[] = {
	{"canonicalized_input_signature", CONCRETE_INPUT, MESSAGE(value_type), .slot = 0},
	{"output_signature", CONCRETE_OUTPUT, MESSAGE(value_type), .slot = 1},
};
static const struct message_type concrete_type = {"SavedConcreteFunction", 2, ROWS(concrete_fields)};

static const struct field concrete_entry_fields[] = {
	{"key", ENTRY_KEY, STRING, .slot = 0},
	{"value", ENTRY_VALUE, MESSAGE(concrete_type), .slot = 1},
};
const struct message_type concrete_entry_type = {
	"SavedObjectGraph.ConcreteFunctionsEntry", 2, ROWS(concrete_entry_fields)};

static const struct field objects_fields[] = {
	{"nodes", OBJECTS_NODES, FIELD_MESSAGE, FIELD_STREAMED, .type = &object_type, .slot = 0},
	{"concrete_functions", OBJECTS_CONCRETE_FUNCTIONS, FIELD_MESSAGE, FIELD_STREAMED,
		.type = &concrete_entry_type, .slot = 1},
};
static const struct message_type objects_type = {"SavedObjectGraph", 2, ROWS(objects_fields)};

static const struct field attr_list_fields[] = {
	{"s", ATTR_LIST_BYTES, FIELD_BYTES, FIELD_REPEATED, .slot = 0},
};
static const struct message_type attr_list_type = {"AttrValue.ListValue", 1, ROWS(attr_list_fields)};

static const struct field attr_fields[] = {
	{"list", ATTR_LIST, MESSAGE(attr_list_type), .slot = 0},
	{"s", ATTR_BYTES, FIELD_BYTES, FIELD_SINGLE, .slot = 1},
	{"placeholder", ATTR_PLACEHOLDER, STRING, .slot = 2},
};
static const struct message_type attr_type = {"AttrValue", 3, ROWS(attr_fields)};

static const struct field attr_entry_fields[] = {
	{"key", ENTRY_KEY, STRING, .slot = 0},
	{"value", ENTRY_VALUE, MESSAGE(attr_type), .slot = 1},
};
const struct message_type attr_entry_type = {"NodeDef.AttrEntry", 2, ROWS(attr_entry_fields)};

static const struct field node_fields[] = {
	{"name", NODE_NAME, STRING, .slot = 0, .may_have_nul = true},
	{"op", NODE_OP, STRING, .slot = 1},
	{"attr", NODE_ATTR, FIELD_MESSAGE, FIELD_STREAMED, .type = &attr_entry_type, .slot = 2},
};
const struct message_type node_type = {"NodeDef", 3, ROWS(node_fields)};
const struct message_type function_node_type = {"NodeDef", 3, ROWS(node_fields)};

static const struct field op_def_fields[] = {{"name", OP_DEF_NAME, STRING, .slot = 0}};
const struct message_type op_def_type = {"OpDef", 1, ROWS(op_def_fields)};

static const struct field function_def_fields[] = {
	{"signature", FUNCTION_DEF_SIGNATURE, FIELD_MESSAGE, FIELD_STREAMED, .type = &op_def_type, .slot = 1},
	{"node_def", FUNCTION_DEF_NODE, FIELD_MESSAGE, FIELD_STREAMED, .type = &function_node_type, .slot = 0,
		.tally = TALLY_NODES},
};
const struct message_type function_def_type = {"FunctionDef", 2, ROWS(function_def_fields)};

static const struct field library_fields[] = {
	{"function", LIBRARY_FUNCTION, FIELD_MESSAGE, FIELD_STREAMED, .type = &function_def_type, .slot = 0},
};
static const struct message_type library_type = {"FunctionDefLibrary", 1, ROWS(library_fields)};

static const struct field graph_fields[] = {
	{"node", GRAPH_NODE, FIELD_MESSAGE, FIELD_STREAMED, .type = &node_type, .slot = 0,
		.tally = TALLY_NODES},
	{"library", GRAPH_LIBRARY, MESSAGE(library_type), .slot = 1},
};
static const struct message_type graph_type = {"GraphDef", 2, ROWS(graph_fields)};

static const struct field meta_info_fields[] = {
	{"tags", META_INFO_TAGS, FIELD_STRING, FIELD_REPEATED, .slot = 0, .tally = TALLY_TAGS},
	{"tensorflow_version", META_INFO_TENSORFLOW_VERSION, STRING, .slot = 1},
};
static const struct message_type meta_info_type = {"MetaGraphDef.MetaInfoDef", 2, ROWS(meta_info_fields)};

static const struct field saver_fields[] = {{"restore_op_name", SAVER_RESTORE, STRING, .slot = 0}};
static const struct message_type saver_type = {"SaverDef", 1, ROWS(saver_fields)};

static const struct field asset_fields[] = {{"filename", ASSET_FILENAME, STRING, .slot = 0}};
const struct message_type asset_type = {"AssetFileDef", 1, ROWS(asset_fields)};

static const struct field meta_graph_fields[] = {
	{"meta_info_def", META_GRAPH_INFO, MESSAGE(meta_info_type), .slot = 0},
	{"graph_def", META_GRAPH_GRAPH, MESSAGE(graph_type), .slot = 1},
	{"saver_def", META_GRAPH_SAVER, MESSAGE(saver_type), .slot = 4},
	{"signature_def", META_GRAPH_SIGNATURES, FIELD_MESSAGE, FIELD_MAP, .type = &signature_entry_type,
		.slot = 2, .tally = TALLY_SIGNATURES},
	{"asset_file_def", META_GRAPH_ASSETS, FIELD_MESSAGE, FIELD_STREAMED, .type = &asset_type, .slot = 5},
	{"object_graph_def", META_GRAPH_OBJECTS, MESSAGE(objects_type), .slot = 3},
};
const struct message_type meta_graph_type = {"MetaGraphDef", 6, ROWS(meta_graph_fields)};

static const struct field saved_model_fields[] = {
	{"saved_model_schema_version", SAVED_MODEL_SCHEMA_VERSION, FIELD_INT64, .slot = 0},
	{"meta_graphs", SAVED_MODEL_META_GRAPHS, FIELD_MESSAGE, FIELD_STREAMED, .type = &meta_graph_type,
		.slot = 1, .tally = TALLY_META_GRAPHS},
};
const struct message_type saved_model_type = {"SavedModel", 2, ROWS(saved_model_fields)};

const struct field *field_by_number(const struct message_type *type, uint32_t number)
{
	for (size_t i = 0; i < type->field_count; i++) {
		if (type->fields[i].number == number)
			return &type->fields[i];
	}
	return NULL;
}

const struct field *field_by_name(const struct message_type *type, const char *name)
{
	for (size_t i = 0; i < type->field_count; i++) {
		if (strcmp(type->fields[i].name, name) == 0)
			return &type->fields[i];
	}
	return NULL;
}
