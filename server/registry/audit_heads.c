/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/audit_heads.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/log.h"
#include "server/store/catalog/catalog_audit.h"

enum { DAY_S = 24 * 3600 };

static void tell(const struct audit_head *head)
{
	char row[24];

	(void)snprintf(row, sizeof row, "%" PRId64, head->id);
	log_event(LOG_LEVEL_NOTICE, "head of the audit log", "row", row, "sha256", head->hash.hex, NULL);
}

bool audit_heads_tell(struct audit_heads *heads, int64_t now_s)
{
	struct audit_head head;
	struct err err;

	if (heads->day == now_s / DAY_S)
		return false;
	if (!catalog_audit_head(heads->catalog, &head, &err)) {
		log_event(LOG_LEVEL_WARN, "the head of the audit log is told later", "why", err.text, NULL);
		return false;
	}
	if (!head.exists)
		return false;
	tell(&head);
	heads->day = now_s / DAY_S;
	return true;
}
