/* SPDX-License-Identifier: Apache-2.0
 *
 * What somebody has given in the place of a bundle, and the command that takes it. */
#ifndef SERVER_BUNDLE_MISTAKEN_H
#define SERVER_BUNDLE_MISTAKEN_H

#include "common/err.h"

/* The path is no bundle, as *err says: that is put better where it is known what it is. */
void mistaken_file(const char *path, struct err *err);
void mistaken_folder(const char *path, struct err *err);

#endif
