/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit log as JSON. */
#ifndef SERVER_API_AUDIT_LOG_H
#define SERVER_API_AUDIT_LOG_H

#include <jansson.h>

#include "server/store/audit_chain.h"
#include "server/store/catalog/catalog_audit.h"

/* The members are those that are hashed, in that order (docs/trust.md), and the hash. */
json_t *audit_log_row(const struct audit_row *row);

/* {"id", "at", "hash"} */
json_t *audit_log_head(const struct audit_head *head);

#endif
