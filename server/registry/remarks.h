/* SPDX-License-Identifier: Apache-2.0
 *
 * What is to be told of a bundle that a client sends: of what is refused of it, faulty, or left. However much
 * that is, memory does not grow: it lies in a file without a name. One thread adds while others read. */
#ifndef SERVER_REGISTRY_REMARKS_H
#define SERVER_REGISTRY_REMARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/bundle/scratch.h"
#include "server/registry/importer.h"

struct remarks;

/* Its file lies at scratch, which must outlive it. */
bool remarks_create(const struct scratch_place *scratch, struct remarks **out, struct err *err);
/* One more user; each lets go of it. Both take NULL. */
struct remarks *remarks_share(struct remarks *remarks);
void remarks_release(struct remarks *remarks);
AUTO_CLEANER(own_remarks, struct remarks *, remarks_release)
#define AUTO_REMARKS AUTO(own_remarks)

/* What there is no room for is counted only. */
void remarks_add(struct remarks *remarks, const struct import_told *told);

/* How many have been added, and how many of these can be read. Take NULL. */
size_t remarks_count(const struct remarks *remarks);
size_t remarks_kept(const struct remarks *remarks);

/* struct import_told, kept. */
struct remark {
	enum import_remark kind;
	char *name;
	char *format; /* NULL */
	char *detail;
};
void remark_finish(struct remark *remark);

/* The one at a place (0, then what the one before has set *place to), which is to be finished; *more is false
 * behind the last. ERR_BAD_REQUEST for what is no place. */
bool remarks_next(
	const struct remarks *remarks, int64_t *place, struct remark *out, bool *more, struct err *err);

#endif
