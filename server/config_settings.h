/* SPDX-License-Identifier: Apache-2.0
 *
 * What of a configuration was set, and by what: a line of the file, a variable of the environment, an option.
 */
#ifndef SERVER_CONFIG_SETTINGS_H
#define SERVER_CONFIG_SETTINGS_H

#include "common/buffer.h"
#include "server/config_values.h"

/* Notes that a key was set; what set it before counts no more. name: of a section of which there are several,
 * else NULL. */
void settings_note(
	struct config *config, const char *section, const char *name, const char *key, const char *by);
void settings_drop(struct config *config);

/* What has set the key of a section of which there is one; NULL: nothing has. */
const char *settings_by(const struct config *config, const char *section, const char *key);

/* One line a key, "server.listen: LARDER_SERVER_LISTEN". */
void settings_write(const struct config *config, struct buffer *out);

#endif
