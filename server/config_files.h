/* SPDX-License-Identifier: Apache-2.0
 *
 * The files that a configuration names: whether a daemon could use them. Reading the configuration does not
 * look at them, since other commands may not be allowed to. */
#ifndef SERVER_CONFIG_FILES_H
#define SERVER_CONFIG_FILES_H

#include <stdbool.h>

#include "common/buffer.h"
#include "common/err.h"
#include "server/config.h"

/* Looks at the certificate, its key, the authorities of upstreams and the secrets of webhooks. Each fault is
 * appended to *faults as a line "server.tls_key: sentence"; false if there was any, and err sums them up.
 * Offline, upstreams' files are not needed; nor is one that the configuration should name and does not. */
bool config_check_files(const struct config *config, struct buffer *faults, struct err *err);

/* Reads hub.kaggle_map, where there is one, and gives its places to the upstreams that are Kaggle's. */
bool config_read_map(struct config *config, struct err *err);

/* Whether the certificate is valid now: no reason not to start, since the clock may be wrong. */
bool config_check_dates(const struct config *config, struct err *err);

#endif
