/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/list.h"
#include "common/mem.h"
#include "common/thread.h"

enum { ROWS = 8, STEPS = 5000, SEEDS = 5 };

struct row {
	int number;
	struct list_link link;
};

/* The same in an array: numbers in their order. */
struct model {
	int numbers[ROWS];
	size_t count;
};

static void model_insert(struct model *model, size_t at, int number)
{
	for (size_t i = model->count++; i > at; i--)
		model->numbers[i] = model->numbers[i - 1];
	model->numbers[at] = number;
}

static void model_remove(struct model *model, int number)
{
	size_t kept = 0;

	for (size_t i = 0; i < model->count; i++) {
		if (model->numbers[i] != number)
			model->numbers[kept++] = model->numbers[i];
	}
	model->count = kept;
}

static void assert_same(const struct list *list, const struct model *model)
{
	const struct row *first = LIST_FIRST(const struct row, link, list);
	size_t at = 0;

	LIST_EACH (const struct row, row, link, list) {
		assert_true(at < model->count);
		assert_int_equal(row->number, model->numbers[at++]);
	}
	assert_int_equal(at, model->count);
	assert_int_equal(list_is_empty(list), model->count == 0);
	assert_true(model->count ? first->number == model->numbers[0] : !first);
	/* And backwards. */
	for (const struct list_link *link = list->ends.previous; link != &list->ends; link = link->previous)
		assert_int_equal(
			((const struct row *)list_row(list, link, offsetof(struct row, link)))->number,
			model->numbers[--at]);
}

static void step(struct list *list, struct model *model, struct row *row)
{
	if (list_holds(&row->link)) {
		list_remove(&row->link);
		model_remove(model, row->number);
	} else if (rand() % 2) {
		list_append(list, &row->link);
		model_insert(model, model->count, row->number);
	} else {
		list_prepend(list, &row->link);
		model_insert(model, 0, row->number);
	}
}

static void any_order_of_entering_and_leaving_is_that_of_an_array(void **state)
{
	for (unsigned seed = 1; seed <= SEEDS; seed++) {
		struct row rows[ROWS] = {{0}};
		struct list list;
		struct model model = {0};

		srand(seed);
		list_init(&list);
		for (int i = 0; i < ROWS; i++)
			rows[i].number = i;
		for (int i = 0; i < STEPS; i++) {
			step(&list, &model, &rows[rand() % ROWS]);
			assert_same(&list, &model);
		}
	}
}

/* Every choice of rows, which are freed while they are visited. */
static void rows_may_leave_while_they_are_visited(void **state)
{
	for (unsigned leaving = 0; leaving < 1u << ROWS; leaving++) {
		struct list list;
		struct model left = {0};
		int visited = 0;

		list_init(&list);
		for (int i = 0; i < ROWS; i++) {
			struct row *row = mem_zero(1, sizeof *row);

			row->number = i;
			list_append(&list, &row->link);
			if (!(leaving >> i & 1))
				model_insert(&left, left.count, i);
		}
		LIST_EACH (struct row, row, link, &list) {
			assert_int_equal(row->number, visited++);
			if (!(leaving >> row->number & 1))
				continue;
			list_remove(&row->link);
			free(row);
		}
		assert_int_equal(visited, ROWS);
		assert_same(&list, &left);
		LIST_EACH (struct row, row, link, &list)
			free(row);
	}
}

static void leaving_twice_is_leaving_once(void **state)
{
	struct list list;
	struct row row = {.number = 7};

	list_init(&list);
	list_remove(&row.link);
	assert_false(list_holds(&row.link));
	list_append(&list, &row.link);
	assert_true(list_holds(&row.link));
	list_remove(&row.link);
	list_remove(&row.link);
	assert_false(list_holds(&row.link));
	assert_true(list_is_empty(&list));
}

/* From the front, until there is none; each may stand in another list at once. */
static void rows_are_taken_in_their_order(void **state)
{
	for (int count = 0; count <= ROWS; count++) {
		struct row rows[ROWS] = {{0}};
		struct row *row;
		struct list list, taken;
		struct model model = {0};

		list_init(&list);
		list_init(&taken);
		for (int i = 0; i < count; i++) {
			rows[i].number = i;
			list_append(&list, &rows[i].link);
			model_insert(&model, model.count, i);
		}
		while ((row = LIST_TAKE(struct row, link, &list))) {
			assert_false(list_holds(&row->link));
			list_append(&taken, &row->link);
		}
		assert_true(list_is_empty(&list));
		assert_null(LIST_TAKE(struct row, link, &list));
		assert_same(&taken, &model);
	}
}

/* Any number of rows behind any number of others; the list that they leave is empty, and can be used. */
static void rows_move_behind_others(void **state)
{
	for (int moved = 0; moved < ROWS * ROWS; moved++) {
		struct row rows[ROWS] = {{0}};
		struct list lists[2];
		struct model model = {0};
		const int first = moved / ROWS, count = moved % ROWS;

		list_init(&lists[0]);
		list_init(&lists[1]);
		for (int i = 0; i < ROWS && i < first + count; i++) {
			rows[i].number = i;
			list_append(&lists[i < first], &rows[i].link);
			model_insert(&model, model.count, i);
		}
		list_move(&lists[0], &lists[1]);
		assert_true(list_is_empty(&lists[0]));
		assert_same(&lists[1], &model);
		list_move(&lists[1], &lists[0]);
		assert_true(list_is_empty(&lists[1]));
		assert_same(&lists[0], &model);
		LIST_EACH (struct row, row, link, &lists[0])
			list_remove(&row->link);
		assert_true(list_is_empty(&lists[0]));
	}
}

/* In a process of its own, which that is to end. */
static void entering_a_second_list_aborts(void **state)
{
	struct row row = {.number = 7};
	struct list lists[2];
	int status = 0;
	pid_t child;

	if (!thread_checks())
		skip();
	list_init(&lists[0]);
	list_init(&lists[1]);
	list_append(&lists[0], &row.link);
	child = fork();
	if (child == 0) {
		list_append(&lists[1], &row.link);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order_of_entering_and_leaving_is_that_of_an_array),
		cmocka_unit_test(rows_may_leave_while_they_are_visited),
		cmocka_unit_test(rows_are_taken_in_their_order),
		cmocka_unit_test(rows_move_behind_others),
		cmocka_unit_test(leaving_twice_is_leaving_once),
		cmocka_unit_test(entering_a_second_list_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
