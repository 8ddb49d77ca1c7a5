/* SPDX-License-Identifier: Apache-2.0
 *
 * All modules in memory, as lists need them: which have which values, which names contain a word, and every
 * order by which lists are sorted. Each module keeps its slot. Knows no SQL and takes no lock: its owner does
 * both. */
#ifndef SERVER_STORE_SEARCH_MODULE_INDEX_H
#define SERVER_STORE_SEARCH_MODULE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/own.h"
#include "server/store/search/slots.h"

/* What modules can be filtered by. Those before FACETS_COUNTED are also counted. */
enum facet {
	FACET_TASK,
	FACET_DATASET,
	FACET_LANGUAGE,
	FACET_ARCHITECTURE,
	FACET_LICENSE,
	FACET_FINE_TUNABLE,
	FACET_FORMAT,
	FACET_PUBLISHER,
	FACET_SOURCE,
	FACET_CACHED,  /* "true" or "false" */
	FACET_FINDING, /* a rule that the latest version breaks, though it is kept: a warning */
	FACETS_COUNTED,
	FACET_OP = FACETS_COUNTED,
	FACET_INPUT_DTYPE, /* the DataType's number */
	FACET_OUTPUT_DTYPE,
	FACET_TAG,                /* of a meta graph */
	FACET_TENSORFLOW_VERSION, /* a filter's value is a prefix by components */
	FACET_PARENT_MODEL,       /* the handle of what it is a deployment of */
	FACET_COUNT
};
/* "task" …, as in the interface; NULL-free, FACET_COUNT long. */
extern const char *const facet_names[FACET_COUNT];

enum module_sort {
	SORT_NAME,
	SORT_DOWNLOADS, /* this and those up to SORT_TRENDING: the largest first */
	SORT_UPDATED,
	SORT_SIZE,
	SORT_TRENDING,
	SORT_RELEVANCE, /* the order among hits that are equally good; only with words */
	SORT_COUNT
};

/* One module, as its row has it. */
struct module_facts {
	int64_t id;
	const char *handle;
	bool listed; /* a version of it is active */
	bool cached;
	int64_t downloads;
	int64_t updated_at;
	int64_t size_bytes;
	int64_t versions;   /* that are active */
	int64_t trend;      /* how often it is downloaded of late */
	bool is_deployment; /* it comes for TF.js, TF Lite or Coral only */
};

struct module_index;
struct handles;
struct parents;

struct module_index *module_index_create(void);
void module_index_destroy(struct module_index *index);
AUTO_CLEANER(own_index, struct module_index *, module_index_destroy)
#define AUTO_MODULE_INDEX AUTO(own_index)

/* ---- filling it: in bulk first, then change by change ---- */

/* A value with the id that modules have it by; again is no harm. Ids are small and dense, as those of
 * modules. */
void module_index_add_value(struct module_index *index, int64_t value_id, enum facet facet, const char *text);

/* A module that is new, in any order until module_index_sort(); then modules may change, and come one at a
 * time. */
void module_index_append(struct module_index *index, const struct module_facts *facts);
void module_index_sort(struct module_index *index);

/* True where it is new, and so all sets are too small. */
bool module_index_set(struct module_index *index, const struct module_facts *facts);

/* Gives a known module a known value; forget takes all that it has. */
void module_index_give(struct module_index *index, int64_t id, int64_t value_id);
void module_index_forget_values(struct module_index *index, int64_t id);

/* ---- asking it ---- */

size_t module_index_slots(const struct module_index *index);

/* A module's slot; false where it is not known. The id and the handle behind a slot. */
bool module_index_find(const struct module_index *index, int64_t id, size_t *out_slot);
bool module_index_find_handle(const struct module_index *index, const char *handle, size_t *out_slot);
int64_t module_index_id(const struct module_index *index, size_t slot);
const char *module_index_handle(const struct module_index *index, size_t slot);

/* Whether a slot's module is listed. */
bool module_index_is_listed(const struct module_index *index, size_t slot);

/* Leaves those in *set whose size is known and in these bounds (0: none). */
void module_index_keep_sizes(
	const struct module_index *index, int64_t min_bytes, int64_t max_bytes, struct slots *set);

/* All that are listed; the caller's to finish. */
struct slots module_index_listed(const struct module_index *index);

/* Adds to *out those that have this value. */
void module_index_match(
	const struct module_index *index, enum facet facet, const char *value, struct slots *out);

/* What modules say they are deployments of. */
const struct parents *module_index_parents(const struct module_index *index);

/* Their handles, by slot. */
const struct handles *module_index_handles(const struct module_index *index);

struct facet_count {
	const char *value; /* the index's own */
	int64_t count;
};
/* How many values a facet has at most. */
size_t module_index_values(const struct module_index *index, enum facet facet);

struct counting {
	enum facet facet;
	bool (*is_counted)(const void *context, enum facet facet, const char *value); /* NULL: all are */
	const void *context;
};
/* How many of the set have each value, most frequent first, at most max of them; values that none has are
 * left out. Returns how many there are. */
size_t module_index_count(const struct module_index *index, const struct counting *counting,
	const struct slots *set, struct facet_count *out, size_t max);

/* ---- orders ---- */

/* Where something stands in an order, whether it is in it or not. */
struct place_in_order {
	int64_t number; /* downloads, time or bytes; 0 by name */
	int64_t tie; /* among those of one number the larger comes first, then handles ascend; not negative */
	const char *handle;
};

/* Writes slots of the set in this order, beginning behind `after` (NULL: at the start), at most max; returns
 * how many. */
size_t module_index_walk(const struct module_index *index, enum module_sort sort, const struct slots *set,
	const struct place_in_order *after, size_t *out, size_t max);

/* Where a slot stands. */
struct place_in_order module_index_place(
	const struct module_index *index, enum module_sort sort, size_t slot);

#endif
