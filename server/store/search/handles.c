/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/search/handles.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

/* What is no word of its own but initials begins with this. */
static const char SEPARATOR = '\n';

enum { INITIALS_MIN = 3, RARITY_SCALE = 16 };

static bool is_word(char character)
{
	return isalnum((unsigned char)character) != 0;
}

/* The next word of a text that ends at `end`; its length, 0 where there is none. */
static size_t next_word(const char **text, const char *end)
{
	size_t length = 0;

	while (*text < end && !is_word(**text))
		(*text)++;
	while (*text + length < end && is_word((*text)[length]))
		length++;
	return length;
}

void handles_init(struct handles *handles)
{
	*handles = (struct handles){.vocabulary = vocabulary_create()};
}

void handles_finish(struct handles *handles)
{
	buffer_finish(&handles->text);
	free(handles->places);
	free(handles->pairs);
	vocabulary_destroy(handles->vocabulary);
	*handles = (struct handles){0};
}

/* ---- one more ---- */

/* The initials of a segment of three words or more, none of which is a number or a single letter: those stand
 * for sizes and versions. */
static size_t initials_of(const char *segment, size_t length, char out[NAME_PATH_MAX + 1])
{
	const char *end = segment + length;
	size_t count = 0, word;

	for (const char *at = segment; (word = next_word(&at, end)) > 0; at += word) {
		if (word < 2 || !isalpha((unsigned char)*at))
			return 0;
		out[count++] = *at;
	}
	return count >= INITIALS_MIN ? count : 0;
}

static bool add_initials(struct buffer *text, const char *name)
{
	char initials[NAME_PATH_MAX + 1];
	bool any = false;

	for (const char *at = name; *at; at += strspn(at, "/")) {
		size_t length = strcspn(at, "/");
		size_t count = initials_of(at, length, initials);

		if (count > 0) {
			buffer_add(text, &SEPARATOR, 1);
			buffer_add(text, initials, count);
			any = true;
		}
		at += length;
	}
	return any;
}

static void learn(struct handles *handles, const char *words, uint32_t uses)
{
	const char *end = words + strlen(words);
	size_t length;

	for (const char *at = words; (length = next_word(&at, end)) > 0; at += length)
		vocabulary_add(handles->vocabulary, at, length, uses);
}

void handles_learn(struct handles *handles, const char *text)
{
	AUTO_FREE char *lower = mem_dup(text);

	for (char *at = lower; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	learn(handles, lower, 0);
}

void handles_append(struct handles *handles, const char *handle)
{
	char lower[NAME_PATH_MAX + 1];
	size_t length = strnlen(handle, NAME_PATH_MAX), publisher = strcspn(handle, "/");
	size_t slot = handles->count;
	struct handle_place *place;

	for (size_t i = 0; i < length; i++)
		lower[i] = (char)tolower((unsigned char)handle[i]);
	lower[length] = '\0';
	MEM_GROW(handles->pairs, handles->count, handles->pairs_capacity);
	MEM_GROW(handles->places, handles->count, handles->places_capacity);
	place = &handles->places[handles->count++];
	*place = (struct handle_place){.at = handles->text.length,
		.name = (uint16_t)(publisher < length ? publisher + 1 : 0),
		.length = (uint16_t)length};
	buffer_add(&handles->text, lower, length);
	place->is_shortened = place->name > 0 && add_initials(&handles->text, lower + place->name);
	buffer_add(&handles->text, "", 1);
	handles->pairs[slot] = letter_pairs_of(handles->text.data + place->at);
	learn(handles, lower, 1);
}

/* ---- asking ---- */

static void match_one(const struct handles *handles, size_t slot, const char *word, struct slots *whole,
	struct slots *inside)
{
	const char *name = handles->text.data + handles->places[slot].at;
	size_t length = strlen(word);

	for (const char *hit = strstr(name, word); hit; hit = strstr(hit + 1, word)) {
		slots_add(inside, slot);
		if ((hit == name || !is_word(hit[-1])) && !is_word(hit[length])) {
			slots_add(whole, slot);
			return;
		}
	}
}

void handles_match(const struct handles *handles, const char *word, struct slots *whole, struct slots *inside)
{
	const struct letter_pairs wanted = letter_pairs_of(word);

	/* Reading all names takes 2.5 ms for 100,000 of them; nearly all can be told from their pairs. */
	for (size_t slot = 0; slot < handles->count; slot++) {
		if (letter_pairs_have(&handles->pairs[slot], &wanted))
			match_one(handles, slot, word, whole, inside);
	}
}

/* The bytes of these words, with one character between each two. */
static size_t length_together(const char *const *words, size_t count)
{
	size_t length = count - 1;

	for (size_t i = 0; i < count; i++)
		length += strlen(words[i]);
	return length;
}

static bool is_made_of(const char *text, size_t length, const char *const *words, size_t count)
{
	const char *end = text + length;

	for (size_t i = 0; i < count; i++) {
		size_t word = next_word(&text, end);

		if (word != strlen(words[i]) || memcmp(text, words[i], word) != 0)
			return false;
		text += word;
	}
	return next_word(&text, end) == 0;
}

static bool is_exactly(const struct handles *handles, const struct handle_place *place,
	const char *const *words, size_t count, size_t together)
{
	const char *handle = handles->text.data + place->at;
	size_t name = (size_t)(place->length - place->name);

	if (name == together && is_made_of(handle + place->name, name, words, count))
		return true;
	if (place->length == together && is_made_of(handle, place->length, words, count))
		return true;
	return place->is_shortened && count == 1 && strcmp(handle + place->length + 1, words[0]) == 0;
}

void handles_match_exactly(const struct handles *handles, const char *const *words, size_t count,
	const struct slots *set, struct slots *out)
{
	size_t together = count > 0 ? length_together(words, count) : 0;

	for (size_t i = 0; count > 0 && i < slots_words(set->count); i++) {
		for (uint64_t rest = set->words[i]; rest; rest &= rest - 1) {
			size_t slot = 64 * i + (size_t)__builtin_ctzll(rest);

			if (is_exactly(handles, &handles->places[slot], words, count, together))
				slots_add(out, slot);
		}
	}
}

const char *handles_nearest(const struct handles *handles, const char *word)
{
	AUTO_FREE char *lower = mem_dup(word);

	for (char *at = lower; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	return vocabulary_nearest(handles->vocabulary, lower);
}

/* The squares of what each word tells (the binary logarithm of how few have it): one odd word counts more
 * than two that many have, and a further word never makes a name more usual. */
int64_t handles_rarity(const struct handles *handles, size_t slot)
{
	const struct handle_place *place = &handles->places[slot];
	const char *at = handles->text.data + place->at, *end = at + place->length;
	double rarity = 0;

	for (size_t length; (length = next_word(&at, end)) > 0; at += length) {
		uint32_t uses = vocabulary_uses(handles->vocabulary, at, length);
		double told = log2((double)handles->count / (uses ? uses : 1));

		rarity += told > 0 ? told * told : 0;
	}
	return (int64_t)(rarity * RARITY_SCALE);
}
