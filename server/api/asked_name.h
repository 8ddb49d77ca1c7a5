/* SPDX-License-Identifier: Apache-2.0
 *
 * Words of a search that are no words but the name of a module: a handle, a path, or an address that somebody
 * has pasted. */
#ifndef SERVER_API_ASKED_NAME_H
#define SERVER_API_ASKED_NAME_H

#include <stdbool.h>

#include "server/api/ask.h"
#include "server/module/name.h"

/* Reads "google/yamnet", "google/yamnet/1", "https://tfhub.dev/google/yamnet/1?tf-hub-format=compressed",
 * with any of hub.hosts or this server's own address; version is 0 where none is given. False: it is none. */
bool asked_name_read(const struct ask *ask, const char *text, struct name *out);

#endif
