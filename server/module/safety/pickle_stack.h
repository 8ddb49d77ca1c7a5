/* SPDX-License-Identifier: Apache-2.0
 *
 * What a pickle has on its stack and in its memo, as far as it may be the name of something to import. In
 * memory that is bounded, whatever the pickle. */
#ifndef SERVER_MODULE_SAFETY_PICKLE_STACK_H
#define SERVER_MODULE_SAFETY_PICKLE_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"

enum { PICKLE_NAMES_BYTES_MAX = 4 << 20, PICKLE_MEMO_MAX = 1 << 20 };

/* A value: where its name stands plus one, or: */
enum {
	PICKLE_VALUE_OTHER = 0,
	PICKLE_VALUE_MARK = PICKLE_NAMES_BYTES_MAX + 1,
	PICKLE_VALUE_FORGOTTEN, /* a name behind more than are remembered */
	PICKLE_VALUE_ABSENT,    /* of a key of the memo that has none */
	PICKLE_VALUE_MANY       /* a tuple, a list, a dictionary or a set */
};

struct pickle_stack {
	struct buffer names; /* each with its NUL */
	uint32_t *values;
	size_t depth;
	size_t marks;   /* also those that are forgotten */
	bool is_deep;   /* some were forgotten */
	bool is_broken; /* something was taken that is not there: Python goes no further */
	uint32_t *memo;
	size_t memo_count;
	size_t memo_capacity;
	size_t memo_entries; /* keys that are set: the next key of MEMOIZE */
	bool has_far_key;    /* one that is not kept was set by number */
};

void pickle_stack_init(struct pickle_stack *stack);
void pickle_stack_finish(struct pickle_stack *stack);

/* As it was in the beginning; memory is kept. */
void pickle_stack_empty(struct pickle_stack *stack);

/* What lies deeper than is remembered is forgotten. There is always a value to pop: another one. drop pops a
 * mark as well as a value. */
void pickle_stack_push(struct pickle_stack *stack, uint32_t value);
uint32_t pickle_stack_pop(struct pickle_stack *stack);
void pickle_stack_drop(struct pickle_stack *stack);
void pickle_stack_pop_to_mark(struct pickle_stack *stack);
uint32_t pickle_stack_top(struct pickle_stack *stack);

/* Only what can be the name of something is remembered, and is_whole: the text is all of it. */
void pickle_stack_push_text(struct pickle_stack *stack, const char *text, bool is_whole);
bool pickle_stack_is_name(const char *text);

/* NULL: the value is no name, or none that is known. Valid until the next text is pushed. */
const char *pickle_stack_text(const struct pickle_stack *stack, uint32_t value);

/* Under this key, under the next one, and back. */
void pickle_stack_remember(struct pickle_stack *stack, uint64_t key);
void pickle_stack_memoize(struct pickle_stack *stack);
void pickle_stack_recall(struct pickle_stack *stack, uint64_t key);

#endif
