/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config_settings.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"

static struct setting *find(const struct config *config, const char *key)
{
	for (size_t i = 0; i < config->setting_count; i++) {
		if (strcmp(config->settings[i].key, key) == 0)
			return &config->settings[i];
	}
	return NULL;
}

void settings_note(
	struct config *config, const char *section, const char *name, const char *key, const char *by)
{
	AUTO_FREE char *label =
		name ? mem_printf("%s %s.%s", section, name, key) : mem_printf("%s.%s", section, key);
	struct setting *known = find(config, label);

	if (known) {
		free(known->by);
		known->by = mem_dup(by);
		return;
	}
	config->settings = mem_resize(config->settings, config->setting_count + 1, sizeof *config->settings);
	config->settings[config->setting_count++] = (struct setting){.key = TAKE(label), .by = mem_dup(by)};
}

const char *settings_by(const struct config *config, const char *section, const char *key)
{
	AUTO_FREE char *label = mem_printf("%s.%s", section, key);
	const struct setting *known = find(config, label);

	return known ? known->by : NULL;
}

void settings_drop(struct config *config)
{
	for (size_t i = 0; i < config->setting_count; i++) {
		free(config->settings[i].key);
		free(config->settings[i].by);
	}
	free(TAKE(config->settings));
	config->setting_count = 0;
}

void settings_write(const struct config *config, struct buffer *out)
{
	for (size_t i = 0; i < config->setting_count; i++)
		buffer_printf(out, "%s: %s\n", config->settings[i].key, config->settings[i].by);
}
