/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/readers.h"

#include <assert.h>
#include <stddef.h>

void readers_join(struct readers *readers, struct spool_reader *reader)
{
	struct spool_reader **list = reader->steady ? &readers->steady : &readers->joined;

	reader->offset = 0;
	reader->borrows = false;
	reader->cut = false;
	reader->next = *list;
	reader->link = list;
	if (reader->next)
		reader->next->link = &reader->next;
	*list = reader;
}

void readers_part(struct spool_reader *reader)
{
	assert(reader->link);
	if (reader->next)
		reader->next->link = reader->link;
	*reader->link = reader->next;
	reader->link = NULL;
}

int64_t readers_furthest(const struct readers *readers, int64_t quarters)
{
	int64_t furthest = INT64_MAX;

	for (const struct spool_reader *reader = readers->steady; reader; reader = reader->next) {
		int64_t end = reader->offset + lead_bytes(&reader->lead) / 4 * quarters;

		furthest = end < furthest ? end : furthest;
	}
	return furthest;
}

static int64_t slowest_of(const struct spool_reader *reader, int64_t slowest)
{
	for (; reader; reader = reader->next) {
		if ((!reader->cut || reader->borrows) && reader->offset < slowest)
			slowest = reader->offset;
	}
	return slowest;
}

int64_t readers_slowest(const struct readers *readers, int64_t end)
{
	return slowest_of(readers->joined, slowest_of(readers->steady, end));
}

bool readers_cut(struct readers *readers, int64_t offset)
{
	bool any = false;

	for (struct spool_reader *reader = readers->joined; reader; reader = reader->next) {
		bool is_over = reader->cut && !reader->borrows;

		if (is_over || reader->offset > offset)
			continue;
		reader->cut = true;
		any = true;
	}
	return any;
}
