/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of rows that carry their own links: entering and leaving cost nothing and need no search. The user's
 * lock guards a list and the links of all that stand in it. */
#ifndef COMMON_LIST_H
#define COMMON_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "common/invariant.h"

/* A member of the row. Zeroed, it stands in no list; and in one list at most. */
struct list_link {
	struct list_link *next;
	struct list_link *previous;
};

struct list {
	struct list_link ends; /* its next is the first row, its previous the last */
};

/* Before it is used; it is empty then. A list may not be copied. */
static inline void list_init(struct list *list)
{
	list->ends.next = &list->ends;
	list->ends.previous = &list->ends;
}

static inline bool list_is_empty(const struct list *list)
{
	return list->ends.next == &list->ends;
}

/* Whether it stands in a list. */
static inline bool list_holds(const struct list_link *link)
{
	return link->next;
}

static inline void list_link_between(
	struct list_link *link, struct list_link *previous, struct list_link *next)
{
	INVARIANT(!list_holds(link));
	link->previous = previous;
	link->next = next;
	previous->next = link;
	next->previous = link;
}

/* It stands in no list before. */
static inline void list_prepend(struct list *list, struct list_link *link)
{
	list_link_between(link, &list->ends, list->ends.next);
}

static inline void list_append(struct list *list, struct list_link *link)
{
	list_link_between(link, list->ends.previous, &list->ends);
}

/* Does nothing where it stands in none. */
static inline void list_remove(struct list_link *link)
{
	if (!list_holds(link))
		return;
	link->next->previous = link->previous;
	link->previous->next = link->next;
	link->next = NULL;
	link->previous = NULL;
}

/* Moves all rows behind those of the other list, in their order. */
static inline void list_move(struct list *from, struct list *to)
{
	if (list_is_empty(from))
		return;
	from->ends.next->previous = to->ends.previous;
	from->ends.previous->next = &to->ends;
	to->ends.previous->next = from->ends.next;
	to->ends.previous = from->ends.previous;
	list_init(from);
}

/* Takes the first link out of the list; an empty list's own end stays. */
static inline struct list_link *list_take_first(struct list *list)
{
	struct list_link *first = list->ends.next;

	if (!list_is_empty(list))
		list_remove(first);
	return first;
}

/* The row whose link this is, or NULL at the end of the list. For the macros below. */
static inline void *list_row(const struct list *list, const struct list_link *link, size_t offset)
{
	return link == &list->ends ? NULL : (char *)link - offset;
}

/* The first row, or NULL: LIST_FIRST(struct job, link, &queue->jobs). */
#define LIST_FIRST(type, member, list) ((type *)list_row(list, (list)->ends.next, offsetof(type, member)))

/* The first row, taken out of the list; or NULL: while ((job = LIST_TAKE(struct job, link, &queue->jobs))).
 */
#define LIST_TAKE(type, member, list) ((type *)list_row(list, list_take_first(list), offsetof(type, member)))

/* LIST_EACH (struct job, job, link, &queue->jobs) { ... }: from the first to the last. The body may take job
 * out of the list, and free it, but no other. */
#define LIST_EACH(type, row, member, list) \
	for (type *row = LIST_FIRST(type, member, list), *row##_next; \
		row && (row##_next = list_row(list, row->member.next, offsetof(type, member)), true); \
		row = row##_next)

#endif
