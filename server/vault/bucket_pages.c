/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/bucket_pages.h"

#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/upstream/s3/bucket.h"

struct page_row {
	size_t key; /* where it begins in the keys */
	int64_t size_bytes;
	int64_t modified_s;
};

struct page {
	struct buffer keys; /* each with its NUL */
	struct page_row rows[BUCKET_PAGE_MAX];
	int count;
	int64_t modified_s; /* of the one that is listed just now */
	char last[BUCKET_KEY_MAX + 1];
};

static void page_destroy(struct page *page)
{
	buffer_finish(&page->keys);
	free(page);
}

AUTO_CLEANER(own_page, struct page *, page_destroy)

static bool take(void *context, const char *key, int64_t length)
{
	struct page *page = context;

	page->rows[page->count++] = (struct page_row){page->keys.length, length, page->modified_s};
	buffer_add(&page->keys, key, strlen(key) + 1);
	return true;
}

static bool read_page(const struct bucket_objects *objects, const char *under, struct page *page, bool *more,
	int64_t *now_s, struct err *err)
{
	const struct bucket_page asked = {.under = under,
		.after = *page->last ? page->last : NULL,
		.limit = BUCKET_PAGE_MAX,
		.modified_s = &page->modified_s,
		.object = take,
		.context = page};
	struct bucket_facts facts = {0};
	enum bucket_outcome outcome;

	page->count = 0;
	page->keys.length = 0;
	if (!objects_may_ask(objects, err))
		return false;
	outcome = bucket_list(objects->bucket, &asked, more, &facts, err);
	/* A bucket that is gone says nothing of what was in it. */
	if (outcome == BUCKET_ABSENT)
		outcome = BUCKET_REFUSED;
	*now_s = facts.date_s;
	return objects_note(objects, false, outcome, err) == BUCKET_DONE;
}

static bool visit_page(const struct page *page, int64_t now_s, const struct page_visitor *visitor, bool *over,
	struct err *err)
{
	const char *keys = page->count > 0 ? page->keys.data : "";

	for (int i = 0; i < page->count && !*over; i++) {
		const struct page_row *row = &page->rows[i];
		int64_t age_s = now_s - row->modified_s;
		const struct listed_object object = {keys + row->key, row->size_bytes,
			now_s > 0 && row->modified_s > 0 && age_s >= 0 ? age_s : -1};

		if (!visitor->visit(visitor->context, &object, over, err))
			return *over;
	}
	return true;
}

bool bucket_pages_walk(const struct bucket_objects *objects, const char *under,
	const struct page_visitor *visitor, struct err *err)
{
	AUTO(own_page) struct page *page = mem_zero(1, sizeof *page);
	bool more = true;
	bool over = false;
	int64_t now_s;

	while (more && !over) {
		if (!read_page(objects, under, page, &more, &now_s, err) ||
			!visit_page(page, now_s, visitor, &over, err))
			return false;
		if (page->count > 0)
			(void)snprintf(page->last, sizeof page->last, "%s",
				page->keys.data + page->rows[page->count - 1].key);
	}
	return true;
}
