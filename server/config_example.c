/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config_example.h"

#include <string.h>

#include "server/config.h"
#include "server/config_keys.h"

static void write_key(struct buffer *out, const struct key *key, const char *value)
{
	buffer_printf(out, "\n# %s\n#%s =%s%s\n", key->purpose, key->name, *value ? " " : "", value);
}

static void write_upstreams(struct buffer *out, const struct config *initial)
{
	buffer_add_string(
		out, "\n# Upstreams, asked in this order. A file that has one replaces these two.\n");
	buffer_printf(out, "#[upstream %s]\n", initial->upstreams[0].name);
	for (size_t i = 0; i < UPSTREAM_KEY_COUNT; i++)
		write_key(out, &upstream_keys[i], upstream_keys[i].initial);
	for (size_t i = 1; i < initial->upstream_count; i++)
		buffer_printf(out, "\n#[upstream %s]\n#url = %s\n", initial->upstreams[i].name,
			initial->upstreams[i].url);
}

static void write_webhook(struct buffer *out)
{
	buffer_add_string(out, "\n# Programs that are told what happens here (docs/webhooks.md). There are "
			       "none by default.\n"
			       "#[webhook ci]\n");
	for (size_t i = 0; i < WEBHOOK_KEY_COUNT; i++)
		write_key(out, &webhook_keys[i], webhook_keys[i].initial);
}

void config_write_example(struct buffer *out)
{
	AUTO_CONFIG struct config *initial = config_create();
	const char *section = "";

	buffer_add_string(out, "# Configuration of Larder: every key with its default.\n"
			       "# Sizes take K, M, G or T, times are in seconds.\n"
			       "# Lists are separated by commas or blanks and may go on in indented lines.\n"
			       "# SIGHUP takes over mirror.offline, [log], trusted_keys and both "
			       "require_signature, all else counts from the next start on.\n");
	for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		if (strcmp(section, config_keys[i].section) != 0)
			buffer_printf(out, "\n[%s]\n", config_keys[i].section);
		section = config_keys[i].section;
		write_key(out, &config_keys[i], config_keys[i].initial);
	}
	write_upstreams(out, initial);
	write_webhook(out);
}
