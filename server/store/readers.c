/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/readers.h"

void readers_init(struct readers *readers)
{
	list_init(&readers->joined);
	list_init(&readers->steady);
}

void readers_join(struct readers *readers, struct spool_reader *reader)
{
	reader->offset = 0;
	reader->borrows = false;
	reader->cut = false;
	list_append(reader->steady ? &readers->steady : &readers->joined, &reader->link);
}

void readers_part(struct spool_reader *reader)
{
	INVARIANT(list_holds(&reader->link));
	list_remove(&reader->link);
}

int64_t readers_furthest(const struct readers *readers, int64_t quarters)
{
	int64_t furthest = INT64_MAX;

	LIST_EACH (const struct spool_reader, reader, link, &readers->steady) {
		int64_t end = reader->offset + lead_bytes(&reader->lead) / 4 * quarters;

		furthest = end < furthest ? end : furthest;
	}
	return furthest;
}

static int64_t slowest_of(const struct list *list, int64_t slowest)
{
	LIST_EACH (const struct spool_reader, reader, link, list) {
		if ((!reader->cut || reader->borrows) && reader->offset < slowest)
			slowest = reader->offset;
	}
	return slowest;
}

int64_t readers_slowest(const struct readers *readers, int64_t end)
{
	return slowest_of(&readers->joined, slowest_of(&readers->steady, end));
}

bool readers_cut(struct readers *readers, int64_t offset)
{
	bool any = false;

	LIST_EACH (struct spool_reader, reader, link, &readers->joined) {
		bool is_over = reader->cut && !reader->borrows;

		if (is_over || reader->offset > offset)
			continue;
		reader->cut = true;
		any = true;
	}
	return any;
}
