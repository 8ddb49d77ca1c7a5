/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/safety/pickle_stack.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

enum { STACK_MAX = 8192 };

void pickle_stack_init(struct pickle_stack *stack)
{
	*stack = (struct pickle_stack){.values = mem_zero(STACK_MAX, sizeof *stack->values)};
}

void pickle_stack_finish(struct pickle_stack *stack)
{
	buffer_finish(&stack->names);
	free(stack->values);
	free(stack->memo);
}

void pickle_stack_empty(struct pickle_stack *stack)
{
	stack->depth = stack->names.length = stack->memo_count = stack->memo_entries = 0;
	stack->marks = 0;
	stack->has_far_key = stack->is_deep = stack->is_broken = false;
}

/* What lies deeper than is remembered is forgotten, as something that is not known. */
void pickle_stack_push(struct pickle_stack *stack, uint32_t value)
{
	if (stack->depth == STACK_MAX) {
		memmove(stack->values, stack->values + STACK_MAX / 2, STACK_MAX / 2 * sizeof *stack->values);
		stack->depth = STACK_MAX / 2;
		stack->is_deep = true;
	}
	stack->marks += value == PICKLE_VALUE_MARK;
	stack->values[stack->depth++] = value;
}

static bool is_mark_next(const struct pickle_stack *stack)
{
	return stack->depth > 0 && stack->values[stack->depth - 1] == PICKLE_VALUE_MARK;
}

uint32_t pickle_stack_top(struct pickle_stack *stack)
{
	if ((stack->depth == 0 && !stack->is_deep) || is_mark_next(stack))
		stack->is_broken = true;
	return stack->depth > 0 ? stack->values[stack->depth - 1] : PICKLE_VALUE_OTHER;
}

uint32_t pickle_stack_pop(struct pickle_stack *stack)
{
	uint32_t value = pickle_stack_top(stack);

	stack->marks -= is_mark_next(stack);
	stack->depth -= stack->depth > 0;
	return value;
}

void pickle_stack_drop(struct pickle_stack *stack)
{
	if (!is_mark_next(stack)) {
		(void)pickle_stack_pop(stack);
	} else {
		stack->depth--;
		stack->marks--;
	}
}

void pickle_stack_pop_to_mark(struct pickle_stack *stack)
{
	if (stack->marks == 0)
		stack->is_broken = true;
	else
		stack->marks--;
	while (stack->depth > 0 && !is_mark_next(stack))
		stack->depth--;
	stack->depth -= stack->depth > 0;
}

bool pickle_stack_is_name(const char *text)
{
	for (const char *at = text; *at; at++) {
		bool is_letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || *at == '_' ||
				 (unsigned char)*at >= 0x80;

		if (!is_letter && !((*at >= '0' && *at <= '9') || *at == '.' || *at == '<' || *at == '>'))
			return false;
	}
	return text[0] != '\0';
}

/* Only what can be the name of something is worth remembering. */
void pickle_stack_push_text(struct pickle_stack *stack, const char *text, bool is_whole)
{
	size_t at = stack->names.length;

	if (!is_whole || !pickle_stack_is_name(text)) {
		pickle_stack_push(stack, PICKLE_VALUE_OTHER);
	} else if (strlen(text) + 1 > PICKLE_NAMES_BYTES_MAX - at) {
		pickle_stack_push(stack, PICKLE_VALUE_FORGOTTEN);
	} else {
		buffer_add(&stack->names, text, strlen(text) + 1);
		pickle_stack_push(stack, (uint32_t)at + 1);
	}
}

const char *pickle_stack_text(const struct pickle_stack *stack, uint32_t value)
{
	return value == PICKLE_VALUE_OTHER || value > PICKLE_NAMES_BYTES_MAX ? NULL
									     : stack->names.data + value - 1;
}

/* Keys come in order, from whoever writes pickles; others are far apart at a stranger's cost only. */
void pickle_stack_remember(struct pickle_stack *stack, uint64_t key)
{
	uint32_t value = pickle_stack_top(stack);

	if (key >= PICKLE_MEMO_MAX) {
		stack->has_far_key = true;
		return;
	}
	while (stack->memo_count <= key) {
		MEM_GROW(stack->memo, stack->memo_count, stack->memo_capacity);
		stack->memo[stack->memo_count++] = PICKLE_VALUE_ABSENT;
	}
	stack->memo_entries += stack->memo[key] == PICKLE_VALUE_ABSENT;
	stack->memo[key] = value;
}

/* What is not there, or lies behind more keys than are kept, is nothing that may be imported. */
void pickle_stack_recall(struct pickle_stack *stack, uint64_t key)
{
	uint32_t value = key < stack->memo_count ? stack->memo[key] : PICKLE_VALUE_ABSENT;

	if (value == PICKLE_VALUE_ABSENT && !stack->has_far_key)
		stack->is_broken = true;
	pickle_stack_push(stack, value);
}

void pickle_stack_memoize(struct pickle_stack *stack)
{
	if (stack->memo_entries < PICKLE_MEMO_MAX)
		pickle_stack_remember(stack, stack->memo_entries);
	else
		stack->memo_entries++;
}
