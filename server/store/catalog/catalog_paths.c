/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_paths.h"

#include <ctype.h>
#include <string.h>

#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_rows.h"

/* Most models have some dozens of files: what one request looks through of each archive is bounded. */
#define FILES_LOOKED_AT "4096"

enum statement { KNOWS_VERSION, KNOWS_HANDLE, HAS_FILE, FIND_NEWEST };

static const char *const sql[] = {
	[KNOWS_VERSION] = "SELECT 1 FROM modules m JOIN versions v ON v.module_id = m.id AND v.version = ?2"
			  " WHERE m.handle = ?1",
	[KNOWS_HANDLE] = "SELECT 1 FROM modules m WHERE m.handle = ?1"
			 " AND EXISTS (SELECT 1 FROM versions v WHERE v.module_id = m.id)",
	/* In the order of their key: nothing is sorted. */
	[HAS_FILE] = "SELECT 1 FROM modules m"
		     " JOIN versions v ON v.module_id = m.id AND v.version = ?2"
		     " JOIN artifacts a ON a.version_id = v.id AND a.format IN ('tf-hub', 'tfjs', 'archive')"
		     " JOIN inspections i ON i.blob_id = a.blob_id AND i.format = a.format"
		     " WHERE m.handle = ?1 AND EXISTS (SELECT 1 FROM (SELECT f.path FROM members f"
		     " WHERE f.inspection_id = i.id ORDER BY f.position LIMIT " FILES_LOOKED_AT
		     ") WHERE path = ?3) LIMIT 1",
	[FIND_NEWEST] =
		"SELECT max(iif(" FORMAT_STATE " = 'active' AND b.cached, v.version, 0)),"
		" max(iif(" FORMAT_STATE " = 'active' AND (b.id IS NOT NULL OR v.source <> 'published'), "
		"v.version, 0)),"
		" max(v.source = 'published') FROM modules m JOIN versions v ON v.module_id = m.id"
		" LEFT JOIN artifacts a ON a.version_id = v.id AND a.format = ?2"
		" LEFT JOIN holds h ON h.version_id = v.id AND h.format = ?2"
		" LEFT JOIN blobs b ON b.id = a.blob_id WHERE m.handle = ?1"
		" AND (v.source = 'published' OR NOT EXISTS (SELECT 1 FROM modules o"
		" JOIN versions p ON p.module_id = o.id AND p.source = 'published'"
		" WHERE o.handle = ?1))",
};

/* ---- what is known ---- */

/* A path and the ways to read it, within one look at the catalog. */
struct choice {
	struct txn *txn;
	const char *path;
	struct name_reading readings[NAME_READINGS_MAX];
	size_t count;
};

static bool ask(struct txn *txn, const char *statement, const struct value *values, size_t count, bool *yes,
	struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, statement, values, count);

	*yes = rows_next(rows);
	return rows_done(rows, err);
}

static bool knows(const struct choice *choice, const struct name_reading *reading, bool *yes, struct err *err)
{
	const struct value handle = {
		.kind = VALUE_TEXT, .bytes = choice->path, .length = reading->handle_length};

	if (reading->version == 0)
		return ask(choice->txn, sql[KNOWS_HANDLE], &handle, 1, yes, err);
	return ask(choice->txn, sql[KNOWS_VERSION], VALUES(handle, v_int(reading->version)), yes, err);
}

static bool has_file(
	const struct choice *choice, const struct name_reading *reading, bool *yes, struct err *err)
{
	const struct value handle = {
		.kind = VALUE_TEXT, .bytes = choice->path, .length = reading->handle_length};

	return ask(choice->txn, sql[HAS_FILE],
		VALUES(handle, v_int(reading->version), v_text(reading->member)), yes, err);
}

/* ---- which one counts ---- */

/* As a version, or else as the handle of a module: the two ways without a member, which come first. */
static bool find_whole(const struct choice *choice, const struct name_reading **out, struct err *err)
{
	size_t whole = 0;
	bool yes = false;

	while (whole < choice->count && !choice->readings[whole].member)
		whole++;
	for (size_t i = whole; i > 0 && !yes; i--) {
		if (!knows(choice, &choice->readings[i - 1], &yes, err))
			return false;
		if (yes)
			*out = &choice->readings[i - 1];
	}
	return true;
}

/* The numbers that follow the version belong to the file's name only if there is such a file: an upstream may
 * have a module that is called so. */
static bool find_member(const struct choice *choice, const struct name_reading **out, struct err *err)
{
	bool last = true;
	bool yes = false;

	for (size_t i = 0; i < choice->count && !yes; i++) {
		const struct name_reading *reading = &choice->readings[i];

		if (reading->version == 0)
			continue;
		if (reading->member && (!knows(choice, reading, &yes, err) ||
					       (yes && !last && !has_file(choice, reading, &yes, err))))
			return false;
		if (yes)
			*out = reading;
		last = false;
	}
	return true;
}

static bool find_known(
	struct choice *choice, enum path_use use, const struct name_reading **out, struct err *err)
{
	*out = NULL;
	if (use != PATH_MEMBER && !find_whole(choice, out, err))
		return false;
	return *out || use == PATH_WHOLE || find_member(choice, out, err);
}

/* ---- what is not known ---- */

/* "050" can be no version, and names end so. */
static bool ends_in_name_digits(const char *path)
{
	const char *last = strrchr(path, '/');

	return last && last[1] == '0' && isdigit((unsigned char)last[2]) &&
	       strspn(last + 1, "0123456789") == strlen(last + 1);
}

static bool ends_in_digits(const char *path)
{
	const char *last = strrchr(path, '/');

	return last && last[1] && strspn(last + 1, "0123456789") == strlen(last + 1);
}

/* A file's address with the query of an archive is a slip that is worth its own words. */
static bool ends_in_model_json(const char *path)
{
	const char *last = strrchr(path, '/');

	return last && strcmp(last, "/model.json") == 0;
}

static bool is_all_name(const struct choice *choice, enum path_use use)
{
	bool possible = choice->count > 0 && choice->readings[0].version == 0;

	if (!possible || use == PATH_MEMBER)
		return false;
	return ends_in_name_digits(choice->path) ||
	       (use == PATH_WHOLE && !ends_in_digits(choice->path) && !ends_in_model_json(choice->path));
}

bool catalog_read_path(struct catalog *catalog, const char *path, enum path_use use, struct name *name,
	const char **member, struct err *err)
{
	struct choice choice = {.path = path};
	const struct name_reading *known = NULL;
	AUTO_TXN struct txn *txn = NULL;

	choice.count = name_list_readings(path, choice.readings);
	if (catalog && choice.count > 0) {
		if (!db_read(catalog->db, &txn, err))
			return false;
		choice.txn = txn;
		if (!find_known(&choice, use, &known, err))
			return false;
	}
	if (!known && is_all_name(&choice, use))
		known = &choice.readings[0];
	if (!known)
		return name_parse_path(path, name, member, err);
	name_take_reading(name, path, known, member);
	return true;
}

/* ---- without a version ---- */

bool catalog_find_newest(
	struct catalog *catalog, const char *handle, enum format format, struct newest *out, struct err *err)
{
	struct newest newest = {0};
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[FIND_NEWEST], VALUES(v_text(handle), v_text(formats[format].name)));
	if (rows_next(rows))
		newest = (struct newest){rows_int(rows, 0), rows_int(rows, 1), rows_int(rows, 2) != 0};
	if (!rows_done(rows, err))
		return false;
	*out = newest;
	return true;
}

bool catalog_may_be_latest(struct catalog *catalog, const struct name *name, bool *out, struct err *err)
{
	struct artifact artifact;
	bool found;

	if (!catalog_find_artifact(catalog, name, &artifact, &found, err))
		return false;
	*out = !found || artifact.state == STATE_ACTIVE;
	return true;
}
