/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/unheard.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/digest.h"
#include "common/lock.h"
#include "common/mem.h"
#include "server/ranks.h"

/* A name has its place by its digest, and takes it from who was there: to be forgotten costs a question. */
enum { PLACES = 1024 };

static const struct lock_place lock_place = {"unheard", RANK_UNHEARD};

struct unheard {
	int64_t lifetime_ms;
	struct lock mutex; /* guards what follows */
	struct entry {
		uint8_t digest[32];
		int64_t until_ms;
	} places[PLACES];
};

struct unheard *unheard_create(int64_t lifetime_s)
{
	struct unheard *unheard = mem_zero(1, sizeof *unheard);

	unheard->lifetime_ms = 1000 * lifetime_s;
	lock_init(&unheard->mutex, &lock_place);
	return unheard;
}

void unheard_destroy(struct unheard *unheard)
{
	if (!unheard)
		return;
	lock_finish(&unheard->mutex);
	free(unheard);
}

/* All of a version's formats are asked for at once. */
static struct digest key_of(const struct name *name)
{
	const struct name_path path = name_path(name);

	return digest_of(path.text, strlen(path.text));
}

static struct entry *place_of(struct unheard *unheard, const struct digest *key)
{
	return &unheard->places[((size_t)key->bytes[0] << 8 | key->bytes[1]) % PLACES];
}

bool unheard_has(struct unheard *unheard, const struct name *name)
{
	struct digest key = key_of(name);
	const struct entry *entry = place_of(unheard, &key);
	LOCKED(&unheard->mutex);

	return entry->until_ms > clock_monotonic_ms() &&
	       memcmp(entry->digest, key.bytes, sizeof entry->digest) == 0;
}

void unheard_add(struct unheard *unheard, const struct name *name)
{
	struct digest key = key_of(name);
	struct entry *entry = place_of(unheard, &key);
	LOCKED(&unheard->mutex);

	memcpy(entry->digest, key.bytes, sizeof entry->digest);
	entry->until_ms = clock_monotonic_ms() + unheard->lifetime_ms;
}
