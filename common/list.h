/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of rows that carry their own links: entering and leaving cost nothing and need no search. The user's
 * lock guards a list and the links of all that stand in it. */
#ifndef COMMON_LIST_H
#define COMMON_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A member of the row. It stands in one list at most. */
struct list_link {
	struct list_link *next;
	struct list_link *previous;
};

struct list {
	struct list_link ends; /* its next is the first row, its previous the last */
};

/* Both before they are used: a list is empty then, and a link stands in none. */
static inline void list_link_init(struct list_link *link)
{
	link->next = link;
	link->previous = link;
}

static inline void list_init(struct list *list)
{
	list_link_init(&list->ends);
}

static inline bool list_is_empty(const struct list *list)
{
	return list->ends.next == &list->ends;
}

/* Whether it stands in a list. */
static inline bool list_holds(const struct list_link *link)
{
	return link->next != link;
}

static inline void list_link_between(
	struct list_link *link, struct list_link *previous, struct list_link *next)
{
	link->previous = previous;
	link->next = next;
	previous->next = link;
	next->previous = link;
}

/* It stands in no list before; its link need not be initialized. */
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
	link->next->previous = link->previous;
	link->previous->next = link->next;
	list_link_init(link);
}

/* The row whose link this is, or NULL at the end of the list. For the macros below. */
static inline void *list_row(const struct list *list, const struct list_link *link, size_t offset)
{
	return link == &list->ends ? NULL : (char *)link - offset;
}

/* The first row, or NULL: LIST_FIRST(struct job, link, &queue->jobs). */
#define LIST_FIRST(type, member, list) ((type *)list_row(list, (list)->ends.next, offsetof(type, member)))

/* LIST_EACH (struct job, job, link, &queue->jobs) { ... }: from the first to the last. The body may take job
 * out of the list, and free it, but no other. */
#define LIST_EACH(type, row, member, list) \
	for (type *row = LIST_FIRST(type, member, list), *row##_next; \
		row && (row##_next = list_row(list, row->member.next, offsetof(type, member)), true); \
		row = row##_next)

#endif
