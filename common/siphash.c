/* SPDX-License-Identifier: Apache-2.0 */
#include "common/siphash.h"

#include <endian.h>
#include <string.h>

#include "common/digest.h"

enum { WORD = 8, ROUNDS_EACH = 2, ROUNDS_LAST = 4 };

struct state {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t value, int bits)
{
	return value << bits | value >> (64 - bits);
}

static void mix(struct state *state, int rounds)
{
	while (rounds-- > 0) {
		state->v0 += state->v1;
		state->v2 += state->v3;
		state->v1 = rotate(state->v1, 13) ^ state->v0;
		state->v3 = rotate(state->v3, 16) ^ state->v2;
		state->v0 = rotate(state->v0, 32);
		state->v2 += state->v1;
		state->v0 += state->v3;
		state->v1 = rotate(state->v1, 17) ^ state->v2;
		state->v3 = rotate(state->v3, 21) ^ state->v0;
		state->v2 = rotate(state->v2, 32);
	}
}

static void add(struct state *state, uint64_t word)
{
	state->v3 ^= word;
	mix(state, ROUNDS_EACH);
	state->v0 ^= word;
}

/* The last bytes, and the length behind them. */
static uint64_t last_word(const uint8_t *bytes, size_t length)
{
	uint64_t word = 0;

	memcpy(&word, bytes, length % WORD);
	return le64toh(word) | (uint64_t)length << 56;
}

uint64_t siphash(const struct siphash_key *key, const void *bytes, size_t length)
{
	struct state state = {key->words[0] ^ 0x736f6d6570736575, key->words[1] ^ 0x646f72616e646f6d,
		key->words[0] ^ 0x6c7967656e657261, key->words[1] ^ 0x7465646279746573};
	const uint8_t *at = bytes;
	uint64_t word;

	for (size_t left = length / WORD; left > 0; left--, at += WORD) {
		memcpy(&word, at, sizeof word);
		add(&state, le64toh(word));
	}
	add(&state, last_word(at, length));
	state.v2 ^= 0xff;
	mix(&state, ROUNDS_LAST);
	return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

struct siphash_key siphash_key_create(void)
{
	struct siphash_key key;

	random_bytes(&key, sizeof key);
	return key;
}
