/* SPDX-License-Identifier: Apache-2.0
 *
 * What is not read of a message, held against its schema as protobuf's own parser does: strings are UTF-8,
 * packed numbers whole, messages well-formed and no deeper than a hundred. */
#ifndef SERVER_MODULE_SAVEDMODEL_PROTOCHECK_H
#define SERVER_MODULE_SAVEDMODEL_PROTOCHECK_H

#include <stdbool.h>

#include "common/err.h"
#include "server/module/savedmodel/protoschema.h"
#include "server/module/savedmodel/wire.h"

/* Checks the wire's current field, of which nothing was read; field is NULL for one that the schema does not
 * have. Fails as wire_next does. */
bool proto_check(
	const struct proto_field *field, const struct wire_field *at, struct wire *wire, struct err *err);

#endif
