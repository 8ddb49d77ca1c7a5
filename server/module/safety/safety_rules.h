/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks up what the safety rules' tables have. */
#ifndef SERVER_MODULE_SAFETY_SAFETY_RULES_H
#define SERVER_MODULE_SAFETY_SAFETY_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "server/module/safety/safety_tables.h"

/* The rule of this name; false where there is none. */
bool safety_rule_find(const char *name, enum safety_rule_id *out);

/* "info" … "critical". */
const char *safety_severity_name(enum safety_severity severity);
bool safety_severity_find(const char *name, enum safety_severity *out);

/* What a rule says of an op; NULL: nothing. */
const struct safety_op *safety_op_find(const char *name);

/* Whether a TensorFlow release has this op. */
bool safety_op_is_known(const char *name);

/* Whether TF.js or Keras has a class of this name: a layer, or what layers are made with. */
bool safety_keras_has(const char *name);

enum safety_verdict { SAFETY_ALLOWED, SAFETY_UNKNOWN, SAFETY_DENIED };

/* What may be thought of a pickle that imports this. */
enum safety_verdict safety_import_judge(const char *module, const char *name);

#endif
