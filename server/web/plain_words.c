/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/plain_words.h"

#include <stdbool.h>
#include <string.h>

#include "common/mem.h"

static bool has_pairs(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == '`';
	return count % 2 == 0;
}

/* "[words](target)": the length of its words, *out_length that of all of it; 0: it is none. */
static size_t link_words(const char *text, size_t *out_length)
{
	size_t words, target;

	if (*text != '[')
		return 0;
	words = strcspn(text + 1, "[]");
	if (text[1 + words] != ']' || text[2 + words] != '(')
		return 0;
	target = strcspn(text + 3 + words, "() \t");
	if (target == 0 || text[3 + words + target] != ')')
		return 0;
	*out_length = words + target + 4;
	return words;
}

char *plain_words(const char *text)
{
	char *plain = mem_zero(strlen(text) + 1, 1);
	bool in_pairs = has_pairs(text);
	size_t length = 0, words, whole;

	while (*text) {
		words = link_words(text, &whole);
		if (words == 0) {
			if (*text != '`' || !in_pairs)
				plain[length++] = *text;
			text++;
			continue;
		}
		for (size_t i = 1; i <= words; i++) {
			if (text[i] != '`' || !in_pairs)
				plain[length++] = text[i];
		}
		text += whole;
	}
	return plain;
}
