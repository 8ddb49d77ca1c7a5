/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/safety/scan.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/module/safety/filekind.h"
#include "server/module/safety/leaks.h"
#include "server/module/safety/npyhead.h"
#include "server/module/safety/pairs.h"
#include "server/module/safety/pickles.h"
#include "server/module/safety/safety_rules.h"
#include "server/module/safety/zipwalk.h"

/* A zip in a zip is not looked into. */
enum { DEPTH_MAX = 1 };

/* Of a module that is looked for in a file of any name. */
enum { MODULE_NAME_MAX = 128 };

struct scan {
	struct safety_findings *findings;
	char *where;
	char *name;
	unsigned depth;
	bool is_decided;
	size_t head_length;
	uint8_t head[FILEKIND_HEAD_BYTES];
	uint64_t before_pickle; /* bytes that pass before a pickle begins */
	struct pickles *pickles;
	struct zipwalk *zip;
	struct scan *inner; /* of the zip's file that passes */
	struct pairs *pairs;
	struct leaks *leaks;
};

static struct scan *create(
	struct safety_findings *findings, const char *where, const char *name, unsigned depth)
{
	struct scan *scan = mem_zero(1, sizeof *scan);

	scan->findings = findings;
	scan->where = mem_dup(where);
	scan->name = mem_dup(name);
	scan->depth = depth;
	return scan;
}

struct scan *scan_create(struct safety_findings *findings, const char *path)
{
	return create(findings, path, path, 0);
}

void scan_destroy(struct scan *scan)
{
	if (!scan)
		return;
	pickles_destroy(scan->pickles);
	zipwalk_destroy(scan->zip);
	scan_destroy(scan->inner);
	free(scan->pairs);
	free(scan->leaks);
	free(scan->where);
	free(scan->name);
	free(scan);
}

/* ---- files of a zip ---- */

static void begin_inner(void *context, const char *name)
{
	struct scan *scan = context;
	AUTO_FREE char *where = mem_printf("%s: %s", scan->where, name);

	scan_destroy(scan->inner);
	scan->inner = create(scan->findings, where, name, scan->depth + 1);
}

static void feed_inner(void *context, const uint8_t *data, size_t length)
{
	struct scan *scan = context;

	if (scan->inner)
		(void)scan_feed(scan->inner, data, length);
}

static void end_inner(void *context)
{
	struct scan *scan = context;

	if (scan->inner)
		scan_end(scan->inner);
	scan_destroy(TAKE(scan->inner));
}

/* ---- what it may be ---- */

static bool is_pickle_name(const char *name)
{
	return filekind_has_suffix(name, ".pkl .pickle .joblib .dill");
}

/* Whether it has the name of a module and of what that has, as pickles of protocol 0 and 1 import them. */
static bool names_an_import(const uint8_t *head, size_t length)
{
	AUTO_FREE char *text = mem_dup_n((const char *)head, length);

	for (const char *at = strpbrk(text, "ci"); at; at = strpbrk(at + 1, "ci")) {
		size_t module = strcspn(at, "\n");
		AUTO_FREE char *name = NULL;
		AUTO_FREE char *of = NULL;

		if (!at[module] || module < 2 || module > MODULE_NAME_MAX)
			continue;
		of = mem_dup_n(at + 1, module - 1);
		name = mem_dup_n(at + module + 1, strcspn(at + module + 1, "\n"));
		if (safety_import_judge(of, name) == SAFETY_DENIED)
			return true;
	}
	return false;
}

static bool has_protocol(const struct scan *scan)
{
	return scan->head_length >= 2 && scan->head[0] == 0x80 && scan->head[1] <= 5;
}

static enum pickles_belief belief_in(const struct scan *scan)
{
	if (is_pickle_name(scan->name))
		return PICKLES_CERTAIN;
	return has_protocol(scan) ? PICKLES_LIKELY : PICKLES_GUESSED;
}

/* Where only some are pickles, or have pickles in them. */
static bool may_be_pickle(const struct scan *scan)
{
	return filekind_has_suffix(scan->name, ".pt .pth .bin .ckpt .dat .data .p .model .mar .th .params") ||
	       has_protocol(scan) || names_an_import(scan->head, scan->head_length);
}

/* An array of objects is a pickle behind the head. */
static void begin_npy(struct scan *scan)
{
	size_t begin = npyhead_end(scan->head, scan->head_length);
	bool is_whole = begin <= scan->head_length;

	if (is_whole && npyhead_is_of_numbers(scan->head, begin))
		return;
	scan->before_pickle = begin;
	scan->pickles = pickles_create(scan->findings, scan->where,
		is_whole && npyhead_may_be_of_objects(scan->head, begin) ? PICKLES_CERTAIN : PICKLES_LIKELY);
}

static bool may_have_layers(const struct scan *scan)
{
	return filekind_has_suffix(scan->name, ".pb .pbtxt .json .h5 .hdf5 .keras") ||
	       (scan->head_length >= 8 && memcmp(scan->head, "\x89HDF\r\n\x1a\n", 8) == 0);
}

static void begin_pairs(struct scan *scan)
{
	const char *slash = strrchr(scan->name, '/');

	scan->pairs = mem_zero(1, sizeof *scan->pairs);
	scan->pairs->is_tfjs = strcmp(slash ? slash + 1 : scan->name, "model.json") == 0;
}

/* Graphs are read by whoever has the archive, who does not see what is in its zips. */
static bool is_graph_in_zip(const struct scan *scan)
{
	const char *slash = strrchr(scan->name, '/');
	const char *name = slash ? slash + 1 : scan->name;

	return scan->depth > 0 &&
	       (strcasecmp(name, "saved_model.pb") == 0 || strcasecmp(name, "saved_model.pbtxt") == 0);
}

static void decide(struct scan *scan)
{
	static const struct zip_listener inner = {begin_inner, feed_inner, end_inner, NULL};
	struct zip_listener listener = inner;

	scan->is_decided = true;
	filekind_judge(scan->findings, scan->where, scan->name, scan->head, scan->head_length);
	listener.context = scan;
	if (filekind_is_zip(scan->head, scan->head_length)) {
		if (scan->depth < DEPTH_MAX)
			scan->zip = zipwalk_create(&listener, &scan->findings->unzipped);
		else
			safety_findings_add(scan->findings, SAFETY_ZIP_UNREAD, scan->where,
				"a zip in a zip, which is not looked into");
	} else if (npyhead_end(scan->head, scan->head_length) > 0) {
		begin_npy(scan);
	} else if (is_pickle_name(scan->name) || may_be_pickle(scan)) {
		scan->pickles = pickles_create(scan->findings, scan->where, belief_in(scan));
	}
	if (filekind_has_suffix(scan->name, ".keras .npz .zip") &&
		!filekind_is_zip(scan->head, scan->head_length))
		safety_findings_add(scan->findings, SAFETY_ZIP_UNREAD, scan->where,
			"a zip by its name, which does not begin as one");
	if (is_graph_in_zip(scan))
		safety_findings_add(scan->findings, SAFETY_OP_HIDDEN_GRAPH, scan->where,
			"a SavedModel in a zip, which is not looked into");
	if (may_have_layers(scan))
		begin_pairs(scan);
	if (filekind_is_text(scan->head, scan->head_length))
		scan->leaks = mem_zero(1, sizeof *scan->leaks);
}

/* ---- bytes ---- */

static void feed_pickles(struct scan *scan, const uint8_t *data, size_t length)
{
	size_t skipped = length < scan->before_pickle ? length : (size_t)scan->before_pickle;

	scan->before_pickle -= skipped;
	if (skipped == length || pickles_feed(scan->pickles, data + skipped, length - skipped))
		return;
	pickles_end(scan->pickles);
	pickles_destroy(TAKE(scan->pickles));
}

static void end_zip(struct scan *scan)
{
	if (!zipwalk_is_whole(scan->zip))
		safety_findings_add(scan->findings, SAFETY_ZIP_UNREAD, scan->where,
			"a zip that could not be gone through");
	zipwalk_destroy(TAKE(scan->zip));
}

static void pass(struct scan *scan, const uint8_t *data, size_t length)
{
	if (scan->zip)
		scan->findings->unzipped.packed += (int64_t)length;
	if (scan->zip && !zipwalk_feed(scan->zip, data, length))
		end_zip(scan);
	if (scan->pickles)
		feed_pickles(scan, data, length);
	if (scan->pairs)
		pairs_feed(scan->pairs, scan->findings, scan->where, data, length);
	if (scan->leaks)
		leaks_feed(scan->leaks, scan->findings, scan->where, data, length);
}

static bool wants_more(const struct scan *scan)
{
	return !scan->is_decided || scan->zip || scan->pickles || scan->pairs || scan->leaks;
}

bool scan_feed(struct scan *scan, const uint8_t *data, size_t length)
{
	size_t room = FILEKIND_HEAD_BYTES - scan->head_length;
	size_t taken = scan->is_decided ? 0 : length < room ? length : room;

	if (taken > 0) {
		memcpy(scan->head + scan->head_length, data, taken);
		scan->head_length += taken;
	}
	if (!scan->is_decided && scan->head_length == FILEKIND_HEAD_BYTES) {
		decide(scan);
		pass(scan, scan->head, scan->head_length);
	}
	if (scan->is_decided && length > taken)
		pass(scan, data + taken, length - taken);
	return wants_more(scan);
}

void scan_end(struct scan *scan)
{
	if (!scan->is_decided) {
		decide(scan);
		pass(scan, scan->head, scan->head_length);
	}
	if (scan->zip)
		end_zip(scan);
	if (scan->pickles)
		pickles_end(scan->pickles);
	if (scan->leaks)
		leaks_end(scan->leaks, scan->findings, scan->where);
}
