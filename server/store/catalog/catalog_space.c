/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_space.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/globs.h"
#include "common/mem.h"
#include "server/store/catalog/catalog_audit.h"
#include "server/store/catalog/catalog_notes.h"
#include "server/store/catalog/catalog_rows.h"

enum statement {
	SUM_MIRRORED,
	FIND_EVICTABLE,
	FIND_NAMES,
	NOTE_PINNED,
	ADD_PIN,
	FREE_PINNED,
	DROP_PIN,
	LIST_PINS
};

/* What one transaction looks at, so that others can write between two. */
#define FREED_AT_ONCE "1024"
enum { LOOKED_AT_ONCE = 1024 };

static const char *const sql[] = {
	[SUM_MIRRORED] = "SELECT mirrored_bytes FROM space",
	[FIND_EVICTABLE] = "SELECT id, digest, size_bytes, used_at FROM blobs"
			   " WHERE cached = 1 AND published = 0 AND pinned_by IS NULL"
			   " AND (used_at, id) > (?1, ?2)"
			   " AND NOT EXISTS (SELECT 1 FROM staged_blobs s WHERE s.blob_id = blobs.id) ORDER "
			   "BY used_at, id LIMIT 1",
	[FIND_NAMES] = "SELECT m.handle, v.version FROM artifacts a JOIN versions v ON v.id = a.version_id"
		       " JOIN modules m ON m.id = v.module_id WHERE a.blob_id = ?1",
	[NOTE_PINNED] = "UPDATE blobs SET pinned_by = ?2 WHERE id = ?1",
	[ADD_PIN] = "INSERT INTO pins (pattern, created_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
	[FREE_PINNED] = "UPDATE blobs SET pinned_by = NULL"
			" WHERE id IN (SELECT id FROM blobs WHERE pinned_by = ?1 LIMIT " FREED_AT_ONCE ")",
	[DROP_PIN] = "DELETE FROM pins WHERE pattern = ?1",
	[LIST_PINS] = "SELECT pattern, created_at FROM pins ORDER BY pattern",
};

bool catalog_mirrored_bytes(struct catalog *catalog, int64_t *out_bytes, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	int64_t bytes;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[SUM_MIRRORED], NULL, 0);
	bytes = rows_next(rows) ? rows_int(rows, 0) : 0;
	if (!rows_done(rows, err))
		return false;
	*out_bytes = bytes;
	return true;
}

/* ---- pins ---- */

struct pins {
	struct pin_row *rows;
	size_t count;
};

static void finish_pins(struct pins *pins)
{
	pin_rows_destroy(pins->rows, pins->count);
}

void pin_rows_destroy(struct pin_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(rows[i].pattern);
	free(rows);
}

static bool load_pins(struct txn *txn, struct pins *pins, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_PINS], NULL, 0);
	size_t capacity = 0;

	while (rows_next(rows)) {
		MEM_GROW(pins->rows, pins->count, capacity);
		pins->rows[pins->count++] = (struct pin_row){rows_dup(rows, 0), rows_int(rows, 1)};
	}
	return rows_done(rows, err);
}

/* The pattern that pins a name, or NULL. */
static const char *pattern_for(const struct pins *pins, const struct name *name)
{
	struct name_path path = name_path(name);

	for (size_t i = 0; i < pins->count; i++) {
		if (globs_match(pins->rows[i].pattern, path.text) ||
			globs_match(pins->rows[i].pattern, name->handle))
			return pins->rows[i].pattern;
	}
	return NULL;
}

bool catalog_find_pin(struct catalog *catalog, const struct name *name, char **out_pattern, struct err *err)
{
	AUTO(finish_pins) struct pins pins = {0};
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err) || !load_pins(txn, &pins, err))
		return false;
	*out_pattern = mem_dup(pattern_for(&pins, name));
	return true;
}

/* The pattern that pins one of the names that a blob serves, or NULL. */
static bool find_pin_of_blob(
	struct txn *txn, const struct pins *pins, int64_t blob_id, const char **pattern, struct err *err)
{
	AUTO_ROWS struct rows *rows = NULL;

	*pattern = NULL;
	if (pins->count == 0)
		return true;
	rows = txn_query(txn, sql[FIND_NAMES], VALUES(v_int(blob_id)));
	while (!*pattern && rows_next(rows)) {
		struct name name = {.version = rows_int(rows, 1)};

		(void)snprintf(name.handle, sizeof name.handle, "%s", rows_text(rows, 0));
		*pattern = pattern_for(pins, &name);
	}
	return rows_done(rows, err);
}

static bool audit_pin(struct txn *txn, const char *action, const char *pattern, const char *from,
	int64_t now_s, struct err *err)
{
	return audit_record(txn,
		&(struct audit_row){.at = now_s, .from = from, .action = action, .subject = pattern}, err);
}

bool catalog_pin(struct catalog *catalog, const char *pattern, int64_t now_s, bool *added, struct err *err)
{
	const struct audit_place place = audit_command_line();
	AUTO_TXN struct txn *txn = NULL;

	if (!db_write(catalog->db, &txn, err) ||
		!txn_run(txn, sql[ADD_PIN], VALUES(v_text(pattern), v_int(now_s)), err))
		return false;
	*added = txn_changes(txn) > 0;
	return (!*added || audit_pin(txn, "pin", pattern, place.text, now_s, err)) && txn_commit(txn, err);
}

/* Frees some of what it holds; and where there is no more, takes the pin away: a process that dies between
 * leaves nothing held by a pin that is not there. */
static bool unpin_some(
	struct catalog *catalog, const char *pattern, const char *from, bool *more, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!db_write(catalog->db, &txn, err) ||
		!txn_run(txn, sql[FREE_PINNED], VALUES(v_text(pattern)), err))
		return false;
	*more = txn_changes(txn) > 0;
	if (*more)
		return txn_commit(txn, err);
	if (!txn_run(txn, sql[DROP_PIN], VALUES(v_text(pattern)), err))
		return false;
	if (txn_changes(txn) == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no pin %.200s", pattern);
	return audit_pin(txn, "unpin", pattern, from, clock_now_s(), err) && txn_commit(txn, err);
}

static bool unpin(struct catalog *catalog, const char *pattern, const char *from, struct err *err)
{
	bool more = true;

	while (more) {
		if (!unpin_some(catalog, pattern, from, &more, err))
			return false;
	}
	return true;
}

bool catalog_unpin(struct catalog *catalog, const char *pattern, struct err *err)
{
	return unpin(catalog, pattern, audit_command_line().text, err);
}

/* What it held is let go of before the note counts as taken: who dies between begins anew. */
static bool let_go(
	struct catalog *catalog, const char *pattern, const struct note_taken *note, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	bool news;

	if (!db_read(catalog->db, &txn, err) || !note_is_news(txn, note, &news, err))
		return false;
	txn_end(TAKE(txn));
	return !news || unpin(catalog, pattern, AUDIT_ALL_NODES, err) || err->code == ERR_NOT_FOUND;
}

static bool add_shared_pin(struct txn *txn, const char *pattern, int64_t at_s, struct err *err)
{
	return txn_run(txn, sql[ADD_PIN], VALUES(v_text(pattern), v_int(at_s)), err) &&
	       (txn_changes(txn) == 0 || audit_pin(txn, "pin", pattern, AUDIT_ALL_NODES, at_s, err));
}

bool catalog_take_pin(struct catalog *catalog, const char *pattern, bool pinned, int64_t at_s,
	int64_t revision, struct err *err)
{
	const struct note_taken note = {"pin", pattern, 0, revision};
	AUTO_TXN struct txn *txn = NULL;
	bool news;

	if (!pinned && !let_go(catalog, pattern, &note, err))
		return false;
	if (!db_write(catalog->db, &txn, err) || !note_claim(txn, &note, &news, err))
		return false;
	if (pinned && news && !add_shared_pin(txn, pattern, at_s, err))
		return false;
	return txn_commit(txn, err);
}

bool catalog_list_pins(struct catalog *catalog, struct pin_row **out, size_t *count, struct err *err)
{
	AUTO(finish_pins) struct pins pins = {0};
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err) || !load_pins(txn, &pins, err))
		return false;
	*count = pins.count;
	pins.count = 0;
	*out = TAKE(pins.rows);
	return true;
}

/* ---- eviction ---- */

struct candidate {
	int64_t id; /* 0: there is none */
	struct digest digest;
	int64_t size_bytes;
	int64_t used_at;
};

/* The next one behind a candidate, in the order of use. */
static bool find_next(struct txn *txn, const struct candidate *behind, struct candidate *out, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[FIND_EVICTABLE], VALUES(v_int(behind->used_at), v_int(behind->id)));
	struct candidate next = {0};

	if (rows_next(rows)) {
		next.id = rows_int(rows, 0);
		next.digest = rows_digest(rows, 1);
		next.size_bytes = rows_int(rows, 2);
		next.used_at = rows_int(rows, 3);
	}
	if (!rows_done(rows, err))
		return false;
	*out = next;
	return true;
}

/* Asks for one blob, and takes its claim away where it was granted. */
static bool evict_one(struct txn *txn, const struct candidate *candidate, struct eviction *eviction,
	bool (*take)(void *context, const struct digest *digest, int64_t size_bytes), void *context,
	struct err *err)
{
	if (!take(context, &candidate->digest, candidate->size_bytes)) {
		eviction->withheld_bytes += candidate->size_bytes;
		return true;
	}
	eviction->bytes += candidate->size_bytes;
	eviction->count++;
	return eviction->dry_run || blob_set_cached(txn, candidate->id, false, err);
}

/* What is pinned is noted so, and not found again. */
static bool look_at(struct txn *txn, const struct pins *pins, const struct candidate *candidate,
	struct eviction *eviction,
	bool (*take)(void *context, const struct digest *digest, int64_t size_bytes), void *context,
	struct err *err)
{
	const char *pattern;

	eviction->looked++;
	eviction->behind.used_at = candidate->used_at;
	eviction->behind.id = candidate->id;
	if (!find_pin_of_blob(txn, pins, candidate->id, &pattern, err))
		return false;
	if (!pattern)
		return evict_one(txn, candidate, eviction, take, context, err);
	return eviction->dry_run ||
	       txn_run(txn, sql[NOTE_PINNED], VALUES(v_int(candidate->id), v_text(pattern)), err);
}

static bool is_enough(const struct eviction *eviction, size_t looked_before)
{
	return eviction->over || eviction->bytes >= eviction->wanted_bytes ||
	       eviction->count >= eviction->max_blobs ||
	       (!eviction->dry_run && eviction->looked - looked_before >= LOOKED_AT_ONCE);
}

void catalog_audit_evictions(struct catalog *catalog)
{
	catalog->audits_evictions = true;
}

/* What somebody has ordered: one row for all that goes at once. */
static bool audit_collection(struct catalog *catalog, struct txn *txn, const struct eviction *before,
	const struct eviction *now, struct err *err)
{
	const struct audit_place place = audit_command_line();
	char detail[96];

	if (!catalog->audits_evictions || now->count == before->count)
		return true;
	(void)snprintf(detail, sizeof detail, "%zu mirrored blobs, %" PRId64 " bytes",
		now->count - before->count, now->bytes - before->bytes);
	return audit_record(txn,
		&(struct audit_row){.at = clock_now_s(),
			.from = place.text,
			.action = "gc",
			.subject = "mirrored",
			.detail = detail},
		err);
}

bool catalog_evict(struct catalog *catalog, struct eviction *eviction,
	bool (*take)(void *context, const struct digest *digest, int64_t size_bytes), void *context,
	struct err *err)
{
	AUTO(finish_pins) struct pins pins = {0};
	AUTO_TXN struct txn *txn = NULL;
	struct candidate candidate = {.used_at = eviction->behind.used_at, .id = eviction->behind.id};
	const struct eviction before = *eviction;

	if (!(eviction->dry_run ? db_read : db_write)(catalog->db, &txn, err) || !load_pins(txn, &pins, err))
		return false;
	while (!is_enough(eviction, before.looked)) {
		if (!find_next(txn, &candidate, &candidate, err))
			return false;
		eviction->over = candidate.id == 0;
		if (!eviction->over && !look_at(txn, &pins, &candidate, eviction, take, context, err))
			return false;
	}
	return eviction->dry_run ||
	       (audit_collection(catalog, txn, &before, eviction, err) && txn_commit(txn, err));
}
