/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/search/vocabulary.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/nearness.h"

struct word {
	size_t text; /* where it begins in texts */
	uint32_t hash;
	uint32_t uses;
	uint32_t letters; /* which it has, one bit each */
	uint32_t length;
};

struct vocabulary {
	struct buffer texts; /* each word with its NUL */
	struct word *words;
	size_t count;
	size_t capacity;
	uint32_t *table; /* by hash, a word's number + 1; 0: none */
	size_t room;     /* a power of two */
};

enum { ROOM_MIN = 1024 };

struct vocabulary *vocabulary_create(void)
{
	struct vocabulary *vocabulary = mem_zero(1, sizeof *vocabulary);

	vocabulary->room = ROOM_MIN;
	vocabulary->table = mem_zero(vocabulary->room, sizeof *vocabulary->table);
	return vocabulary;
}

void vocabulary_destroy(struct vocabulary *vocabulary)
{
	if (!vocabulary)
		return;
	buffer_finish(&vocabulary->texts);
	free(vocabulary->words);
	free(vocabulary->table);
	free(vocabulary);
}

/* Words that strangers choose could be made to meet at one place; whoever may publish chooses these. */
static uint32_t hash_of(const char *word, size_t length)
{
	uint32_t hash = UINT32_C(2166136261);

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)word[i]) * UINT32_C(16777619);
	return hash ^ hash >> 15;
}

static uint32_t letters_of(const char *word, size_t length)
{
	uint32_t letters = 0;

	for (size_t i = 0; i < length; i++)
		letters |= UINT32_C(1) << ((unsigned char)word[i] & 31);
	return letters;
}

static const char *text_of(const struct vocabulary *vocabulary, const struct word *word)
{
	return buffer_string(&vocabulary->texts) + word->text;
}

/* Where the table has this word, or where it would have it. */
static uint32_t *find_place(
	const struct vocabulary *vocabulary, const char *text, size_t length, uint32_t hash)
{
	for (size_t at = hash & (vocabulary->room - 1);; at = (at + 1) & (vocabulary->room - 1)) {
		uint32_t *place = &vocabulary->table[at];
		const struct word *word = *place ? &vocabulary->words[*place - 1] : NULL;

		if (!word || (word->hash == hash && word->length == length &&
				     memcmp(text_of(vocabulary, word), text, length) == 0))
			return place;
	}
}

static void widen(struct vocabulary *vocabulary)
{
	free(vocabulary->table);
	vocabulary->room *= 2;
	vocabulary->table = mem_zero(vocabulary->room, sizeof *vocabulary->table);
	for (size_t i = 0; i < vocabulary->count; i++) {
		const struct word *word = &vocabulary->words[i];

		*find_place(vocabulary, text_of(vocabulary, word), word->length, word->hash) =
			(uint32_t)i + 1;
	}
}

void vocabulary_add(struct vocabulary *vocabulary, const char *word, size_t length, uint32_t uses)
{
	uint32_t hash = hash_of(word, length);
	uint32_t *place = find_place(vocabulary, word, length, hash);

	if (*place) {
		vocabulary->words[*place - 1].uses += uses;
		return;
	}
	MEM_GROW(vocabulary->words, vocabulary->count, vocabulary->capacity);
	vocabulary->words[vocabulary->count++] = (struct word){
		vocabulary->texts.length, hash, uses, letters_of(word, length), (uint32_t)length};
	buffer_add(&vocabulary->texts, word, length);
	buffer_add(&vocabulary->texts, "", 1);
	*place = (uint32_t)vocabulary->count;
	if (2 * vocabulary->count > vocabulary->room)
		widen(vocabulary);
}

uint32_t vocabulary_uses(const struct vocabulary *vocabulary, const char *word, size_t length)
{
	const uint32_t *place = find_place(vocabulary, word, length, hash_of(word, length));

	return *place ? vocabulary->words[*place - 1].uses : 0;
}

/* Each letter that is put in, left out or exchanged changes at most two bits. */
static bool may_be_near(const struct word *word, uint32_t letters, size_t length, size_t slack)
{
	size_t apart = word->length > length ? word->length - length : length - word->length;

	return apart <= slack && (size_t)__builtin_popcount(word->letters ^ letters) <= 2 * slack;
}

const char *vocabulary_nearest(const struct vocabulary *vocabulary, const char *text)
{
	size_t length = strlen(text), slack = nearness_slack(length), best = slack + 1;
	uint32_t letters = letters_of(text, length);
	const struct word *found = NULL;

	if (slack == 0 || length > NEARNESS_WORD_MAX)
		return NULL;
	for (size_t i = 0; i < vocabulary->count; i++) {
		const struct word *word = &vocabulary->words[i];
		size_t distance;

		if (!may_be_near(word, letters, length, best < slack ? best : slack))
			continue;
		distance = nearness_distance(text_of(vocabulary, word), text, slack);
		if (distance > slack || distance > best || distance == 0)
			continue;
		if (distance < best || word->uses > found->uses)
			found = word;
		best = distance;
	}
	return found ? text_of(vocabulary, found) : NULL;
}
