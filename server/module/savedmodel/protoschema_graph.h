/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of server/module/savedmodel/protoschema.h that describes graphs: what the other part builds on. */
#ifndef SERVER_MODULE_SAVEDMODEL_PROTOSCHEMA_GRAPH_H
#define SERVER_MODULE_SAVEDMODEL_PROTOSCHEMA_GRAPH_H

#include "server/module/savedmodel/prototypes.h"

extern const struct proto_type proto_any;
extern const struct proto_type proto_version_def;
extern const struct proto_type proto_tensor_shape_proto;
extern const struct proto_type proto_tensor_proto;
extern const struct proto_type proto_op_list;
extern const struct proto_type proto_string_entry;
extern const struct proto_type proto_graph_def;

#endif
