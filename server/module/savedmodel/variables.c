/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/savedmodel/variables.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/module/savedmodel/bundle.h"
#include "server/module/savedmodel/model_facts.h"
#include "server/module/violations.h"

#define PREFIX "variables/variables"

/* More shards than any saver writes; a name has five digits. */
enum { SHARDS_MAX = 99999, SHARD_DIGITS = 5 };

/* What the members say. */
struct shards {
	bool has_index;
	bool has_old;  /* a checkpoint of the first format, which has no index */
	bool has_any;  /* a shard of whatever set */
	int64_t count; /* of the set that counts; 0 until one is known */
	int64_t found;
	int64_t *sizes; /* count of them; -1: it is not there */
};

static void finish_shards(struct shards *shards)
{
	free(shards->sizes);
}

static bool read_digits(const char **at, int64_t *out)
{
	char digits[SHARD_DIGITS + 1] = "";

	for (int i = 0; i < SHARD_DIGITS; i++) {
		if (**at < '0' || **at > '9')
			return false;
		digits[i] = *(*at)++;
	}
	return number_parse(digits, out);
}

/* "…-00000-of-00002", with what precedes the first dash given. */
static bool read_shard_name(const char *path, const char *before, int64_t *shard, int64_t *count)
{
	size_t length = strlen(before);
	const char *at = path + length;

	if (strncmp(path, before, length) != 0 || !read_digits(&at, shard) || strncmp(at, "-of-", 4) != 0)
		return false;
	at += 4;
	return read_digits(&at, count) && *at == '\0';
}

static void note_member(struct shards *shards, const struct examined_member *member)
{
	int64_t shard;
	int64_t count;

	if (member->is_folder)
		return;
	if (strcmp(member->path, CHECKPOINT_INDEX) == 0)
		shards->has_index = true;
	else if (read_shard_name(member->path, PREFIX ".data-", &shard, &count)) {
		shards->has_any = true;
		shards->count = shards->count > 0 ? shards->count : count;
	} else if (strcmp(member->path, PREFIX) == 0 ||
		   read_shard_name(member->path, PREFIX "-", &shard, &count))
		shards->has_old = true;
}

/* Of other sets, which an earlier saving may have left, nothing is read. */
static void collect(struct shards *shards, const struct examination *examination)
{
	shards->sizes = mem_zero((size_t)shards->count, sizeof *shards->sizes);
	memset(shards->sizes, 0xff, (size_t)shards->count * sizeof *shards->sizes);
	for (size_t i = 0; i < examination->member_count; i++) {
		const struct examined_member *member = &examination->members[i];
		int64_t shard;
		int64_t count;

		if (member->is_folder || !read_shard_name(member->path, PREFIX ".data-", &shard, &count) ||
			count != shards->count || shard >= count)
			continue;
		shards->found += shards->sizes[shard] < 0;
		shards->sizes[shard] = member->size_bytes;
	}
}

static void judge_gaps(struct examination *examination, const struct shards *shards)
{
	char path[80];
	int64_t first = 0;

	while (first < shards->count && shards->sizes[first] >= 0)
		first++;
	(void)snprintf(path, sizeof path, PREFIX ".data-%05" PRId64 "-of-%05" PRId64, first, shards->count);
	violations_add(examination, RULE_CHECKPOINT_SHARDS, path,
		"%" PRId64 " of the %" PRId64
		" shards of the variables %s not in the archive; pack them as well.",
		shards->count - shards->found, shards->count,
		shards->count - shards->found == 1 ? "is" : "are");
}

/* An entry of the index, held against the shard that it points into. */
static bool check_entry(void *context, const struct bundle_entry *entry, struct err *err)
{
	const struct shards *shards = context;
	int64_t size = entry->shard < (uint64_t)shards->count ? shards->sizes[entry->shard] : -1;

	if (size < 0)
		return err_set(err, ERR_INVALID_MODULE,
			"it says that a variable is in shard %" PRIu64 ", which is not there", entry->shard);
	if (entry->offset > (uint64_t)size || entry->bytes > (uint64_t)size - entry->offset)
		return err_set(err, ERR_INVALID_MODULE,
			"it says that a variable of %" PRIu64 " bytes begins at byte %" PRIu64
			" of shard %" PRIu64 ", which has %" PRId64 " bytes",
			entry->bytes, entry->offset, entry->shard, size);
	return true;
}

static void report_index(struct examination *examination, const struct err *why)
{
	violations_add(examination, RULE_CHECKPOINT_INDEX, CHECKPOINT_INDEX,
		"The index of the variables does not fit them: %s. Save the model again, or pack the files "
		"of one "
		"saving together.",
		why->text);
}

/* Every shard that the index or its name tells of, and all that the index says of them. */
static void judge_set(struct examination *examination, struct shards *shards, const struct buffer *index)
{
	int64_t told = 0;
	struct err why;

	if (index && !bundle_read(index, &told, NULL, NULL, &why)) {
		report_index(examination, &why);
		return;
	}
	if (told > 0 && told <= SHARDS_MAX)
		shards->count = told;
	collect(shards, examination);
	if (shards->found < shards->count)
		judge_gaps(examination, shards);
	else if (told > 0 && !bundle_read(index, &told, check_entry, shards, &why))
		report_index(examination, &why);
}

static bool restores(const struct examination *examination)
{
	return examination->saved_model && examination->saved_model->restores_variables;
}

void variables_judge(struct examination *examination, const struct buffer *index)
{
	AUTO(finish_shards) struct shards shards = {0};

	/* What is missing may be among those that are not listed. */
	if (examination->members_truncated)
		return;
	for (size_t i = 0; i < examination->member_count; i++)
		note_member(&shards, &examination->members[i]);
	if (shards.has_index && shards.count > 0)
		judge_set(examination, &shards, index);
	else if (shards.has_index)
		violations_add(examination, RULE_CHECKPOINT_SHARDS, CHECKPOINT_INDEX,
			"There is an index of variables, but none of its shards (%s.data-…); pack them as "
			"well.",
			PREFIX);
	else if (shards.has_any)
		violations_add(examination, RULE_CHECKPOINT_INDEX, CHECKPOINT_INDEX,
			"There are shards of variables, but no index of them; pack it as well.");
	else if (restores(examination) && !shards.has_old)
		violations_add(examination, RULE_VARIABLES_MISSING, "variables",
			"The model restores variables when it is loaded, but there are none in the archive; "
			"pack the "
			"folder \"variables\" as well.");
}
