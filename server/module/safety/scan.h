/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks through one file while its bytes pass: decides by its name and first bytes what it may be, and has
 * that followed. In memory that its bytes cannot make grow beyond a few megabytes. */
#ifndef SERVER_MODULE_SAFETY_SCAN_H
#define SERVER_MODULE_SAFETY_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/own.h"
#include "server/module/safety/safety_findings.h"

struct scan;

/* Of the file that is called so. destroy takes NULL. */
struct scan *scan_create(struct safety_findings *findings, const char *path);
void scan_destroy(struct scan *scan);
AUTO_CLEANER(own_scan, struct scan *, scan_destroy)
#define AUTO_SCAN AUTO(own_scan)

/* The next bytes. False: it needs no more of them. */
bool scan_feed(struct scan *scan, const uint8_t *data, size_t length);

/* There are no more bytes. */
void scan_end(struct scan *scan);

#endif
