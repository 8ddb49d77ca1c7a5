/* SPDX-License-Identifier: Apache-2.0
 *
 * Which versions say in their documentation that they are deployments of another one, in other formats. */
#ifndef SERVER_STORE_CATALOG_CATALOG_DEPLOYMENTS_H
#define SERVER_STORE_CATALOG_CATALOG_DEPLOYMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/module/name.h"

struct catalog;

struct deployment {
	char *handle;
	int64_t version;
	char *formats; /* "tfjs,tflite" */
};

struct deployments {
	struct deployment *items; /* in the order in which they became known */
	size_t count;
	size_t capacity;
};
void deployments_finish(struct deployments *deployments);

/* Active ones of this parent, limit at most. */
bool catalog_list_deployments(struct catalog *catalog, const struct name *parent, size_t limit,
	struct deployments *out, struct err *err);

#endif
