/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes a data folder anew of a backup, each blob verified on its way. Until it has come to its end nothing
 * else may work on the folder; one that was cut off is gone on with. */
#ifndef SERVER_REGISTRY_RESTORE_H
#define SERVER_REGISTRY_RESTORE_H

#include <stdbool.h>

#include "server/registry/backup.h"

struct restore_order {
	const char *data_dir;
	struct read_rate *rate;
	struct backup_watch watch;
};

/* The folder must be empty, or not there, or one into which a restore was cut off: ERR_CONFLICT; ERR_BUSY
 * where a daemon, or another restore, has it. What is not whole in the backup is told, and restored without:
 * report->faulty. */
bool restore_run(const struct restore_order *order, const struct backup_folder *folder,
	struct backup_report *report, struct err *err);

#endif
