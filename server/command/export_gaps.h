/* SPDX-License-Identifier: Apache-2.0
 *
 * What an export was asked for and cannot give, or finds damaged, as people and programs are told of it. */
#ifndef SERVER_COMMAND_EXPORT_GAPS_H
#define SERVER_COMMAND_EXPORT_GAPS_H

#include <jansson.h>
#include <stdbool.h>

#include "common/err.h"
#include "server/bundle/damage.h"
#include "server/bundle/selection.h"

/* A line each on standard error. */
void export_gaps_tell(const struct selection *selection);

/* [{"path", "format", "code", "detail"}]; the caller owns it. */
json_t *export_gaps_json(const struct selection *selection);

/* ERR_NOT_FOUND where there is any, unless that is to be no fault. */
bool export_gaps_check(const struct selection *selection, bool partial, struct err *err);

/* Damaged files: the same for these. */
void export_damages_tell(const struct damages *damages);
json_t *export_damages_json(const struct damages *damages);
bool export_damages_check(const struct damages *damages, bool partial, struct err *err);

#endif
