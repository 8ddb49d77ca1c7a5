/* SPDX-License-Identifier: Apache-2.0
 *
 * larder store export: what the bucket of the configuration has, into a data folder. */
#ifndef SERVER_COMMAND_STORE_EXPORT_H
#define SERVER_COMMAND_STORE_EXPORT_H

#include <stdbool.h>

struct config;

/* An exit status. */
int store_export(const struct config *config, bool dry_run, bool json);

#endif
