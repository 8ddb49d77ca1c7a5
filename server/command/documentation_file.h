/* SPDX-License-Identifier: Apache-2.0
 *
 * Documentation as a file, on its way to a registry. */
#ifndef SERVER_COMMAND_DOCUMENTATION_FILE_H
#define SERVER_COMMAND_DOCUMENTATION_FILE_H

#include <jansson.h>

#include "common/err.h"
#include "server/command/remote.h"
#include "server/module/name.h"

/* Opens a version's Markdown, which then keeps the rules of the registry. The caller owns *out_fd.
 * ERR_BAD_REQUEST with a sentence that names the file, and the line where it is one of the hub's format. */
bool documentation_file_open(const char *path, const struct name *name, int *out_fd, struct err *err);

/* Sends it. *out, the caller's, is the version as it is then; *created: it had none before. */
bool documentation_file_send(
	struct remote *remote, const struct name *name, int fd, json_t **out, bool *created, struct err *err);

#endif
