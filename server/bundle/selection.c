/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/selection.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/globs.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/utf8.h"

static void finish_items(struct selected *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(items[i].text);
	free(items);
}

void selection_finish(struct selection *selection)
{
	finish_items(selection->items, selection->count);
	finish_items(selection->patterns, selection->pattern_count);
	*selection = (struct selection){0};
}

/* ---- what is wanted ---- */

static bool is_pattern(const char *text)
{
	return strpbrk(text, "*?[");
}

bool selection_add(struct selection *selection, const struct selected *selected, struct err *err)
{
	if (selection->count == SELECTION_WISHES_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d modules are named: use patterns",
			SELECTION_WISHES_MAX);
	MEM_GROW(selection->items, selection->count, selection->capacity);
	selection->items[selection->count] = *selected;
	selection->items[selection->count++].text = mem_dup(selected->text);
	return true;
}

static bool add_pattern(struct selection *selection, const struct selected *selected, struct err *err)
{
	if (selection->pattern_count == SELECTION_PATTERNS_MAX)
		return err_set(err, ERR_TOO_LARGE, "there are more than %d patterns", SELECTION_PATTERNS_MAX);
	MEM_GROW(selection->patterns, selection->pattern_count, selection->pattern_capacity);
	selection->patterns[selection->pattern_count] = *selected;
	selection->patterns[selection->pattern_count].is_pattern = true;
	selection->patterns[selection->pattern_count++].text = mem_dup(selected->text);
	return true;
}

static bool read_format(const char *query, struct selected *out)
{
	for (int i = 0; i < FORMAT_COUNT; i++) {
		size_t length = strlen(formats[i].query_key);

		if (strncmp(query, formats[i].query_key, length) == 0 && query[length] == '=' &&
			strcmp(query + length + 1, formats[i].query_value) == 0) {
			out->has_format = true;
			out->format = (enum format)i;
			return true;
		}
	}
	return false;
}

/* Code has URLs, and hosts in front of them that stand in for others. */
static const char *path_of(const char *text)
{
	static const char *const schemes[] = {"https://", "http://"};

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		size_t length = strlen(schemes[i]);
		const char *slash =
			strncmp(text, schemes[i], length) == 0 ? strchr(text + length, '/') : NULL;

		if (slash)
			return path_of(slash + strspn(slash, "/"));
	}
	return text + strspn(text, "/");
}

/* Whether a module may have that name; the words say what is wrong with it. */
static bool check_name(const char *path, struct err *err)
{
	struct name name;
	const char *member;
	struct err why;

	if (!name_parse_path(path, &name, &member, &why))
		return err_set(err, ERR_BAD_REQUEST, "\"%.200s\" names no module: %s", path, why.text);
	if (!strchr(path, '/'))
		return err_set(err, ERR_BAD_REQUEST,
			"\"%.200s\" names no module: '%.200s/*' means all of that publisher", path, path);
	return !member || err_set(err, ERR_BAD_REQUEST,
				  "\"%.200s\" names a file of a module: a bundle has modules", path);
}

/* A question mark belongs to a pattern, unless "name=value" is behind it: no handle has an equals sign. */
bool selection_add_path(struct selection *selection, const char *path, struct err *err)
{
	AUTO_FREE char *text = mem_dup(path_of(path));
	char *query = strrchr(text, '?');
	struct selected selected = {.text = text, .gap = GAP_UNKNOWN};

	if (query && strchr(query, '=')) {
		*query = '\0';
		if (!read_format(query + 1, &selected))
			return err_set(err, ERR_BAD_REQUEST,
				"\"%.100s\" names no format: " FORMATS_IN_QUERIES " do", query + 1);
	}
	if (!*text || !utf8_is_text(text, strlen(text)) || strpbrk(text, " ,\t\r\n"))
		return err_set(err, ERR_BAD_REQUEST, "\"%.100s\" names no module", path);
	if (is_pattern(text))
		return add_pattern(selection, &selected, err);
	return check_name(text, err) && selection_add(selection, &selected, err);
}

static int compare(const void *left, const void *right)
{
	const struct selected *a = left;
	const struct selected *b = right;

	return strcmp(a->text, b->text);
}

void selection_seal(struct selection *selection)
{
	if (selection->count > 0)
		qsort(selection->items, selection->count, sizeof *selection->items, compare);
}

/* ---- a version ---- */

/* The first wish with this text; NULL without one. Those with the same text are behind it. */
static struct selected *find(const struct selection *selection, const char *text)
{
	size_t low = 0;
	size_t high = selection->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(selection->items[middle].text, text) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < selection->count && strcmp(selection->items[low].text, text) == 0
		       ? &selection->items[low]
		       : NULL;
}

/* The wishes that mean a version, one after the other. */
struct meaning {
	const struct selection *selection;
	const char *handle;
	char *path;
	struct selected *next; /* of those that are in order */
	bool by_handle;
	size_t pattern;
};

static struct selected *next_by_text(struct meaning *meaning)
{
	const struct selection *selection = meaning->selection;
	struct selected *found = meaning->next;

	if (!found)
		return NULL;
	meaning->next =
		found + 1 < selection->items + selection->count && strcmp(found[1].text, found->text) == 0
			? found + 1
			: NULL;
	return found;
}

static struct selected *next_meaning(struct meaning *meaning)
{
	const struct selection *selection = meaning->selection;
	struct selected *found = next_by_text(meaning);

	if (!found && !meaning->by_handle) {
		meaning->by_handle = true;
		meaning->next = find(selection, meaning->handle);
		found = next_by_text(meaning);
	}
	while (!found && meaning->pattern < selection->pattern_count) {
		struct selected *pattern = &selection->patterns[meaning->pattern++];

		if (globs_match(pattern->text, meaning->handle) || globs_match(pattern->text, meaning->path))
			found = pattern;
	}
	return found;
}

static struct meaning begin_meaning(
	const struct selection *selection, const char *handle, int64_t version, char *path)
{
	return (struct meaning){
		.selection = selection, .handle = handle, .path = path, .next = find(selection, path)};
}

static bool selects_all(const struct selection *selection)
{
	return selection->count == 0 && selection->pattern_count == 0;
}

bool selection_means(const struct selection *selection, const char *handle, int64_t version)
{
	AUTO_FREE char *path = mem_printf("%s/%" PRId64, handle, version);
	struct meaning meaning = begin_meaning(selection, handle, version, path);

	return selects_all(selection) || next_meaning(&meaning);
}

static void note_gap(struct selected *wish, enum wish_gap gap)
{
	if (wish->gap == GAP_UNKNOWN || wish->gap == GAP_ABSENT)
		wish->gap = gap;
}

static bool take_artifact(
	struct selected *wish, const struct artifact *artifact, bool out_formats[FORMAT_COUNT])
{
	if (wish->has_format && wish->format != artifact->name.format)
		return false;
	if (wish->has_digest && !digest_equal(&wish->digest, &artifact->checksums.sha256)) {
		note_gap(wish, GAP_DIFFERENT);
		return false;
	}
	if (!artifact->cached || artifact->state == STATE_QUARANTINED)
		return false;
	out_formats[artifact->name.format] = true;
	wish->gap = GAP_NONE;
	return true;
}

/* What one wish takes of a version; whether it goes for its sake. */
static bool judge_wish(const struct selection *selection, struct selected *wish,
	const struct version_details *details, bool is_documented, bool out_formats[FORMAT_COUNT])
{
	bool is_withdrawn = details->state == STATE_WITHDRAWN;
	bool speaks = is_documented || is_withdrawn;
	bool takes = false;

	if (is_withdrawn || selection->words_only) {
		note_gap(wish, is_withdrawn && wish->has_format ? GAP_WITHDRAWN
			       : speaks                         ? GAP_NONE
								: GAP_ABSENT);
		return speaks;
	}
	for (size_t i = 0; i < details->artifact_count; i++)
		takes = take_artifact(wish, &details->artifacts[i].artifact, out_formats) || takes;
	note_gap(wish, wish->is_pattern && !wish->has_format && speaks ? GAP_NONE : GAP_ABSENT);
	return takes || (!wish->has_format && speaks);
}

static bool has_any(const bool formats_taken[FORMAT_COUNT])
{
	for (int i = 0; i < FORMAT_COUNT; i++) {
		if (formats_taken[i])
			return true;
	}
	return false;
}

void selection_judge(struct selection *selection, const struct version_details *details, bool is_documented,
	bool out_formats[FORMAT_COUNT], bool *out_taken)
{
	AUTO_FREE char *path = mem_printf("%s/%" PRId64, details->name.handle, details->name.version);
	struct meaning meaning = begin_meaning(selection, details->name.handle, details->name.version, path);
	struct selected everything = {.gap = GAP_UNKNOWN};
	struct selected *wish;

	memset(out_formats, 0, FORMAT_COUNT * sizeof *out_formats);
	*out_taken = selects_all(selection) &&
		     judge_wish(selection, &everything, details, is_documented, out_formats);
	while ((wish = next_meaning(&meaning))) {
		if (judge_wish(selection, wish, details, is_documented, out_formats))
			*out_taken = true;
	}
	*out_taken = *out_taken || has_any(out_formats);
}

/* ---- what is lacking ---- */

const struct selected *selection_next_gap(const struct selection *selection, size_t *position)
{
	while (*position < selection->count + selection->pattern_count) {
		size_t at = (*position)++;
		const struct selected *wish = at < selection->count
						      ? &selection->items[at]
						      : &selection->patterns[at - selection->count];

		if (wish->gap != GAP_NONE && !wish->may_lack)
			return wish;
	}
	return NULL;
}

const char *selection_gap_name(enum wish_gap gap)
{
	static const char *const names[] = {[GAP_NONE] = "same",
		[GAP_UNKNOWN] = "not-known",
		[GAP_ABSENT] = "not-cached",
		[GAP_WITHDRAWN] = "withdrawn",
		[GAP_DIFFERENT] = "different"};

	return names[gap];
}

void selection_tell(const struct selected *selected, struct err *out)
{
	static const char *const words[] = {
		[GAP_NONE] = "is here",
		[GAP_UNKNOWN] = "is not known here: \"larder prefetch\" has it fetched",
		[GAP_ABSENT] = "is known, but its bytes are not here: \"larder prefetch\" has them fetched",
		[GAP_WITHDRAWN] = "was withdrawn",
		[GAP_DIFFERENT] = "is here with other bytes than are asked for",
	};
	bool matches_nothing = is_pattern(selected->text) && selected->gap == GAP_UNKNOWN;

	(void)err_set(out, selected->gap == GAP_DIFFERENT ? ERR_CONFLICT : ERR_NOT_FOUND, "%.300s%s%s%s %s",
		selected->text, selected->has_format ? " (" : "",
		selected->has_format ? formats[selected->format].name : "", selected->has_format ? ")" : "",
		matches_nothing ? "matches nothing that is here" : words[selected->gap]);
}
