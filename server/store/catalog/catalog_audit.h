/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit log: who has changed what clients get. A row is written in the transaction of its change, by the
 * rooms beside this one (audit_record() in catalog_rows.h); here it is read, and written of what is no change
 * of the catalog. */
#ifndef SERVER_STORE_CATALOG_CATALOG_AUDIT_H
#define SERVER_STORE_CATALOG_CATALOG_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/store/audit_chain.h"
#include "server/store/catalog/catalog.h"

/* Where whoever runs a command on the data folder is: "command line, uid 0". */
struct audit_place {
	char text[48];
};
struct audit_place audit_command_line(void);

/* From where comes what all nodes that share a bucket have agreed on, and was said to one of them. */
#define AUDIT_ALL_NODES "all nodes"

/* The last row of the chain; exists is false where it has not begun. */
struct audit_head {
	bool exists;
	int64_t id;
	int64_t at;
	struct digest hash;
};
bool catalog_audit_head(struct catalog *catalog, struct audit_head *out, struct err *err);

/* Which rows: of a time and later, of a subject ("acme/x/1", a handle with all of its versions, a token). */
struct audit_query {
	int64_t since_s;     /* 0: of any */
	const char *subject; /* NULL: of any */
	bool newest_first;
	int64_t behind_id; /* the last one of the page before; 0: from the first one on */
	size_t limit;
};

/* Hands over each row, as long as take answers true. The texts live as long as the call. */
bool catalog_each_audit(struct catalog *catalog, const struct audit_query *query,
	bool (*take)(void *context, const struct audit_row *row), void *context, struct err *err);

/* How many rows a query has, without its limit. */
bool catalog_count_audit(
	struct catalog *catalog, const struct audit_query *query, int64_t *out, struct err *err);

/* Verifies the whole chain, some rows at a time. *check has what is wanted, and how far it came. ERR_CONFLICT
 * names the first row that does not fit. */
bool catalog_verify_audit(struct catalog *catalog, struct audit_check *check, struct err *err);

/* Writes down that the configuration is another than the last that was written down: digest is that of its
 * file, with what else counts; "" where the defaults do (file: NULL). A start is written down also where the
 * last one was read again by a process that had not started with it. *changed: it was. */
bool catalog_audit_configuration(struct catalog *catalog, const char *file, const char *digest, bool starts,
	bool *changed, struct err *err);

#endif
