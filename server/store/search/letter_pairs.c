/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/search/letter_pairs.h"

#include <stddef.h>

static void add_pair(struct letter_pairs *pairs, char first, char second)
{
	uint32_t mixed = (uint8_t)first * UINT32_C(0x9e3779b1) + (uint8_t)second * UINT32_C(0x85ebca77);

	pairs->bits[mixed >> 31] |= UINT64_C(1) << (mixed >> 25) % 64;
}

struct letter_pairs letter_pairs_of(const char *text)
{
	struct letter_pairs pairs = {0};

	for (size_t i = 0; text[i] && text[i + 1]; i++)
		add_pair(&pairs, text[i], text[i + 1]);
	return pairs;
}
