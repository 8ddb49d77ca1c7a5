/* SPDX-License-Identifier: Apache-2.0
 *
 * A new version of files that a client has sent one by one: its archive, or its one file, becomes an upload
 * like any other, under the number behind the last one. */
#ifndef SERVER_REGISTRY_ASSEMBLY_H
#define SERVER_REGISTRY_ASSEMBLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "common/waiter.h"
#include "server/module/name.h"

struct assembly;
struct examination;
struct services;

/* For a version of this handle, on behalf of a token, whose client has this address. destroy gives back what
 * it holds, and takes NULL. */
struct assembly *assembly_create(
	struct services *services, const char *handle, const char *who, const char *from);
void assembly_destroy(struct assembly *assembly);
AUTO_CLEANER(own_assembly, struct assembly *, assembly_destroy)
#define AUTO_ASSEMBLY AUTO(own_assembly)

/* Adds what was sent under this id, as the file of that name in a folder ("" or "a/b/"). ERR_NOT_FOUND,
 * ERR_BUSY (it is used just now), ERR_BAD_REQUEST (not all of it has come), ERR_INVALID_MODULE (its name),
 * ERR_NO_SPACE (the disk has no room yet for all that has come). */
bool assembly_add(struct assembly *assembly, const char *folder, const char *id, struct err *err);

/* All are there: as upload_await and upload_leave. The first call packs, which takes as long as writing them
 * did. */
bool assembly_await(struct assembly *assembly, struct waiter *waiter);
bool assembly_leave(struct assembly *assembly, struct waiter *waiter);

/* As upload_finish, but the assembly stays; *out is the version's name. ERR_CONFLICT where another took the
 * number: assembly_await again counts on. The format is this one where the files are such a model, else any
 * archive's. What was sent is used up unless it may be tried again. */
bool assembly_finish(
	struct assembly *assembly, struct name *out, struct examination **examination, struct err *err);

/* The format that comes first for these files. */
void assembly_prefer(struct assembly *assembly, enum format format);

#endif
