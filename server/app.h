/* SPDX-License-Identifier: Apache-2.0
 *
 * One running daemon: builds the services bottom-up from a configuration, and takes them down in reverse. */
#ifndef SERVER_APP_H
#define SERVER_APP_H

#include <stdbool.h>

#include "common/err.h"
#include "common/own.h"
#include "server/config.h"

struct app;
struct bucket;

/* Opens the data folder (refused while another daemon has it), and serves. The configuration must outlive it,
 * and so must the bucket that it shares with other nodes, which was proved; NULL: it is alone. ERR_CONFLICT
 * where the folder has modules that the bucket may not have. */
bool app_open(const struct config *config, struct bucket *bucket, struct app **out, struct err *err);

/* "http://127.0.0.1:8080": where it listens. */
const char *app_url(const struct app *app);

/* Writes down in the audit log with which configuration it has started, where that is another than the last
 * one: its file, and the digest of that with what the command line says over it. NULL: the defaults. */
bool app_note_configuration(struct app *app, const char *file, const char *digest, struct err *err);

/* Takes over from a configuration that was read again what can change while running: mirror.offline, the log
 * and whose signatures count. It is written down as well, and first; if that fails, all stays as it was. */
bool app_reload(
	struct app *app, const struct config *config, const char *file, const char *digest, struct err *err);

/* From now on /readyz says 503, and each answer closes its connection; all else is served as before. */
void app_announce_end(struct app *app);

/* Ends running answers within server.drain_timeout_s, stops fills, writes what was counted. Takes NULL. */
void app_close(struct app *app);
AUTO_CLEANER(own_app, struct app *, app_close)
#define AUTO_APP AUTO(own_app)

#endif
