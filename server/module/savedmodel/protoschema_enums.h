/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of server/module/savedmodel/protoschema.h that names the values of enums. */
#ifndef SERVER_MODULE_SAVEDMODEL_PROTOSCHEMA_ENUMS_H
#define SERVER_MODULE_SAVEDMODEL_PROTOSCHEMA_ENUMS_H

#include "server/module/savedmodel/prototypes.h"

extern const struct proto_enum proto_data_type;
extern const struct proto_enum proto_full_type_id;
extern const struct proto_enum proto_type_spec_class;
extern const struct proto_enum proto_checkpoint_version;
extern const struct proto_enum proto_jit_compile;
extern const struct proto_enum proto_synchronization;
extern const struct proto_enum proto_aggregation;

#endif
