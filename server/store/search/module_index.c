/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/search/module_index.h"

#include <ctype.h>
#include <string.h>

#include "server/module/name.h"
#include "server/store/search/handles.h"
#include "server/store/search/parents.h"
#include "server/store/search/postings.h"
#include "server/store/search/sequence.h"

/* More than any time in seconds. */
static const int64_t HERE = INT64_C(1) << 40;

static const int64_t RARITY_MAX = INT64_C(1) << 40;

const char *const facet_names[FACET_COUNT] = {
	[FACET_TASK] = "task",
	[FACET_DATASET] = "dataset",
	[FACET_LANGUAGE] = "language",
	[FACET_ARCHITECTURE] = "architecture",
	[FACET_LICENSE] = "license",
	[FACET_FINE_TUNABLE] = "fine_tunable",
	[FACET_FORMAT] = "format",
	[FACET_PUBLISHER] = "publisher",
	[FACET_SOURCE] = "source",
	[FACET_CACHED] = "cached",
	[FACET_FINDING] = "finding",
	[FACET_OP] = "op",
	[FACET_INPUT_DTYPE] = "input_dtype",
	[FACET_OUTPUT_DTYPE] = "output_dtype",
	[FACET_TAG] = "tag",
	[FACET_TENSORFLOW_VERSION] = "tensorflow_version",
	[FACET_PARENT_MODEL] = "parent_model",
};

struct entry {
	int64_t id;
	int64_t downloads;
	int64_t updated_at;
	int64_t size_bytes;
	int64_t versions; /* that are active */
	int64_t trend;
	char *handle;
	int64_t rarity; /* as it was when the orders were made */
	bool is_deployment;
	/* Its values: room for some in `values`, and how many there are. */
	uint32_t values_at;
	uint32_t value_count;
	uint32_t value_room;
};

struct module_index {
	struct entry *entries; /* by slot */
	size_t count;
	size_t capacity;
	struct slots listed;
	struct slots cached;
	struct handles handles;
	uint32_t *slot_by_id; /* UINT32_MAX: none */
	size_t id_count;
	struct postings facets[FACET_COUNT];
	struct parents parents; /* of which FACET_PARENT_MODEL has the postings */
	struct posting **value_by_id;
	size_t value_count;
	uint32_t *values; /* ids of values, those of one module together */
	size_t values_used;
	size_t values_capacity;
	struct sequence orders[SORT_COUNT];
};

/* Makes room for the row `number` in an array that is read by number, filling what is new with this byte. */
static void *widen(void *array, size_t *count, size_t number, size_t size, int byte)
{
	size_t wider = *count ? *count : 64;

	if (number < *count)
		return array;
	while (wider <= number)
		wider *= 2;
	array = mem_resize(array, wider, size);
	memset((char *)array + *count * size, byte, (wider - *count) * size);
	*count = wider;
	return array;
}

struct module_index *module_index_create(void)
{
	struct module_index *index = mem_zero(1, sizeof *index);

	handles_init(&index->handles);
	return index;
}

void module_index_destroy(struct module_index *index)
{
	if (!index)
		return;
	for (size_t i = 0; i < index->count; i++)
		free(index->entries[i].handle);
	parents_finish(&index->parents);
	for (size_t facet = 0; facet < FACET_COUNT; facet++)
		postings_finish(&index->facets[facet]);
	for (size_t sort = 0; sort < SORT_COUNT; sort++)
		sequence_finish(&index->orders[sort]);
	slots_finish(&index->listed);
	slots_finish(&index->cached);
	handles_finish(&index->handles);
	free(index->entries);
	free(index->slot_by_id);
	free(index->value_by_id);
	free(index->values);
	free(index);
}

/* ---- orders ---- */

/* A number's place among powers of two. */
static int64_t magnitude(int64_t number)
{
	return number > 0 ? 64 - __builtin_clzll((uint64_t)number) : 0;
}

/* What is here, then what others load, then what is no copy of another for a smaller device, then what has
 * been kept up for long. */
static int64_t standing(const struct module_index *index, size_t slot)
{
	const struct entry *entry = &index->entries[slot];
	int64_t here = slots_have(&index->cached, slot);

	return ((here << 6 | magnitude(entry->downloads)) << 1 | !entry->is_deployment) << 6 |
	       magnitude(entry->versions);
}

/* Most have no downloads. Among equals people are shown first what is here, then what is new; a search rather
 * finds the name that has little besides its words, and nothing odd. */
struct place_in_order module_index_place(const struct module_index *index, enum module_sort sort, size_t slot)
{
	const struct entry *entry = &index->entries[slot];

	switch (sort) {
	case SORT_DOWNLOADS:
		return (struct place_in_order){entry->downloads,
			entry->updated_at + (slots_have(&index->cached, slot) ? HERE : 0), entry->handle};
	case SORT_RELEVANCE:
		return (struct place_in_order){
			standing(index, slot), RARITY_MAX - entry->rarity, entry->handle};
	case SORT_UPDATED:
		return (struct place_in_order){entry->updated_at, 0, entry->handle};
	case SORT_TRENDING:
		return (struct place_in_order){entry->trend, entry->downloads, entry->handle};
	case SORT_SIZE:
		return (struct place_in_order){entry->size_bytes, 0, entry->handle};
	default:
		return (struct place_in_order){0, 0, entry->handle};
	}
}

/* Numbers descend, names ascend. */
static int compare(const struct place_in_order *a, const struct place_in_order *b)
{
	if (a->number != b->number)
		return a->number > b->number ? -1 : 1;
	if (a->tie != b->tie)
		return a->tie > b->tie ? -1 : 1;
	return strcmp(a->handle, b->handle);
}

/* What is sorted: side by side, since to look each up in its entry is most of the work. Most places differ by
 * name only: where each slot stands among names is found once. */
struct sort_key {
	int64_t number;
	int64_t tie;
	uint32_t by_name;
	uint32_t slot;
};

static int compare_keys(const void *a, const void *b)
{
	const struct sort_key *x = a, *y = b;

	if (x->number != y->number)
		return x->number > y->number ? -1 : 1;
	if (x->tie != y->tie)
		return x->tie > y->tie ? -1 : 1;
	return (x->by_name > y->by_name) - (x->by_name < y->by_name);
}

struct name_key {
	const char *handle;
	uint32_t slot;
};

static int compare_names(const void *a, const void *b)
{
	const struct name_key *x = a, *y = b;

	return strcmp(x->handle, y->handle);
}

/* What is looked for in an order. */
struct wanted {
	const struct module_index *index;
	enum module_sort sort;
	const struct place_in_order *place;
	bool behind; /* what stands at the place itself is before, too */
};

static bool stands_before(const void *context, uint32_t slot)
{
	const struct wanted *wanted = context;
	struct place_in_order here = module_index_place(wanted->index, wanted->sort, slot);
	int difference = compare(&here, wanted->place);

	return difference < 0 || (wanted->behind && difference == 0);
}

static struct sequence_place find_in_order(const struct module_index *index, enum module_sort sort,
	const struct place_in_order *place, bool behind)
{
	struct wanted wanted = {index, sort, place, behind};

	return sequence_find(&index->orders[sort], stands_before, &wanted);
}

static void enter_order(struct module_index *index, enum module_sort sort, size_t slot)
{
	struct place_in_order place = module_index_place(index, sort, slot);

	sequence_insert(&index->orders[sort], find_in_order(index, sort, &place, false), (uint32_t)slot);
}

/* Before its numbers change. */
static void leave_order(struct module_index *index, enum module_sort sort, size_t slot)
{
	struct place_in_order place = module_index_place(index, sort, slot);

	sequence_remove(&index->orders[sort], find_in_order(index, sort, &place, false));
}

/* by_name[slot]: where it stands among names. */
static void sort_names(struct module_index *index, uint32_t *by_name)
{
	AUTO_FREE struct name_key *keys = mem_zero(index->count + 1, sizeof *keys);

	for (size_t slot = 0; slot < index->count; slot++)
		keys[slot] = (struct name_key){index->entries[slot].handle, (uint32_t)slot};
	qsort(keys, index->count, sizeof *keys, compare_names);
	sequence_finish(&index->orders[SORT_NAME]);
	for (size_t i = 0; i < index->count; i++) {
		by_name[keys[i].slot] = (uint32_t)i;
		sequence_append(&index->orders[SORT_NAME], keys[i].slot);
	}
}

static void sort_by(struct module_index *index, enum module_sort sort, const uint32_t *by_name)
{
	AUTO_FREE struct sort_key *keys = mem_zero(index->count + 1, sizeof *keys);

	for (size_t slot = 0; slot < index->count; slot++) {
		struct place_in_order place = module_index_place(index, sort, slot);

		keys[slot] = (struct sort_key){place.number, place.tie, by_name[slot], (uint32_t)slot};
	}
	qsort(keys, index->count, sizeof *keys, compare_keys);
	sequence_finish(&index->orders[sort]);
	for (size_t i = 0; i < index->count; i++)
		sequence_append(&index->orders[sort], keys[i].slot);
}

static uint32_t find_parent(const struct module_index *index, const char *handle)
{
	size_t slot;

	return module_index_find_handle(index, handle, &slot) ? (uint32_t)slot : PARENT_UNKNOWN;
}

void module_index_sort(struct module_index *index)
{
	AUTO_FREE uint32_t *by_name = mem_zero(index->count + 1, sizeof *by_name);

	for (size_t slot = 0; slot < index->count; slot++)
		index->entries[slot].rarity = handles_rarity(&index->handles, slot);
	sort_names(index, by_name);
	for (enum module_sort sort = SORT_NAME + 1; sort < SORT_COUNT; sort++)
		sort_by(index, sort, by_name);
	for (size_t i = 0; i < index->parents.count; i++)
		index->parents.items[i].slot = find_parent(index, index->parents.items[i].deployments->text);
}

size_t module_index_walk(const struct module_index *index, enum module_sort sort, const struct slots *set,
	const struct place_in_order *after, size_t *out, size_t max)
{
	const struct sequence *order = &index->orders[sort];
	struct sequence_place place = {0};
	size_t found = 0;
	uint32_t slot;

	if (after)
		place = find_in_order(index, sort, after, true);
	for (; found < max && sequence_read(order, &place, &slot); sequence_step(order, &place)) {
		if (slots_have(set, slot))
			out[found++] = slot;
	}
	return found;
}

/* ---- modules ---- */

static void set_state(struct module_index *index, size_t slot, const struct module_facts *facts)
{
	struct entry *entry = &index->entries[slot];

	entry->downloads = facts->downloads;
	entry->updated_at = facts->updated_at;
	entry->size_bytes = facts->size_bytes;
	entry->versions = facts->versions;
	entry->trend = facts->trend;
	entry->is_deployment = facts->is_deployment;
	(facts->listed ? slots_add : slots_remove)(&index->listed, slot);
	(facts->cached ? slots_add : slots_remove)(&index->cached, slot);
}

void module_index_append(struct module_index *index, const struct module_facts *facts)
{
	size_t slot = index->count;
	struct entry *entry;

	MEM_GROW(index->entries, index->count, index->capacity);
	entry = &index->entries[index->count++];
	*entry = (struct entry){.id = facts->id, .handle = mem_dup(facts->handle)};
	handles_append(&index->handles, facts->handle);
	slots_grow(&index->listed, index->count);
	slots_grow(&index->cached, index->count);
	index->slot_by_id = widen(
		index->slot_by_id, &index->id_count, (size_t)facts->id, sizeof *index->slot_by_id, 0xff);
	index->slot_by_id[facts->id] = (uint32_t)slot;
	set_state(index, slot, facts);
}

bool module_index_set(struct module_index *index, const struct module_facts *facts)
{
	struct parent *parent;
	bool is_new;
	size_t slot;

	is_new = !module_index_find(index, facts->id, &slot);
	if (is_new) {
		slot = index->count;
		module_index_append(index, facts);
		index->entries[slot].rarity = handles_rarity(&index->handles, slot);
	}
	for (enum module_sort sort = 0; !is_new && sort < SORT_COUNT; sort++)
		leave_order(index, sort, slot);
	set_state(index, slot, facts);
	for (enum module_sort sort = 0; sort < SORT_COUNT; sort++)
		enter_order(index, sort, slot);
	parent = is_new ? parents_find(&index->parents, facts->handle) : NULL;
	if (parent)
		parent->slot = (uint32_t)slot;
	return is_new;
}

size_t module_index_slots(const struct module_index *index)
{
	return index->count;
}

bool module_index_find(const struct module_index *index, int64_t id, size_t *out_slot)
{
	if (id < 0 || (size_t)id >= index->id_count || index->slot_by_id[id] == UINT32_MAX)
		return false;
	*out_slot = index->slot_by_id[id];
	return true;
}

bool module_index_find_handle(const struct module_index *index, const char *handle, size_t *out_slot)
{
	const struct place_in_order wanted = {0, 0, handle};
	struct sequence_place place = find_in_order(index, SORT_NAME, &wanted, false);
	uint32_t slot;

	if (!sequence_read(&index->orders[SORT_NAME], &place, &slot) ||
		strcmp(index->entries[slot].handle, handle) != 0)
		return false;
	*out_slot = slot;
	return true;
}

int64_t module_index_id(const struct module_index *index, size_t slot)
{
	return index->entries[slot].id;
}

const char *module_index_handle(const struct module_index *index, size_t slot)
{
	return index->entries[slot].handle;
}

const struct parents *module_index_parents(const struct module_index *index)
{
	return &index->parents;
}

bool module_index_is_listed(const struct module_index *index, size_t slot)
{
	return slots_have(&index->listed, slot);
}

void module_index_keep_sizes(
	const struct module_index *index, int64_t min_bytes, int64_t max_bytes, struct slots *set)
{
	for (size_t slot = 0; slot < index->count; slot++) {
		int64_t size = index->entries[slot].size_bytes;

		if (size == 0 || size < min_bytes || (max_bytes > 0 && size > max_bytes))
			slots_remove(set, slot);
	}
}

struct slots module_index_listed(const struct module_index *index)
{
	return slots_copy(&index->listed);
}

/* ---- values ---- */

void module_index_add_value(struct module_index *index, int64_t value_id, enum facet facet, const char *text)
{
	struct posting *posting;

	index->value_by_id = widen(
		index->value_by_id, &index->value_count, (size_t)value_id, sizeof *index->value_by_id, 0);
	if (index->value_by_id[value_id])
		return;
	posting = postings_append(&index->facets[facet], text);
	if (facet <= FACET_ARCHITECTURE)
		handles_learn(&index->handles, text);
	if (facet == FACET_PARENT_MODEL)
		parents_add(&index->parents, posting, find_parent(index, text));
	index->value_by_id[value_id] = posting;
}

static void reserve_values(struct module_index *index, size_t count)
{
	size_t wider = index->values_capacity ? index->values_capacity : 1024;

	while (wider < count)
		wider *= 2;
	if (wider == index->values_capacity)
		return;
	index->values = mem_resize(index->values, wider, sizeof *index->values);
	index->values_capacity = wider;
}

/* Gives a module more room for values: where it stands if that is the end of all, as when all are read, else
 * twice as much there. What it leaves stays unused. */
static void widen_values(struct module_index *index, struct entry *entry)
{
	bool is_last = (size_t)entry->values_at + entry->value_room == index->values_used;
	size_t more = is_last ? 1 : entry->value_room + 1;

	reserve_values(index, index->values_used + entry->value_room + more);
	if (!is_last) {
		memcpy(index->values + index->values_used, index->values + entry->values_at,
			entry->value_count * sizeof *index->values);
		entry->values_at = (uint32_t)index->values_used;
		index->values_used += entry->value_room;
	}
	entry->value_room += (uint32_t)more;
	index->values_used += more;
}

static void note_value(struct module_index *index, struct entry *entry, uint32_t value_id)
{
	if (entry->value_count == entry->value_room)
		widen_values(index, entry);
	index->values[entry->values_at + entry->value_count++] = value_id;
}

void module_index_give(struct module_index *index, int64_t id, int64_t value_id)
{
	struct posting *posting = (size_t)value_id < index->value_count ? index->value_by_id[value_id] : NULL;
	size_t slot;

	if (!posting || !module_index_find(index, id, &slot) || !posting_add(posting, (uint32_t)slot))
		return;
	note_value(index, &index->entries[slot], (uint32_t)value_id);
}

void module_index_forget_values(struct module_index *index, int64_t id)
{
	struct entry *entry;
	size_t slot;

	if (!module_index_find(index, id, &slot))
		return;
	entry = &index->entries[slot];
	for (size_t i = 0; i < entry->value_count; i++)
		posting_remove(index->value_by_id[index->values[entry->values_at + i]], (uint32_t)slot);
	entry->value_count = 0;
}

/* "2.11" stands for itself and for all that begins with "2.11.". */
static bool matches(enum facet facet, const char *text, const char *value)
{
	size_t length = strlen(value);

	if (facet != FACET_TENSORFLOW_VERSION)
		return strcmp(text, value) == 0;
	return strncmp(text, value, length) == 0 && (text[length] == '\0' || text[length] == '.');
}

static void match_cached(const struct module_index *index, const char *value, struct slots *out)
{
	uint64_t inverse = strcmp(value, "true") == 0 ? 0 : UINT64_MAX;

	for (size_t i = 0; i < slots_words(out->count); i++)
		out->words[i] |= (index->cached.words[i] ^ inverse) & index->listed.words[i];
}

void module_index_match(
	const struct module_index *index, enum facet facet, const char *value, struct slots *out)
{
	const struct postings *postings = &index->facets[facet];

	if (facet == FACET_CACHED)
		match_cached(index, value, out);
	for (size_t i = 0; i < postings->count; i++) {
		const struct posting *posting = postings->items[i];

		if (!matches(facet, posting->text, value))
			continue;
		posting_unite(posting, out);
	}
}

/* ---- names ---- */

const struct handles *module_index_handles(const struct module_index *index)
{
	return &index->handles;
}

/* ---- counting ---- */

static int compare_counts(const void *a, const void *b)
{
	const struct facet_count *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return strcmp(x->value, y->value);
}

static size_t count_cached(const struct module_index *index, const struct slots *set, struct facet_count *out)
{
	int64_t total = slots_total(set), cached = 0;

	for (size_t i = 0; i < slots_words(set->count); i++)
		cached += __builtin_popcountll(set->words[i] & index->cached.words[i]);
	out[0] = (struct facet_count){"true", cached};
	out[1] = (struct facet_count){"false", total - cached};
	return 2;
}

size_t module_index_values(const struct module_index *index, enum facet facet)
{
	return facet == FACET_CACHED ? 2 : index->facets[facet].count;
}

static bool is_counted(const struct counting *counting, const char *value)
{
	return !counting->is_counted || counting->is_counted(counting->context, counting->facet, value);
}

size_t module_index_count(const struct module_index *index, const struct counting *counting,
	const struct slots *set, struct facet_count *out, size_t max)
{
	const struct postings *postings = &index->facets[counting->facet];
	AUTO_FREE struct facet_count *counts = mem_zero(postings->count + 2, sizeof *counts);
	size_t found = counting->facet == FACET_CACHED ? count_cached(index, set, counts) : 0;

	for (size_t i = 0; i < postings->count; i++) {
		const char *value = postings->items[i]->text;
		int64_t count = is_counted(counting, value) ? posting_count(postings->items[i], set) : 0;

		if (count > 0)
			counts[found++] = (struct facet_count){value, count};
	}
	qsort(counts, found, sizeof *counts, compare_counts);
	memcpy(out, counts, (found < max ? found : max) * sizeof *out);
	return found;
}
