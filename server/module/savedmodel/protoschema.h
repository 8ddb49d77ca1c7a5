/* SPDX-License-Identifier: Apache-2.0
 *
 * All fields of a SavedModel, as TensorFlow's protos number, name and type them: what is not read of them
 * (see server/module/savedmodel/fields.h) must still be such that TensorFlow takes it. */
#ifndef SERVER_MODULE_SAVEDMODEL_PROTOSCHEMA_H
#define SERVER_MODULE_SAVEDMODEL_PROTOSCHEMA_H

#include "server/module/savedmodel/prototypes.h"

/* The outermost message. */
extern const struct proto_type proto_saved_model;

/* The field with this number or name; NULL if there is none, or type is NULL. */
const struct proto_field *proto_by_number(const struct proto_type *type, uint32_t number);
const struct proto_field *proto_by_name(const struct proto_type *type, const char *name);

#endif
