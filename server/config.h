/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration: one struct from one ini file. Every key has a default; config.example.ini shows them
 * all. */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include <stdbool.h>

#include "common/buffer.h"
#include "common/err.h"
#include "common/own.h"
#include "server/config_values.h"

/* The defaults, as a whole configuration. */
struct config *config_create(void);
void config_destroy(struct config *config);
AUTO_CLEANER(own_config, struct config *, config_destroy)
#define AUTO_CONFIG AUTO(own_config)

/* Reads an ini file over the defaults, and the environment over both (config_environment.h); path may be
 * NULL: no file. Every fault is appended to *faults as one line "FILE:LINE: sentence"; false if there was any
 * (err sums them up) or the file cannot be read. The caller owns *out. */
bool config_load(const char *path, struct config **out, struct buffer *faults, struct err *err);

/* The same for whoever looks for more faults: *out has what could be read beside the *out_count that there
 * are, and is not to be run with unless there are none. False only if the file cannot be read. */
bool config_read(
	const char *path, struct config **out, struct buffer *faults, size_t *out_count, struct err *err);

/* Sums up that a file has so many faults. Always false. */
bool config_refuse(const char *path, size_t count, struct err *err);

/* Most bytes of modules that this machine is to keep of what others have too; 0: no limit. */
int64_t config_cache_bytes(const struct config *config);
const char *config_cache_key(const struct config *config); /* "storage.max_bytes" … */

/* Sets one key as the file would ("server", "listen", "127.0.0.1:0"): for the command line. */
bool config_set(
	struct config *config, const char *section, const char *key, const char *value, struct err *err);

#endif
