/* SPDX-License-Identifier: Apache-2.0
 *
 * What tensorflow_hub has in TFHUB_CACHE_DIR, made beforehand: a folder for each handle as code spells it,
 * under the SHA-1 of that spelling. Code that finds it there asks no server. */
#ifndef SERVER_COMMAND_CLIENT_CACHE_H
#define SERVER_COMMAND_CLIENT_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"
#include "server/module/name.h"

struct client_cache;

/* How code spells the server: "https://tfhub.dev", without a slash at its end. ERR_BAD_REQUEST for what
 * tensorflow_hub would take for a path. */
bool client_cache_check_origin(const char *origin, struct err *err);

/* Opens the folder, making it, for this process alone, and removes what a process that died there left half
 * done. The origins must outlive it. ERR_CONFLICT: another process is at it. close takes NULL. */
bool client_cache_open(const char *folder, const char *const *origins, size_t origin_count,
	struct client_cache **out, struct err *err);
void client_cache_close(struct client_cache *cache);
AUTO_CLEANER(own_client_cache, struct client_cache *, client_cache_close)
#define AUTO_CLIENT_CACHE AUTO(own_client_cache)

struct client_cache_counts {
	size_t made;
	size_t here;   /* were there already, and stay as they are */
	size_t hollow; /* of these: without a model, which tensorflow_hub takes all the same */
};

/* Unpacks the archive, which must have this digest, for every spelling of the name, each wholly and durably
 * or not at all; counts are added to. Their files are the same (hard links, where the file system has them),
 * and read-only. ERR_DIGEST_MISMATCH; ERR_INVALID_MODULE for what cannot be unpacked. */
bool client_cache_add(struct client_cache *cache, const struct name *name, int archive_fd,
	const struct digest *digest, struct client_cache_counts *counts, struct err *err);

/* What adding it would do. Folders that are hollow are named on standard error. */
bool client_cache_count(struct client_cache *cache, const struct name *name,
	struct client_cache_counts *counts, struct err *err);

#endif
