/* SPDX-License-Identifier: Apache-2.0
 *
 * Packing as commands do it: with progress, and with the rules for publishing held against what came out. */
#ifndef SERVER_COMMAND_PACKING_H
#define SERVER_COMMAND_PACKING_H

#include "common/err.h"
#include "server/module/archives/pack.h"
#include "server/module/name.h"

/* Writes the folder's archive to fd, which can be read too, and examines it: findings are printed to stderr,
 * and how many links lead out of the folder, where they are followed. ERR_INVALID_MODULE where a finding
 * forbids publishing. Limits are the registry's own and not tried here. Advice names the command ("pack"). */
bool packing_run(const char *command, const char *folder, enum pack_links links, enum format format, int fd,
	struct err *err);

/* The same examination of a file as it is. */
bool packing_check(const char *path, enum format format, int fd, struct err *err);

/* Says on stderr which model is taken of a folder that has two, unless the user has named the format. */
void packing_tell_choice(const char *folder, const char *asked, enum format format);

/* One broken rule, on stderr. */
void packing_print_finding(const char *rule, const char *path, const char *message);

#endif
