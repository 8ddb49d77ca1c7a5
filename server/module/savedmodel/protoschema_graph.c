/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/savedmodel/protoschema_enums.h"
#include "server/module/savedmodel/protoschema_graph.h"

/* GraphDebugInfo alone is of proto2, which does not look into its strings: they stand here as bytes. */

#define ONE(kind) PROTO_##kind, false, NULL, NULL
#define MANY(kind) PROTO_##kind, true, NULL, NULL
#define ONE_OF(type) PROTO_MESSAGE, false, &(type), NULL
#define ONE_ENUM(values) PROTO_ENUM, false, NULL, &(values)
#define MANY_OF(type) PROTO_MESSAGE, true, &(type), NULL
#define MANY_ENUM(values) PROTO_ENUM, true, NULL, &(values)
#define TYPE(name, rows) \
	{ \
		name, sizeof(rows) / sizeof((rows)[0]), (rows), false \
	}

static const struct proto_type full_type_def;
static const struct proto_type attr_value;

static const struct proto_field any_fields[] = {
	{"type_url", 1, ONE(STRING)},
	{"value", 2, ONE(BYTES)},
};
const struct proto_type proto_any = {"Any", 2, any_fields, true};

static const struct proto_field version_def_fields[] = {
	{"producer", 1, ONE(INT32)},
	{"min_consumer", 2, ONE(INT32)},
	{"bad_consumers", 3, MANY(INT32)},
};
const struct proto_type proto_version_def = TYPE("VersionDef", version_def_fields);

static const struct proto_field dim_fields[] = {
	{"size", 1, ONE(INT64)},
	{"name", 2, ONE(STRING)},
};
static const struct proto_type dim = TYPE("Dim", dim_fields);

static const struct proto_field tensor_shape_proto_fields[] = {
	{"dim", 2, MANY_OF(dim)},
	{"unknown_rank", 3, ONE(BOOL)},
};
const struct proto_type proto_tensor_shape_proto = TYPE("TensorShapeProto", tensor_shape_proto_fields);

static const struct proto_field dtype_and_shape_fields[] = {
	{"dtype", 1, ONE_ENUM(proto_data_type)},
	{"shape", 2, ONE_OF(proto_tensor_shape_proto)},
};
static const struct proto_type dtype_and_shape = TYPE("DtypeAndShape", dtype_and_shape_fields);

static const struct proto_field resource_handle_proto_fields[] = {
	{"device", 1, ONE(STRING)},
	{"container", 2, ONE(STRING)},
	{"name", 3, ONE(STRING)},
	{"hash_code", 4, ONE(UINT64)},
	{"maybe_type_name", 5, ONE(STRING)},
	{"dtypes_and_shapes", 6, MANY_OF(dtype_and_shape)},
};
static const struct proto_type resource_handle_proto =
	TYPE("ResourceHandleProto", resource_handle_proto_fields);

static const struct proto_field variant_tensor_data_proto_fields[] = {
	{"type_name", 1, ONE(STRING)},
	{"metadata", 2, ONE(BYTES)},
	{"tensors", 3, MANY_OF(proto_tensor_proto)},
};
static const struct proto_type variant_tensor_data_proto =
	TYPE("VariantTensorDataProto", variant_tensor_data_proto_fields);

static const struct proto_field tensor_proto_fields[] = {
	{"dtype", 1, ONE_ENUM(proto_data_type)},
	{"tensor_shape", 2, ONE_OF(proto_tensor_shape_proto)},
	{"version_number", 3, ONE(INT32)},
	{"tensor_content", 4, ONE(BYTES)},
	{"float_val", 5, MANY(FLOAT)},
	{"double_val", 6, MANY(DOUBLE)},
	{"int_val", 7, MANY(INT32)},
	{"string_val", 8, MANY(BYTES)},
	{"scomplex_val", 9, MANY(FLOAT)},
	{"int64_val", 10, MANY(INT64)},
	{"bool_val", 11, MANY(BOOL)},
	{"dcomplex_val", 12, MANY(DOUBLE)},
	{"half_val", 13, MANY(INT32)},
	{"resource_handle_val", 14, MANY_OF(resource_handle_proto)},
	{"variant_val", 15, MANY_OF(variant_tensor_data_proto)},
	{"uint32_val", 16, MANY(UINT32)},
	{"uint64_val", 17, MANY(UINT64)},
	{"float8_val", 18, ONE(BYTES)},
};
const struct proto_type proto_tensor_proto = TYPE("TensorProto", tensor_proto_fields);

static const struct proto_field full_type_def_fields[] = {
	{"type_id", 1, ONE_ENUM(proto_full_type_id)},
	{"args", 2, MANY_OF(full_type_def)},
	{"s", 3, ONE(STRING)},
	{"i", 4, ONE(INT64)},
};
static const struct proto_type full_type_def = TYPE("FullTypeDef", full_type_def_fields);

static const struct proto_field attr_entry_fields[] = {
	{"key", 1, ONE(STRING)},
	{"value", 2, ONE_OF(attr_value)},
};
static const struct proto_type attr_entry = TYPE("AttrEntry", attr_entry_fields);

static const struct proto_field name_attr_list_fields[] = {
	{"name", 1, ONE(STRING)},
	{"attr", 2, MANY_OF(attr_entry)},
};
static const struct proto_type name_attr_list = TYPE("NameAttrList", name_attr_list_fields);

static const struct proto_field attr_list_fields[] = {
	{"s", 2, MANY(BYTES)},
	{"i", 3, MANY(INT64)},
	{"f", 4, MANY(FLOAT)},
	{"b", 5, MANY(BOOL)},
	{"type", 6, MANY_ENUM(proto_data_type)},
	{"shape", 7, MANY_OF(proto_tensor_shape_proto)},
	{"tensor", 8, MANY_OF(proto_tensor_proto)},
	{"func", 9, MANY_OF(name_attr_list)},
};
static const struct proto_type attr_list = TYPE("AttrList", attr_list_fields);

static const struct proto_field attr_value_fields[] = {
	{"list", 1, ONE_OF(attr_list)},
	{"s", 2, ONE(BYTES)},
	{"i", 3, ONE(INT64)},
	{"f", 4, ONE(FLOAT)},
	{"b", 5, ONE(BOOL)},
	{"type", 6, ONE_ENUM(proto_data_type)},
	{"shape", 7, ONE_OF(proto_tensor_shape_proto)},
	{"tensor", 8, ONE_OF(proto_tensor_proto)},
	{"placeholder", 9, ONE(STRING)},
	{"func", 10, ONE_OF(name_attr_list)},
};
static const struct proto_type attr_value = TYPE("AttrValue", attr_value_fields);

static const struct proto_field node_debug_info_fields[] = {
	{"original_node_names", 1, MANY(STRING)},
	{"original_func_names", 2, MANY(STRING)},
};
static const struct proto_type node_debug_info = TYPE("NodeDebugInfo", node_debug_info_fields);

static const struct proto_field node_def_fields[] = {
	{"name", 1, ONE(STRING)},
	{"op", 2, ONE(STRING)},
	{"input", 3, MANY(STRING)},
	{"device", 4, ONE(STRING)},
	{"attr", 5, MANY_OF(attr_entry)},
	{"experimental_debug_info", 6, ONE_OF(node_debug_info)},
	{"experimental_type", 7, ONE_OF(full_type_def)},
};
static const struct proto_type node_def = TYPE("NodeDef", node_def_fields);

static const struct proto_field arg_def_fields[] = {
	{"name", 1, ONE(STRING)},
	{"description", 2, ONE(STRING)},
	{"type", 3, ONE_ENUM(proto_data_type)},
	{"type_attr", 4, ONE(STRING)},
	{"number_attr", 5, ONE(STRING)},
	{"type_list_attr", 6, ONE(STRING)},
	{"handle_data", 7, MANY_OF(dtype_and_shape)},
	{"is_ref", 16, ONE(BOOL)},
	{"experimental_full_type", 17, ONE_OF(full_type_def)},
};
static const struct proto_type arg_def = TYPE("ArgDef", arg_def_fields);

static const struct proto_field attr_def_fields[] = {
	{"name", 1, ONE(STRING)},
	{"type", 2, ONE(STRING)},
	{"default_value", 3, ONE_OF(attr_value)},
	{"description", 4, ONE(STRING)},
	{"has_minimum", 5, ONE(BOOL)},
	{"minimum", 6, ONE(INT64)},
	{"allowed_values", 7, ONE_OF(attr_value)},
};
static const struct proto_type attr_def = TYPE("AttrDef", attr_def_fields);

static const struct proto_field op_deprecation_fields[] = {
	{"version", 1, ONE(INT32)},
	{"explanation", 2, ONE(STRING)},
};
static const struct proto_type op_deprecation = TYPE("OpDeprecation", op_deprecation_fields);

static const struct proto_field op_def_fields[] = {
	{"name", 1, ONE(STRING)},
	{"input_arg", 2, MANY_OF(arg_def)},
	{"output_arg", 3, MANY_OF(arg_def)},
	{"attr", 4, MANY_OF(attr_def)},
	{"summary", 5, ONE(STRING)},
	{"description", 6, ONE(STRING)},
	{"deprecation", 8, ONE_OF(op_deprecation)},
	{"is_aggregate", 16, ONE(BOOL)},
	{"is_stateful", 17, ONE(BOOL)},
	{"is_commutative", 18, ONE(BOOL)},
	{"allows_uninitialized_input", 19, ONE(BOOL)},
	{"control_output", 20, MANY(STRING)},
	{"is_distributed_communication", 21, ONE(BOOL)},
};
static const struct proto_type op_def = TYPE("OpDef", op_def_fields);

static const struct proto_field op_list_fields[] = {
	{"op", 1, MANY_OF(op_def)},
};
const struct proto_type proto_op_list = TYPE("OpList", op_list_fields);

static const struct proto_field arg_attrs_fields[] = {
	{"attr", 1, MANY_OF(attr_entry)},
};
static const struct proto_type arg_attrs = TYPE("ArgAttrs", arg_attrs_fields);

static const struct proto_field arg_attrs_entry_fields[] = {
	{"key", 1, ONE(UINT32)},
	{"value", 2, ONE_OF(arg_attrs)},
};
static const struct proto_type arg_attrs_entry = TYPE("ArgAttrsEntry", arg_attrs_entry_fields);

static const struct proto_field arg_id_entry_fields[] = {
	{"key", 1, ONE(UINT32)},
	{"value", 2, ONE(UINT32)},
};
static const struct proto_type arg_id_entry = TYPE("ArgIdEntry", arg_id_entry_fields);

static const struct proto_field string_entry_fields[] = {
	{"key", 1, ONE(STRING)},
	{"value", 2, ONE(STRING)},
};
const struct proto_type proto_string_entry = TYPE("StringEntry", string_entry_fields);

static const struct proto_field function_def_fields[] = {
	{"signature", 1, ONE_OF(op_def)},
	{"node_def", 3, MANY_OF(node_def)},
	{"ret", 4, MANY_OF(proto_string_entry)},
	{"attr", 5, MANY_OF(attr_entry)},
	{"control_ret", 6, MANY_OF(proto_string_entry)},
	{"arg_attr", 7, MANY_OF(arg_attrs_entry)},
	{"resource_arg_unique_id", 8, MANY_OF(arg_id_entry)},
};
static const struct proto_type function_def = TYPE("FunctionDef", function_def_fields);

static const struct proto_field gradient_def_fields[] = {
	{"function_name", 1, ONE(STRING)},
	{"gradient_func", 2, ONE(STRING)},
};
static const struct proto_type gradient_def = TYPE("GradientDef", gradient_def_fields);

static const struct proto_field registered_gradient_fields[] = {
	{"gradient_func", 1, ONE(STRING)},
	{"registered_op_type", 2, ONE(STRING)},
};
static const struct proto_type registered_gradient = TYPE("RegisteredGradient", registered_gradient_fields);

static const struct proto_field function_def_library_fields[] = {
	{"function", 1, MANY_OF(function_def)},
	{"gradient", 2, MANY_OF(gradient_def)},
	{"registered_gradients", 3, MANY_OF(registered_gradient)},
};
static const struct proto_type function_def_library = TYPE("FunctionDefLibrary", function_def_library_fields);

static const struct proto_field file_line_col_fields[] = {
	{"file_index", 1, ONE(INT32)},
	{"line", 2, ONE(INT32)},
	{"col", 3, ONE(INT32)},
	{"func", 4, ONE(BYTES)},
	{"code", 5, ONE(BYTES)},
};
static const struct proto_type file_line_col = TYPE("FileLineCol", file_line_col_fields);

static const struct proto_field stack_trace_fields[] = {
	{"file_line_cols", 1, MANY_OF(file_line_col)},
	{"frame_id", 2, MANY(FIXED64)},
};
static const struct proto_type stack_trace = TYPE("StackTrace", stack_trace_fields);

static const struct proto_field trace_entry_fields[] = {
	{"key", 1, ONE(BYTES)},
	{"value", 2, ONE_OF(stack_trace)},
};
static const struct proto_type trace_entry = TYPE("TraceEntry", trace_entry_fields);

static const struct proto_field frame_by_id_entry_fields[] = {
	{"key", 1, ONE(FIXED64)},
	{"value", 2, ONE_OF(file_line_col)},
};
static const struct proto_type frame_by_id_entry = TYPE("FrameByIdEntry", frame_by_id_entry_fields);

static const struct proto_field trace_id_entry_fields[] = {
	{"key", 1, ONE(BYTES)},
	{"value", 2, ONE(FIXED64)},
};
static const struct proto_type trace_id_entry = TYPE("TraceIdEntry", trace_id_entry_fields);

static const struct proto_field trace_by_id_entry_fields[] = {
	{"key", 1, ONE(FIXED64)},
	{"value", 2, ONE_OF(stack_trace)},
};
static const struct proto_type trace_by_id_entry = TYPE("TraceByIdEntry", trace_by_id_entry_fields);

static const struct proto_field graph_debug_info_fields[] = {
	{"files", 1, MANY(BYTES)},
	{"traces", 2, MANY_OF(trace_entry)},
	{"frames_by_id", 4, MANY_OF(frame_by_id_entry)},
	{"name_to_trace_id", 5, MANY_OF(trace_id_entry)},
	{"traces_by_id", 6, MANY_OF(trace_by_id_entry)},
};
static const struct proto_type graph_debug_info = TYPE("GraphDebugInfo", graph_debug_info_fields);

static const struct proto_field graph_def_fields[] = {
	{"node", 1, MANY_OF(node_def)},
	{"library", 2, ONE_OF(function_def_library)},
	{"version", 3, ONE(INT32)},
	{"versions", 4, ONE_OF(proto_version_def)},
	{"debug_info", 5, ONE_OF(graph_debug_info)},
};
const struct proto_type proto_graph_def = TYPE("GraphDef", graph_def_fields);
