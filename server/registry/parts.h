/* SPDX-License-Identifier: Apache-2.0
 *
 * A module that is published as single files rather than as an archive. Their bytes wait in a draft until all
 * are there; then they become the one archive that they always become, and that is an upload like any other.
 */
#ifndef SERVER_REGISTRY_PARTS_H
#define SERVER_REGISTRY_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/registry/publisher.h"
#include "server/store/catalog/catalog_keep.h"

struct services;
struct parts;

enum { PARTS_MAX = 8 };

/* Fails as publisher_begin does. length: of all that is to come; -1: not told. */
bool parts_begin(const struct services *services, const struct name *name, const char *who, const char *from,
	int64_t length, struct parts **out, struct err *err);

/* A file begins; its path is a constant, relative and in normal form. There may be PARTS_MAX, in any order.
 */
void parts_add(struct parts *parts, const char *path);

/* As upload_has_room and upload_make_room; ERR_TOO_LARGE, ERR_NO_SPACE. */
bool parts_has_room(const struct parts *parts, size_t length);
bool parts_make_room(struct parts *parts, size_t length, struct err *err);

/* The next bytes of the file that was begun last, for which there is room. ERR_TOO_LARGE. Waits for nobody,
 * and writes to disk. */
bool parts_write(struct parts *parts, const void *bytes, size_t length, struct err *err);

/* All files are there: as upload_await, upload_leave. The first call makes the archive, which may take as
 * long as writing the files did. */
bool parts_await(struct parts *parts, struct waiter *waiter);
bool parts_leave(struct parts *parts, struct waiter *waiter);

/* All files are there: as upload_finish. */
bool parts_finish(struct parts *parts, enum kept *out, struct examination **examination, struct err *err);

/* Nothing is kept. */
void parts_abort(struct parts *parts);

#endif
