/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/savedmodel/protoschema_enums.h"

#include <string.h>

#include "server/module/savedmodel/dtype.h"
#include "server/module/savedmodel/fields.h"

#define LIST(names) \
	{ \
		NULL, sizeof(names) / sizeof((names)[0]), (names) \
	}

static const char *const full_type_id_names[] = {"TFT_UNSET", "TFT_VAR", "TFT_ANY", "TFT_PRODUCT",
	"TFT_NAMED", "TFT_FOR_EACH", "TFT_CALLABLE", "TFT_TENSOR", "TFT_ARRAY", "TFT_OPTIONAL", "TFT_LITERAL",
	"TFT_ENCODED", "TFT_SHAPE_TENSOR", "TFT_BOOL", "TFT_UINT8", "TFT_UINT16", "TFT_UINT32", "TFT_UINT64",
	"TFT_INT8", "TFT_INT16", "TFT_INT32", "TFT_INT64", "TFT_HALF", "TFT_FLOAT", "TFT_DOUBLE",
	"TFT_BFLOAT16", "TFT_COMPLEX64", "TFT_COMPLEX128", "TFT_STRING", "TFT_DATASET", "TFT_RAGGED",
	"TFT_ITERATOR", "TFT_MUTEX_LOCK", "TFT_LEGACY_VARIANT"};
const struct proto_enum proto_full_type_id = LIST(full_type_id_names);

static const char *const checkpoint_version_names[] = {"LEGACY", "V1", "V2"};
const struct proto_enum proto_checkpoint_version = LIST(checkpoint_version_names);

static const char *const jit_compile_names[] = {"DEFAULT", "ON", "OFF"};
const struct proto_enum proto_jit_compile = LIST(jit_compile_names);

static const char *const synchronization_names[] = {"VARIABLE_SYNCHRONIZATION_AUTO",
	"VARIABLE_SYNCHRONIZATION_NONE", "VARIABLE_SYNCHRONIZATION_ON_WRITE",
	"VARIABLE_SYNCHRONIZATION_ON_READ"};
const struct proto_enum proto_synchronization = LIST(synchronization_names);

static const char *const aggregation_names[] = {"VARIABLE_AGGREGATION_NONE", "VARIABLE_AGGREGATION_SUM",
	"VARIABLE_AGGREGATION_MEAN", "VARIABLE_AGGREGATION_ONLY_FIRST_REPLICA"};
const struct proto_enum proto_aggregation = LIST(aggregation_names);

const struct proto_enum proto_data_type = {dtype_parse_symbol, 0, NULL};
const struct proto_enum proto_type_spec_class = {type_spec_class_parse_symbol, 0, NULL};

bool proto_enum_has(const struct proto_enum *values, const char *name)
{
	int64_t number;

	if (values->symbol)
		return values->symbol(name, &number);
	for (size_t i = 0; i < values->name_count; i++) {
		if (strcmp(values->names[i], name) == 0)
			return true;
	}
	return false;
}
