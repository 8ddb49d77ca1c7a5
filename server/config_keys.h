/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of all configuration keys: what each takes, what it starts as, what it is for. */
#ifndef SERVER_CONFIG_KEYS_H
#define SERVER_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct key {
	const char *section; /* "upstream" for those of any upstream; so for webhooks */
	const char *name;
	bool (*set)(const struct key *key, void *slot, const char *value, struct err *err);
	size_t offset;       /* of the slot in struct config, struct upstream or struct webhook */
	const char *initial; /* as the file would write it; "" is unset */
	const char *purpose; /* one line for people */
	bool is_list;        /* may go on in indented lines */
	int64_t min;         /* of numbers and sizes */
	int64_t max;
	const char *const *choices; /* ends with NULL */
	/* Judges a text that is not empty; may be NULL. */
	bool (*check)(const char *value, struct err *err);
};

enum { CONFIG_KEY_COUNT = 67, UPSTREAM_KEY_COUNT = 12, WEBHOOK_KEY_COUNT = 4 };

/* Their slots lie in struct config; in struct upstream, where the first is its url; in struct webhook, where
 * the second is its secret_file. */
extern const struct key config_keys[CONFIG_KEY_COUNT];
extern const struct key upstream_keys[UPSTREAM_KEY_COUNT];
extern const struct key webhook_keys[WEBHOOK_KEY_COUNT];

/* The key of this name in its section, or NULL. */
const struct key *key_find(const char *section, const char *name);

/* Reads the value into the key's slot in *base; ERR_BAD_REQUEST, with nothing changed, where it does not fit.
 */
bool key_set(const struct key *key, void *base, const char *value, struct err *err);

/* Sets all keys of a table to what they start as. */
void keys_set_initial(const struct key *table, size_t count, void *base);

#endif
