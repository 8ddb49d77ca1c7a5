/* SPDX-License-Identifier: Apache-2.0
 *
 * Slots in blocks, against an array that is kept in order by moving all of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/store/search/sequence.h"

enum { MANY = 6000 };

struct model {
	uint32_t slots[MANY];
	size_t count;
};

static bool is_smaller(const void *context, uint32_t slot)
{
	return slot < *(const uint32_t *)context;
}

static size_t find_in_model(const struct model *model, uint32_t slot)
{
	size_t at = 0;

	while (at < model->count && model->slots[at] < slot)
		at++;
	return at;
}

/* The same slots, and no block that is empty or too long. */
static void check(const struct sequence *sequence, const struct model *model)
{
	struct sequence_place place = {0};
	uint32_t slot;
	size_t count = 0;

	for (; sequence_read(sequence, &place, &slot); sequence_step(sequence, &place)) {
		assert_true(count < model->count);
		assert_int_equal(slot, model->slots[count++]);
	}
	assert_int_equal(count, model->count);
	assert_int_equal(sequence->count, model->count);
	for (size_t i = 0; i < sequence->block_count; i++) {
		assert_in_range(sequence->blocks[i].count, 1, SEQUENCE_BLOCK_MAX);
		assert_true(sequence->blocks[i].capacity <= SEQUENCE_BLOCK_MAX);
	}
	if (count > 0)
		assert_int_equal(sequence_last(sequence), model->slots[count - 1]);
}

/* Puts it in where it is not, and takes it out where it is. */
static void change(struct sequence *sequence, struct model *model, uint32_t slot)
{
	struct sequence_place place = sequence_find(sequence, is_smaller, &slot);
	size_t at = find_in_model(model, slot);
	uint32_t found;

	if (sequence_read(sequence, &place, &found) && found == slot) {
		assert_int_equal(model->slots[at], slot);
		sequence_remove(sequence, place);
		model->count--;
		memmove(model->slots + at, model->slots + at + 1, (model->count - at) * sizeof *model->slots);
	} else {
		sequence_insert(sequence, place, slot);
		memmove(model->slots + at + 1, model->slots + at, (model->count - at) * sizeof *model->slots);
		model->slots[at] = slot;
		model->count++;
	}
}

/* In which order they come, of MANY. */
static uint32_t ascending(uint32_t i, unsigned *random)
{
	(void)random;
	return i;
}

static uint32_t descending(uint32_t i, unsigned *random)
{
	(void)random;
	return MANY - 1 - i;
}

static uint32_t inwards(uint32_t i, unsigned *random)
{
	(void)random;
	return i % 2 ? MANY - 1 - i / 2 : i / 2;
}

static uint32_t at_random(uint32_t i, unsigned *random)
{
	(void)i;
	return (uint32_t)rand_r(random) % MANY;
}

static void keeps_order(void **state)
{
	static uint32_t (*const orders[])(uint32_t i, unsigned *random) = {
		ascending, descending, inwards, at_random};

	for (size_t coming = 0; coming < 4; coming++) {
		for (size_t going = 0; going < 4; going++) {
			AUTO(sequence_finish) struct sequence sequence = {0};
			AUTO_FREE struct model *model = mem_zero(1, sizeof *model);
			unsigned random = (unsigned)(coming * 4 + going);

			for (uint32_t i = 0; i < MANY / 2; i++)
				sequence_append(&sequence, i), model->slots[model->count++] = i;
			check(&sequence, model);
			for (uint32_t i = 0; i < MANY; i++)
				change(&sequence, model, orders[coming](i, &random));
			check(&sequence, model);
			for (uint32_t i = 0; i < MANY; i++)
				change(&sequence, model, orders[going](i, &random));
			check(&sequence, model);
		}
	}
}

/* A full block becomes two wherever the next one comes. */
static void takes_one_more_at_every_place(void **state)
{
	for (uint32_t place = 0; place <= SEQUENCE_BLOCK_MAX; place++) {
		AUTO(sequence_finish) struct sequence sequence = {0};
		AUTO_FREE struct model *model = mem_zero(1, sizeof *model);

		for (uint32_t i = SEQUENCE_BLOCK_MAX; i > 0; i--)
			change(&sequence, model, 2 * i - 1);
		assert_int_equal(sequence.block_count, 1);
		change(&sequence, model, 2 * place);
		check(&sequence, model);
		assert_int_equal(sequence.block_count, 2);
	}
}

static void goes_on_when_empty(void **state)
{
	AUTO(sequence_finish) struct sequence sequence = {0};
	AUTO_FREE struct model *model = mem_zero(1, sizeof *model);

	check(&sequence, model);
	for (int turn = 0; turn < 3; turn++) {
		change(&sequence, model, 7);
		check(&sequence, model);
		change(&sequence, model, 7);
		check(&sequence, model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_order),
		cmocka_unit_test(takes_one_more_at_every_place),
		cmocka_unit_test(goes_on_when_empty),
	};

	return cmocka_run_group_tests_name("sequence", tests, NULL, NULL);
}
