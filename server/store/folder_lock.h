/* SPDX-License-Identifier: Apache-2.0
 *
 * Which daemon has a data folder: the kernel knows, and lets go of it when the process ends. */
#ifndef SERVER_STORE_FOLDER_LOCK_H
#define SERVER_STORE_FOLDER_LOCK_H

#include <stdbool.h>

#include "common/err.h"

/* Takes the folder for a daemon, or for what must not be done beside one, until *out_fd is closed; makes it
 * where there is none. ERR_BUSY, with what to do, while a daemon has it. */
bool folder_lock_take(const char *data_dir, int *out_fd, struct err *err);

/* The same for a command that brings modules into the folder, or notes that a bucket has all of them: one at
 * a time, beside a daemon or not. ERR_BUSY while another does. */
bool folder_lock_take_work(const char *data_dir, int *out_fd, struct err *err);

/* The same for a command that reads all of the folder for its own sake: what names it, such as "verify". */
bool folder_lock_take_reading(const char *data_dir, const char *what, int *out_fd, struct err *err);

#endif
