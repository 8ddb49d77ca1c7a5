/* SPDX-License-Identifier: Apache-2.0
 *
 * The handles of all modules, by their slots, as searches read them: which have a word, which are the very
 * words of a search, how usual their words are. */
#ifndef SERVER_STORE_SEARCH_HANDLES_H
#define SERVER_STORE_SEARCH_HANDLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "server/module/name.h"
#include "server/store/search/letter_pairs.h"
#include "server/store/search/slots.h"
#include "server/store/search/vocabulary.h"

struct handle_place {
	size_t at;         /* where its lower case begins */
	uint16_t name;     /* from there, where the publisher has ended */
	uint16_t length;   /* of all of it */
	bool is_shortened; /* the initials of its words follow */
};

/* Zeroed, it is empty. */
struct handles {
	struct buffer text; /* of each handle, "<handle>[\n<initials>…]" and NUL */
	struct handle_place *places;
	size_t places_capacity;
	struct letter_pairs *pairs;
	size_t pairs_capacity;
	size_t count;
	struct vocabulary *vocabulary;
};

void handles_init(struct handles *handles);
void handles_finish(struct handles *handles);

/* Gives the next slot to a handle. */
void handles_append(struct handles *handles, const char *handle);

/* Words of which no handle need have any may be meant by a mistyped one, too. */
void handles_learn(struct handles *handles, const char *text);

/* Adds those that have the word (lower case, not empty) anywhere to *inside, and where it stands as a word of
 * its own to *whole. The initials of a name of several words count as a word of it: "use". */
void handles_match(
	const struct handles *handles, const char *word, struct slots *whole, struct slots *inside);

/* Adds those of the set whose name, with or without the publisher, is made of these words (lower case) and no
 * others. */
void handles_match_exactly(const struct handles *handles, const char *const *words, size_t count,
	const struct slots *set, struct slots *out);

/* As vocabulary_nearest. */
const char *handles_nearest(const struct handles *handles, const char *word);

/* How far its words are from those that most handles have, and how many: less is more usual. */
int64_t handles_rarity(const struct handles *handles, size_t slot);

#endif
