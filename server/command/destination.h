/* SPDX-License-Identifier: Apache-2.0
 *
 * The version that a command is to change, as people name it: by its URL, or by a path on the registry that
 * --server or the environment names. */
#ifndef SERVER_COMMAND_DESTINATION_H
#define SERVER_COMMAND_DESTINATION_H

#include "common/err.h"
#include "common/own.h"
#include "server/module/name.h"

struct destination {
	char *server; /* the URL's origin; NULL: the environment's */
	struct name name;
};

/* default_server may be NULL. ERR_BAD_REQUEST with a sentence that names the URL. Whatever it answers, *out
 * is to be finished. */
bool destination_read(const char *url, const char *default_server, struct destination *out, struct err *err);
void destination_finish(struct destination *destination);

#endif
