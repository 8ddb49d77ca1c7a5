/* SPDX-License-Identifier: Apache-2.0
 *
 * The data folder that a command works on as it stands, looked at before anything is written there: what is
 * made in it must be of the user whose daemon is to read it. */
#ifndef SERVER_COMMAND_DATA_FOLDER_H
#define SERVER_COMMAND_DATA_FOLDER_H

#include <stdbool.h>

#include "common/err.h"

/* *is_new: there is no store in it, or no folder yet. ERR_FORBIDDEN, with whose it is and what to do, where
 * it is not accessible, or what is made there would be of another user than what is there; ERR_CONFLICT
 * where a restore into it was cut off. */
bool data_folder_look(const char *data_dir, bool *is_new, struct err *err);

/* The same, and makes the folder where there is none, if it was named: the default is one below where the
 * command runs, and nobody may mean it. ERR_NOT_FOUND where it was not. */
bool data_folder_make(const char *data_dir, bool is_named, bool *is_new, struct err *err);

/* The same for what only looks, or takes away: ERR_NOT_FOUND where there is no store. */
bool data_folder_check(const char *data_dir, struct err *err);

/* How it is told to people: from the root where it is there. */
struct data_folder_text {
	char text[256];
};
struct data_folder_text data_folder_text(const char *data_dir);

#endif
