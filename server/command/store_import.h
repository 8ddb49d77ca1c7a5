/* SPDX-License-Identifier: Apache-2.0
 *
 * larder store import: a data folder's modules into the bucket of the configuration. */
#ifndef SERVER_COMMAND_STORE_IMPORT_H
#define SERVER_COMMAND_STORE_IMPORT_H

#include <stdbool.h>

struct config;

/* An exit status. */
int store_import(const struct config *config, bool dry_run, bool json);

#endif
