/* SPDX-License-Identifier: Apache-2.0
 *
 * How often modules were downloaded on each day of the last year, and which of them are asked for of late. */
#ifndef SERVER_STORE_CATALOG_CATALOG_TRENDS_H
#define SERVER_STORE_CATALOG_CATALOG_TRENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/store/catalog/catalog.h"

enum { TREND_DAYS = 365 };

struct day_downloads {
	int64_t day; /* since 1970, in UTC */
	int64_t downloads;
};

/* The days that had any, of the TREND_DAYS before and with that of now_s, ascending; free() *out. */
bool catalog_list_download_days(struct catalog *catalog, const char *handle, int64_t now_s,
	struct day_downloads **out, size_t *count, struct err *err);

#endif
