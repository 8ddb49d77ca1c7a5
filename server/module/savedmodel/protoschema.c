/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/savedmodel/protoschema.h"

#include <string.h>

#include "server/module/savedmodel/protoschema_enums.h"
#include "server/module/savedmodel/protoschema_graph.h"

#define ONE(kind) PROTO_##kind, false, NULL, NULL
#define MANY(kind) PROTO_##kind, true, NULL, NULL
#define ONE_OF(type) PROTO_MESSAGE, false, &(type), NULL
#define ONE_ENUM(values) PROTO_ENUM, false, NULL, &(values)
#define MANY_OF(type) PROTO_MESSAGE, true, &(type), NULL
#define TYPE(name, rows) \
	{ \
		name, sizeof(rows) / sizeof((rows)[0]), (rows), false \
	}

static const struct proto_type structured_value;
static const struct proto_type tensor_info;
static const struct proto_type saved_variable;

static const struct proto_field meta_info_def_fields[] = {
	{"meta_graph_version", 1, ONE(STRING)},
	{"stripped_op_list", 2, ONE_OF(proto_op_list)},
	{"any_info", 3, ONE_OF(proto_any)},
	{"tags", 4, MANY(STRING)},
	{"tensorflow_version", 5, ONE(STRING)},
	{"tensorflow_git_version", 6, ONE(STRING)},
	{"stripped_default_attrs", 7, ONE(BOOL)},
	{"function_aliases", 8, MANY_OF(proto_string_entry)},
};
static const struct proto_type meta_info_def = TYPE("MetaInfoDef", meta_info_def_fields);

static const struct proto_field saver_def_fields[] = {
	{"filename_tensor_name", 1, ONE(STRING)},
	{"save_tensor_name", 2, ONE(STRING)},
	{"restore_op_name", 3, ONE(STRING)},
	{"max_to_keep", 4, ONE(INT32)},
	{"sharded", 5, ONE(BOOL)},
	{"keep_checkpoint_every_n_hours", 6, ONE(FLOAT)},
	{"version", 7, ONE_ENUM(proto_checkpoint_version)},
};
static const struct proto_type saver_def = TYPE("SaverDef", saver_def_fields);

static const struct proto_field node_list_fields[] = {
	{"value", 1, MANY(STRING)},
};
static const struct proto_type node_list = TYPE("NodeList", node_list_fields);

static const struct proto_field bytes_list_fields[] = {
	{"value", 1, MANY(BYTES)},
};
static const struct proto_type bytes_list = TYPE("BytesList", bytes_list_fields);

static const struct proto_field int64_list_fields[] = {
	{"value", 1, MANY(INT64)},
};
static const struct proto_type int64_list = TYPE("Int64List", int64_list_fields);

static const struct proto_field float_list_fields[] = {
	{"value", 1, MANY(FLOAT)},
};
static const struct proto_type float_list = TYPE("FloatList", float_list_fields);

static const struct proto_field any_list_fields[] = {
	{"value", 1, MANY_OF(proto_any)},
};
static const struct proto_type any_list = TYPE("AnyList", any_list_fields);

static const struct proto_field collection_def_fields[] = {
	{"node_list", 1, ONE_OF(node_list)},
	{"bytes_list", 2, ONE_OF(bytes_list)},
	{"int64_list", 3, ONE_OF(int64_list)},
	{"float_list", 4, ONE_OF(float_list)},
	{"any_list", 5, ONE_OF(any_list)},
};
static const struct proto_type collection_def = TYPE("CollectionDef", collection_def_fields);

static const struct proto_field collection_entry_fields[] = {
	{"key", 1, ONE(STRING)},
	{"value", 2, ONE_OF(collection_def)},
};
static const struct proto_type collection_entry = TYPE("CollectionEntry", collection_entry_fields);

static const struct proto_field dict_entry_fields[] = {
	{"key", 1, ONE(STRING)},
	{"value", 2, ONE_OF(structured_value)},
};
static const struct proto_type dict_entry = TYPE("DictEntry", dict_entry_fields);

static const struct proto_type none_value = {"NoneValue", 0, NULL, false};

static const struct proto_field list_value_fields[] = {
	{"values", 1, MANY_OF(structured_value)},
};
static const struct proto_type list_value = TYPE("ListValue", list_value_fields);

static const struct proto_field dict_value_fields[] = {
	{"fields", 1, MANY_OF(dict_entry)},
};
static const struct proto_type dict_value = TYPE("DictValue", dict_value_fields);

static const struct proto_field named_tuple_value_fields[] = {
	{"name", 1, ONE(STRING)},
	{"values", 2, MANY_OF(dict_entry)},
};
static const struct proto_type named_tuple_value = TYPE("NamedTupleValue", named_tuple_value_fields);

static const struct proto_field tensor_spec_proto_fields[] = {
	{"name", 1, ONE(STRING)},
	{"shape", 2, ONE_OF(proto_tensor_shape_proto)},
	{"dtype", 3, ONE_ENUM(proto_data_type)},
};
static const struct proto_type tensor_spec_proto = TYPE("TensorSpecProto", tensor_spec_proto_fields);

static const struct proto_field bounded_tensor_spec_proto_fields[] = {
	{"name", 1, ONE(STRING)},
	{"shape", 2, ONE_OF(proto_tensor_shape_proto)},
	{"dtype", 3, ONE_ENUM(proto_data_type)},
	{"minimum", 4, ONE_OF(proto_tensor_proto)},
	{"maximum", 5, ONE_OF(proto_tensor_proto)},
};
static const struct proto_type bounded_tensor_spec_proto =
	TYPE("BoundedTensorSpecProto", bounded_tensor_spec_proto_fields);

static const struct proto_field type_spec_proto_fields[] = {
	{"type_spec_class", 1, ONE_ENUM(proto_type_spec_class)},
	{"type_state", 2, ONE_OF(structured_value)},
	{"type_spec_class_name", 3, ONE(STRING)},
	{"num_flat_components", 4, ONE(INT32)},
};
static const struct proto_type type_spec_proto = TYPE("TypeSpecProto", type_spec_proto_fields);

static const struct proto_field structured_value_fields[] = {
	{"none_value", 1, ONE_OF(none_value)},
	{"float64_value", 11, ONE(DOUBLE)},
	{"int64_value", 12, ONE(SINT64)},
	{"string_value", 13, ONE(STRING)},
	{"bool_value", 14, ONE(BOOL)},
	{"tensor_shape_value", 31, ONE_OF(proto_tensor_shape_proto)},
	{"tensor_dtype_value", 32, ONE_ENUM(proto_data_type)},
	{"tensor_spec_value", 33, ONE_OF(tensor_spec_proto)},
	{"type_spec_value", 34, ONE_OF(type_spec_proto)},
	{"bounded_tensor_spec_value", 35, ONE_OF(bounded_tensor_spec_proto)},
	{"list_value", 51, ONE_OF(list_value)},
	{"tuple_value", 52, ONE_OF(list_value)},
	{"dict_value", 53, ONE_OF(dict_value)},
	{"named_tuple_value", 54, ONE_OF(named_tuple_value)},
	{"tensor_value", 55, ONE_OF(proto_tensor_proto)},
	{"numpy_value", 56, ONE_OF(proto_tensor_proto)},
};
static const struct proto_type structured_value = TYPE("StructuredValue", structured_value_fields);

static const struct proto_field coo_sparse_fields[] = {
	{"values_tensor_name", 1, ONE(STRING)},
	{"indices_tensor_name", 2, ONE(STRING)},
	{"dense_shape_tensor_name", 3, ONE(STRING)},
};
static const struct proto_type coo_sparse = TYPE("CooSparse", coo_sparse_fields);

static const struct proto_field composite_tensor_fields[] = {
	{"type_spec", 1, ONE_OF(type_spec_proto)},
	{"components", 2, MANY_OF(tensor_info)},
};
static const struct proto_type composite_tensor = TYPE("CompositeTensor", composite_tensor_fields);

static const struct proto_field tensor_info_fields[] = {
	{"name", 1, ONE(STRING)},
	{"dtype", 2, ONE_ENUM(proto_data_type)},
	{"tensor_shape", 3, ONE_OF(proto_tensor_shape_proto)},
	{"coo_sparse", 4, ONE_OF(coo_sparse)},
	{"composite_tensor", 5, ONE_OF(composite_tensor)},
};
static const struct proto_type tensor_info = TYPE("TensorInfo", tensor_info_fields);

static const struct proto_field tensor_info_entry_fields[] = {
	{"key", 1, ONE(STRING)},
	{"value", 2, ONE_OF(tensor_info)},
};
static const struct proto_type tensor_info_entry = TYPE("TensorInfoEntry", tensor_info_entry_fields);

static const struct proto_field tensor_entry_fields[] = {
	{"key", 1, ONE(STRING)},
	{"value", 2, ONE_OF(proto_tensor_proto)},
};
static const struct proto_type tensor_entry = TYPE("TensorEntry", tensor_entry_fields);

static const struct proto_field signature_def_fields[] = {
	{"inputs", 1, MANY_OF(tensor_info_entry)},
	{"outputs", 2, MANY_OF(tensor_info_entry)},
	{"method_name", 3, ONE(STRING)},
	{"defaults", 4, MANY_OF(tensor_entry)},
};
static const struct proto_type signature_def = TYPE("SignatureDef", signature_def_fields);

static const struct proto_field signature_entry_fields[] = {
	{"key", 1, ONE(STRING)},
	{"value", 2, ONE_OF(signature_def)},
};
static const struct proto_type signature_entry = TYPE("SignatureEntry", signature_entry_fields);

static const struct proto_field asset_file_def_fields[] = {
	{"tensor_info", 1, ONE_OF(tensor_info)},
	{"filename", 2, ONE(STRING)},
};
static const struct proto_type asset_file_def = TYPE("AssetFileDef", asset_file_def_fields);

static const struct proto_field object_reference_fields[] = {
	{"node_id", 1, ONE(INT32)},
	{"local_name", 2, ONE(STRING)},
};
static const struct proto_type object_reference = TYPE("ObjectReference", object_reference_fields);

static const struct proto_field slot_variable_reference_fields[] = {
	{"original_variable_node_id", 1, ONE(INT32)},
	{"slot_name", 2, ONE(STRING)},
	{"slot_variable_node_id", 3, ONE(INT32)},
};
static const struct proto_type slot_variable_reference =
	TYPE("SlotVariableReference", slot_variable_reference_fields);

static const struct proto_field saved_user_object_fields[] = {
	{"identifier", 1, ONE(STRING)},
	{"version", 2, ONE_OF(proto_version_def)},
	{"metadata", 3, ONE(STRING)},
};
static const struct proto_type saved_user_object = TYPE("SavedUserObject", saved_user_object_fields);

static const struct proto_field saved_asset_fields[] = {
	{"asset_file_def_index", 1, ONE(INT32)},
};
static const struct proto_type saved_asset = TYPE("SavedAsset", saved_asset_fields);

static const struct proto_field function_spec_fields[] = {
	{"fullargspec", 1, ONE_OF(structured_value)},
	{"is_method", 2, ONE(BOOL)},
	{"input_signature", 5, ONE_OF(structured_value)},
	{"jit_compile", 6, ONE_ENUM(proto_jit_compile)},
};
static const struct proto_type function_spec = TYPE("FunctionSpec", function_spec_fields);

static const struct proto_field saved_function_fields[] = {
	{"concrete_functions", 1, MANY(STRING)},
	{"function_spec", 2, ONE_OF(function_spec)},
};
static const struct proto_type saved_function = TYPE("SavedFunction", saved_function_fields);

static const struct proto_field saved_variable_fields[] = {
	{"dtype", 1, ONE_ENUM(proto_data_type)},
	{"shape", 2, ONE_OF(proto_tensor_shape_proto)},
	{"trainable", 3, ONE(BOOL)},
	{"synchronization", 4, ONE_ENUM(proto_synchronization)},
	{"aggregation", 5, ONE_ENUM(proto_aggregation)},
	{"name", 6, ONE(STRING)},
	{"device", 7, ONE(STRING)},
	{"experimental_distributed_variable_components", 8, MANY_OF(saved_variable)},
};
static const struct proto_type saved_variable = TYPE("SavedVariable", saved_variable_fields);

static const struct proto_field saved_bare_concrete_function_fields[] = {
	{"concrete_function_name", 1, ONE(STRING)},
	{"argument_keywords", 2, MANY(STRING)},
	{"allowed_positional_arguments", 3, ONE(INT64)},
	{"function_spec", 4, ONE_OF(function_spec)},
};
static const struct proto_type saved_bare_concrete_function =
	TYPE("SavedBareConcreteFunction", saved_bare_concrete_function_fields);

static const struct proto_field saved_constant_fields[] = {
	{"operation", 1, ONE(STRING)},
};
static const struct proto_type saved_constant = TYPE("SavedConstant", saved_constant_fields);

static const struct proto_field saved_resource_fields[] = {
	{"device", 1, ONE(STRING)},
};
static const struct proto_type saved_resource = TYPE("SavedResource", saved_resource_fields);

static const struct proto_field captured_tensor_fields[] = {
	{"name", 1, ONE(STRING)},
	{"concrete_function", 2, ONE(STRING)},
};
static const struct proto_type captured_tensor = TYPE("CapturedTensor", captured_tensor_fields);

static const struct proto_field saveable_object_fields[] = {
	{"save_function", 2, ONE(INT32)},
	{"restore_function", 3, ONE(INT32)},
};
static const struct proto_type saveable_object = TYPE("SaveableObject", saveable_object_fields);

static const struct proto_field saveable_entry_fields[] = {
	{"key", 1, ONE(STRING)},
	{"value", 2, ONE_OF(saveable_object)},
};
static const struct proto_type saveable_entry = TYPE("SaveableEntry", saveable_entry_fields);

static const struct proto_field saved_object_fields[] = {
	{"children", 1, MANY_OF(object_reference)},
	{"slot_variables", 3, MANY_OF(slot_variable_reference)},
	{"user_object", 4, ONE_OF(saved_user_object)},
	{"asset", 5, ONE_OF(saved_asset)},
	{"function", 6, ONE_OF(saved_function)},
	{"variable", 7, ONE_OF(saved_variable)},
	{"bare_concrete_function", 8, ONE_OF(saved_bare_concrete_function)},
	{"constant", 9, ONE_OF(saved_constant)},
	{"resource", 10, ONE_OF(saved_resource)},
	{"saveable_objects", 11, MANY_OF(saveable_entry)},
	{"captured_tensor", 12, ONE_OF(captured_tensor)},
	{"registered_name", 13, ONE(STRING)},
	{"serialized_user_proto", 14, ONE_OF(proto_any)},
	{"dependencies", 15, MANY_OF(object_reference)},
	{"registered_saver", 16, ONE(STRING)},
};
static const struct proto_type saved_object = TYPE("SavedObject", saved_object_fields);

static const struct proto_field saved_concrete_function_fields[] = {
	{"bound_inputs", 2, MANY(INT32)},
	{"canonicalized_input_signature", 3, ONE_OF(structured_value)},
	{"output_signature", 4, ONE_OF(structured_value)},
};
static const struct proto_type saved_concrete_function =
	TYPE("SavedConcreteFunction", saved_concrete_function_fields);

static const struct proto_field concrete_entry_fields[] = {
	{"key", 1, ONE(STRING)},
	{"value", 2, ONE_OF(saved_concrete_function)},
};
static const struct proto_type concrete_entry = TYPE("ConcreteEntry", concrete_entry_fields);

static const struct proto_field saved_object_graph_fields[] = {
	{"nodes", 1, MANY_OF(saved_object)},
	{"concrete_functions", 2, MANY_OF(concrete_entry)},
};
static const struct proto_type saved_object_graph = TYPE("SavedObjectGraph", saved_object_graph_fields);

static const struct proto_field meta_graph_def_fields[] = {
	{"meta_info_def", 1, ONE_OF(meta_info_def)},
	{"graph_def", 2, ONE_OF(proto_graph_def)},
	{"saver_def", 3, ONE_OF(saver_def)},
	{"collection_def", 4, MANY_OF(collection_entry)},
	{"signature_def", 5, MANY_OF(signature_entry)},
	{"asset_file_def", 6, MANY_OF(asset_file_def)},
	{"object_graph_def", 7, ONE_OF(saved_object_graph)},
};
static const struct proto_type meta_graph_def = TYPE("MetaGraphDef", meta_graph_def_fields);

static const struct proto_field saved_model_fields[] = {
	{"saved_model_schema_version", 1, ONE(INT64)},
	{"meta_graphs", 2, MANY_OF(meta_graph_def)},
};
const struct proto_type proto_saved_model = TYPE("SavedModel", saved_model_fields);

const struct proto_field *proto_by_number(const struct proto_type *type, uint32_t number)
{
	for (size_t i = 0; type && i < type->field_count && type->fields[i].number <= number; i++) {
		if (type->fields[i].number == number)
			return &type->fields[i];
	}
	return NULL;
}

const struct proto_field *proto_by_name(const struct proto_type *type, const char *name)
{
	for (size_t i = 0; type && i < type->field_count; i++) {
		if (strcmp(type->fields[i].name, name) == 0)
			return &type->fields[i];
	}
	return NULL;
}
