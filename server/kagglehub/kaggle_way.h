/* SPDX-License-Identifier: Apache-2.0
 *
 * The addresses that kagglehub is led to: those of files, which carry their own right where reading takes a
 * token, since the client sends none there. */
#ifndef SERVER_KAGGLEHUB_KAGGLE_WAY_H
#define SERVER_KAGGLEHUB_KAGGLE_WAY_H

#include "server/http/reply.h"
#include "server/http/request.h"
#include "server/module/name.h"

struct services;

/* 302 to this path (decoded) with this query (as it stands there). */
void kaggle_redirect(const struct services *services, const struct request *request, const char *path,
	const char *query, struct reply *reply);

/* 302 to one file of an artifact; NULL: to all of it. */
void kaggle_redirect_to_file(const struct services *services, const struct request *request,
	const struct name *name, const char *file, struct reply *reply);

/* Where a client puts the bytes of a blob, as an absolute URL that carries its own right; free() it. */
char *kaggle_blob_url(
	const struct services *services, const struct request *request, const char *path, int64_t lifetime_s);

#endif
