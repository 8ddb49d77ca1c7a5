/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nearness.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Optimal string alignment; rows[0] belongs to one letter less of a than rows[1], rows[2] to two less. */
static size_t cell(const char *a, const char *b, size_t i, size_t j, size_t rows[3][NEARNESS_WORD_MAX + 1])
{
	size_t here = tolower((unsigned char)a[i - 1]), there = tolower((unsigned char)b[j - 1]);
	size_t value = least(rows[0][j] + 1, rows[1][j - 1] + 1);

	value = least(value, rows[0][j - 1] + (here != there));
	if (i > 1 && j > 1 && here == (size_t)tolower((unsigned char)b[j - 2]) &&
		there == (size_t)tolower((unsigned char)a[i - 2]))
		value = least(value, rows[2][j - 2] + 1);
	return value;
}

size_t nearness_distance(const char *a, const char *b, size_t max)
{
	size_t rows[3][NEARNESS_WORD_MAX + 1] = {0};
	size_t a_length = strlen(a), b_length = strlen(b);
	size_t apart = a_length > b_length ? a_length - b_length : b_length - a_length;

	if (apart > max || a_length > NEARNESS_WORD_MAX || b_length > NEARNESS_WORD_MAX)
		return max + 1;
	for (size_t j = 0; j <= b_length; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		rows[1][0] = i;
		for (size_t j = 1; j <= b_length; j++)
			rows[1][j] = cell(a, b, i, j, rows);
		memcpy(rows[2], rows[0], sizeof rows[0]);
		memcpy(rows[0], rows[1], sizeof rows[0]);
	}
	return least(rows[0][b_length], max + 1);
}

size_t nearness_slack(size_t length)
{
	return length < 4 ? 0 : length < 7 ? 1 : 2;
}

const char *nearness_find(const char *const *names, size_t count, const char *name)
{
	size_t length = strnlen(name, NEARNESS_WORD_MAX + 1);
	size_t best = SIZE_MAX;
	const char *found = NULL;

	for (size_t i = 0; i < count && best > 0; i++) {
		size_t other = strnlen(names[i], NEARNESS_WORD_MAX + 1);
		/* Of the longer one: a letter may be missing. */
		size_t slack = nearness_slack(length > other ? length : other);
		size_t distance = nearness_distance(names[i], name, slack);

		if (distance > slack || distance >= best)
			continue;
		best = distance;
		found = names[i];
	}
	return found;
}
