/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_resemblance.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "server/store/catalog/catalog_rows.h"

/* What is longer is only looked for as it looks: it has too many neighbours. A word of fewer letters has none
 * that would be taken for it. */
enum { NEIGHBOURS_LENGTH_MAX = 128, WORD_MIN = 4 };

enum statement {
	FIND_OWNER,
	IS_OF_UPSTREAM,
	HANDLE_LIKE,
	PUBLISHER_LIKE,
	PUBLISHER_KNOWN,
	FIND_UNLOOKED,
	LOOK_AT_MODULES,
	LOOK_AT_PUBLISHERS,
	NOTE_LOOKED
};

/* As the triggers of schema/034_resemblance.sql have it. */
#define LOOK_OF(name) \
	"replace(replace(replace(replace(replace(replace(replace(lower(" name ")," \
	" '_', '-'), '.', '-'), '0', 'o'), '1', 'l'), 'i', 'l'), 'rn', 'm'), 'vv', 'w')"

static const char *const sql[] = {
	[FIND_OWNER] =
		"SELECT EXISTS (SELECT 1 FROM versions v WHERE v.module_id = m.id),"
		" EXISTS (SELECT 1 FROM versions v WHERE v.module_id = m.id AND v.source = 'published')"
		" FROM modules m WHERE m.handle = ?1",
	[IS_OF_UPSTREAM] = "SELECT 1 FROM modules m CROSS JOIN versions v ON v.module_id = m.id WHERE m.id IN"
			   " (SELECT x.id FROM publishers p CROSS JOIN modules x ON x.publisher_id = p.id"
			   "  WHERE p.name = ?1 LIMIT 1000)"
			   " AND v.source <> 'published' LIMIT 1",
	[HANDLE_LIKE] = "SELECT name FROM looks WHERE look = ?1 AND name <> ?2 AND instr(name, '/') > 0"
			" ORDER BY name LIMIT ?3",
	[PUBLISHER_LIKE] = "SELECT name FROM looks WHERE look = ?1 AND name <> ?2 AND instr(name, '/') = 0"
			   " ORDER BY name LIMIT ?3",
	[PUBLISHER_KNOWN] = "SELECT 1 FROM publishers WHERE name = ?1",
	[FIND_UNLOOKED] = "SELECT up_to FROM unlooked WHERE kind = ?1",
	[LOOK_AT_MODULES] = "INSERT OR IGNORE INTO looks (name, look) SELECT handle, " LOOK_OF(
		"handle") " FROM modules WHERE id > ?1 AND id <= ?2",
	[LOOK_AT_PUBLISHERS] = "INSERT OR IGNORE INTO looks (name, look) SELECT name, " LOOK_OF(
		"name") " FROM publishers WHERE id > ?1 AND id <= ?2",
	[NOTE_LOOKED] = "UPDATE unlooked SET up_to = ?2 WHERE kind = ?1",
};

bool catalog_find_owner(struct catalog *catalog, const char *handle, enum handle_owner *out, struct err *err)
{
	enum handle_owner owner = OWNER_UNKNOWN;
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_OWNER], VALUES(v_text(handle)));
	if (rows_next(rows) && rows_int(rows, 0))
		owner = rows_int(rows, 1) ? OWNER_SITE : OWNER_UPSTREAM;
	if (!rows_done(rows, err))
		return false;
	*out = owner;
	return true;
}

static bool ask_whether(
	struct txn *txn, enum statement statement, const char *name, bool *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[statement], VALUES(v_text(name)));

	*out = rows_next(rows) && rows_int(rows, 0);
	return rows_done(rows, err);
}

bool catalog_is_of_upstream(struct catalog *catalog, const char *publisher, bool *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	return db_read(catalog->db, &txn, err) && ask_whether(txn, IS_OF_UPSTREAM, publisher, out, err);
}

/* ---- what it looks like ---- */

static char letter_of(char c)
{
	static const char seen[] = "_.01i", shown[] = "--oll";
	const char *found = c ? strchr(seen, c) : NULL;

	return found ? shown[found - seen] : c;
}

static void merge(char *text, char twice, char again, char into)
{
	char *out = text;

	for (const char *at = text; *at; at++) {
		bool both = at[0] == twice && at[1] == again;

		*out++ = both ? into : *at;
		at += both;
	}
	*out = '\0';
}

struct look look_of(const char *name)
{
	struct look look;

	(void)snprintf(look.text, sizeof look.text, "%s", name);
	for (char *c = look.text; *c; c++)
		*c = letter_of((char)tolower((unsigned char)*c));
	merge(look.text, 'r', 'n', 'm');
	merge(look.text, 'v', 'v', 'w');
	return look;
}

/* ---- who looks like it ---- */

struct seeing {
	struct txn *txn;
	enum statement statement; /* HANDLE_LIKE, PUBLISHER_LIKE */
	const char *name;
	struct look look;
	struct lookalikes *found;
	struct err *err;
};

static bool has_enough(const struct seeing *seeing)
{
	return seeing->found->count == LOOKALIKES_MAX;
}

static bool is_noted(const struct lookalikes *found, const char *name)
{
	for (size_t i = 0; i < found->count; i++) {
		if (strcmp(found->names[i], name) == 0)
			return true;
	}
	return false;
}

/* A letter more or less may have made one of two that look like one. */
static bool see(const struct seeing *seeing, const char *other)
{
	struct lookalikes *found = seeing->found;
	struct look look = look_of(other);

	if (has_enough(seeing))
		return true;
	AUTO_ROWS struct rows *rows = txn_query(seeing->txn, sql[seeing->statement],
		VALUES(v_text(look.text), v_text(seeing->name), v_int(LOOKALIKES_MAX)));
	while (!has_enough(seeing) && rows_next(rows)) {
		if (!is_noted(found, rows_text(rows, 0)))
			(void)snprintf(found->names[found->count++], sizeof found->names[0], "%s",
				rows_text(rows, 0));
	}
	return rows_done(rows, seeing->err);
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || c == '-';
}

/* The length of the word around a place, which its separators and slashes end. */
static size_t word_length(const char *text, size_t at)
{
	size_t begin = at;

	while (begin > 0 && !strchr("/-", text[begin - 1]))
		begin--;
	return at - begin + strcspn(text + at, "/-");
}

static bool see_without(const struct seeing *seeing, size_t at)
{
	struct look other = seeing->look;

	memmove(other.text + at, other.text + at + 1, strlen(other.text + at));
	return see(seeing, other.text);
}

static bool see_exchanged(const struct seeing *seeing, size_t at)
{
	struct look other = seeing->look;
	char next = other.text[at + 1];

	if (!is_letter(next) || next == other.text[at])
		return true;
	other.text[at + 1] = other.text[at];
	other.text[at] = next;
	return see(seeing, other.text);
}

static const char letters[] = "abcdefghjklmnopqrstuvwxyz-";

static bool see_others(const struct seeing *seeing, size_t at)
{
	struct look other = seeing->look;
	bool seen = true;

	for (const char *c = letters; *c && seen; c++) {
		other.text[at] = *c;
		seen = *c == seeing->look.text[at] || see(seeing, other.text);
	}
	return seen;
}

static bool see_with_more(const struct seeing *seeing, size_t at)
{
	struct look other = seeing->look;
	bool seen = true;

	memmove(other.text + at + 1, other.text + at, strlen(other.text + at) + 1);
	for (const char *c = letters; *c && seen; c++) {
		other.text[at] = *c;
		seen = see(seeing, other.text);
	}
	return seen;
}

static bool see_at(const struct seeing *seeing, size_t at)
{
	const char *text = seeing->look.text;

	if (word_length(text, at) >= WORD_MIN && !see_with_more(seeing, at))
		return false;
	if (!is_letter(text[at]))
		return true;
	if (text[at] == '-')
		return see_without(seeing, at);
	return word_length(text, at) < WORD_MIN ||
	       (see_without(seeing, at) && see_others(seeing, at) && see_exchanged(seeing, at));
}

static bool see_all(const struct seeing *seeing)
{
	size_t length = strlen(seeing->look.text);

	if (!see(seeing, seeing->look.text))
		return false;
	for (size_t at = 0; at <= length && length < NEIGHBOURS_LENGTH_MAX; at++) {
		if (!see_at(seeing, at))
			return false;
	}
	return true;
}

static bool see_publishers(struct txn *txn, const char *handle, struct lookalikes *found, struct err *err)
{
	struct publisher_name publisher = name_publisher(handle);
	const struct seeing seeing = {
		txn, PUBLISHER_LIKE, publisher.text, look_of(publisher.text), found, err};
	bool known;

	if (!ask_whether(txn, PUBLISHER_KNOWN, publisher.text, &known, err))
		return false;
	return known || see_all(&seeing);
}

bool catalog_find_lookalikes(
	struct catalog *catalog, const char *handle, struct lookalikes *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	out->count = 0;
	if (!db_read(catalog->db, &txn, err))
		return false;
	const struct seeing seeing = {txn, HANDLE_LIKE, handle, look_of(handle), out, err};

	return see_all(&seeing) && see_publishers(txn, handle, out, err);
}

/* ---- those that were here before ---- */

static bool look_at_some(struct txn *txn, const char *kind, enum statement statement, int64_t count,
	bool *more, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_UNLOOKED], VALUES(v_text(kind)));
	int64_t up_to = rows_next(rows) ? rows_int(rows, 0) : 0;
	int64_t from = up_to > count ? up_to - count : 0;

	if (!rows_done(rows, err))
		return false;
	*more |= from > 0;
	return up_to == 0 || (txn_run(txn, sql[statement], VALUES(v_int(from), v_int(up_to)), err) &&
				     txn_run(txn, sql[NOTE_LOOKED], VALUES(v_text(kind), v_int(from)), err));
}

bool catalog_look_at_old(struct catalog *catalog, int64_t count, bool *more, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	*more = false;
	return db_write(catalog->db, &txn, err) &&
	       look_at_some(txn, "modules", LOOK_AT_MODULES, count, more, err) &&
	       look_at_some(txn, "publishers", LOOK_AT_PUBLISHERS, count, more, err) && txn_commit(txn, err);
}
