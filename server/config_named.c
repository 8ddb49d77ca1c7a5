/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config_named.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"

static const struct named named_sections[] = {
	{"upstream", "an", "tfhub", upstream_keys, UPSTREAM_KEY_COUNT, 1, 64, sizeof(struct upstream),
		offsetof(struct config, upstreams), offsetof(struct config, upstream_count)},
	{"webhook", "a", "ci", webhook_keys, WEBHOOK_KEY_COUNT, 2, 16, sizeof(struct webhook),
		offsetof(struct config, webhooks), offsetof(struct config, webhook_count)},
};

enum { NAMED_COUNT = sizeof named_sections / sizeof *named_sections };

_Static_assert(offsetof(struct upstream, name) == 0, "names come first");
_Static_assert(offsetof(struct webhook, name) == 0, "names come first");
_Static_assert((int)UPSTREAM_KEY_COUNT <= (int)NAMED_KEYS_MAX, "their lines are noted");
_Static_assert((int)WEBHOOK_KEY_COUNT <= (int)NAMED_KEYS_MAX, "their lines are noted");

const struct named *named_find(const char *word, size_t length)
{
	for (size_t i = 0; i < NAMED_COUNT; i++) {
		if (strlen(named_sections[i].word) == length &&
			strncmp(named_sections[i].word, word, length) == 0)
			return &named_sections[i];
	}
	return NULL;
}

const struct named *named_of(const struct key *key)
{
	return named_find(key->section, strlen(key->section));
}

static size_t *count_of(const struct named *named, const struct config *config)
{
	return (size_t *)((char *)config + named->count_offset);
}

size_t named_count(const struct named *named, const struct config *config)
{
	return *count_of(named, config);
}

void *named_item(const struct named *named, const struct config *config, size_t number)
{
	return *(char **)((char *)config + named->items_offset) + number * named->size;
}

void *named_last(const struct named *named, const struct config *config)
{
	return named_item(named, config, *count_of(named, config) - 1);
}

void *named_add(struct config *config, const struct named *named, const char *name)
{
	void **items = (void **)((char *)config + named->items_offset);
	size_t *count = count_of(named, config);
	void *item;

	*items = mem_resize(*items, *count + 1, named->size);
	++*count;
	item = named_last(named, config);
	memset(item, 0, named->size);
	*(char **)item = mem_dup(name);
	keys_set_initial(named->keys, named->key_count, item);
	/* What must be set has an example, which nobody is to take for an answer. */
	for (size_t i = 0; i < named->required; i++)
		free(TAKE(*(char **)((char *)item + named->keys[i].offset)));
	return item;
}

bool named_fits(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t length = strlen(name);

	return length > 0 && length <= NAMED_LENGTH_MAX && strspn(name, letters) == length;
}

bool named_is_taken(const struct named *named, const struct config *config, const char *name)
{
	for (size_t i = 0; i < *count_of(named, config); i++) {
		if (strcmp(*(char **)named_item(named, config, i), name) == 0)
			return true;
	}
	return false;
}
