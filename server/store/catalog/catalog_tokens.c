/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_tokens.h"

#include "common/mem.h"
#include "server/store/catalog/catalog_audit.h"
#include "server/store/catalog/catalog_notes.h"
#include "server/store/catalog/catalog_rows.h"

enum statement {
	ADD_TOKEN,
	LIST_TOKENS,
	FIND_VALID_TOKEN,
	REVOKE_TOKEN,
	TAKE_TOKEN,
	REVOKE_OTHERS,
	NOTE_USE
};

static const char *const sql[] = {
	[ADD_TOKEN] =
		"INSERT INTO tokens (name, hash, scopes, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)",
	[LIST_TOKENS] = "SELECT t.name, t.scopes, t.created_at, t.expires_at, t.revoked_at, t.hash, t.id,"
			" coalesce(u.at, 0), coalesce(u.origin, '') FROM tokens t"
			" LEFT JOIN token_uses u ON u.token_id = t.id ORDER BY t.created_at DESC, t.id DESC",
	[FIND_VALID_TOKEN] = "SELECT id FROM tokens WHERE name = ?1 AND revoked_at = 0"
			     " AND (expires_at = 0 OR expires_at > ?2)",
	[REVOKE_TOKEN] = "UPDATE tokens SET revoked_at = ?2 WHERE name = ?1 AND revoked_at = 0"
			 " AND (expires_at = 0 OR expires_at > ?2)",
	[TAKE_TOKEN] = "INSERT INTO tokens (name, hash, scopes, created_at, expires_at, revoked_at, shared)"
		       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1) ON CONFLICT (hash) DO UPDATE SET"
		       " scopes = excluded.scopes, expires_at = excluded.expires_at,"
		       " revoked_at = max(revoked_at, excluded.revoked_at), shared = 1",
	[REVOKE_OTHERS] = "UPDATE tokens SET revoked_at = ?3 WHERE name = ?1 AND hash <> ?2 AND shared = 1"
			  " AND revoked_at = 0",
	[NOTE_USE] =
		"INSERT INTO token_uses (token_id, at, origin) SELECT id, ?2, ?3 FROM tokens WHERE id = ?1"
		" ON CONFLICT (token_id) DO UPDATE SET at = excluded.at, origin = excluded.origin"
		" WHERE excluded.at > at",
};

/* The id of the valid token of that name; 0 where there is none. */
static bool find_valid(struct txn *txn, const char *name, int64_t now_s, int64_t *out_id, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[FIND_VALID_TOKEN], VALUES(v_text(name), v_int(now_s)));
	int64_t id = rows_next(rows) ? rows_int(rows, 0) : 0;

	if (!rows_done(rows, err))
		return false;
	*out_id = id;
	return true;
}

bool catalog_refuse_token_name(const char *name, struct err *err)
{
	return err_set(err, ERR_CONFLICT,
		"there is a valid token named %s: revoke it (larder token revoke %s), or give the new one "
		"another name",
		name, name);
}

bool catalog_check_token_name(struct catalog *catalog, const char *name, int64_t now_s, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	int64_t id;

	return db_read(catalog->db, &txn, err) && find_valid(txn, name, now_s, &id, err) &&
	       (id == 0 || catalog_refuse_token_name(name, err));
}

static bool record(struct txn *txn, int64_t now_s, const char *action, const char *name, const char *scopes,
	struct err *err)
{
	const struct audit_place place = audit_command_line();

	return audit_record(txn,
		&(struct audit_row){
			.at = now_s, .from = place.text, .action = action, .subject = name, .detail = scopes},
		err);
}

bool catalog_add_token(struct catalog *catalog, const char *name, const struct digest *hash,
	const char *scopes, int64_t now_s, int64_t expires_at, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	int64_t id;

	if (!db_write(catalog->db, &txn, err) || !find_valid(txn, name, now_s, &id, err))
		return false;
	if (id)
		return catalog_refuse_token_name(name, err);
	return txn_run(txn, sql[ADD_TOKEN],
		       VALUES(v_text(name), v_digest(hash), v_text(scopes), v_int(now_s), v_int(expires_at)),
		       err) &&
	       record(txn, now_s, "token-create", name, scopes, err) && txn_commit(txn, err);
}

bool catalog_revoke_token(struct catalog *catalog, const char *name, int64_t now_s, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	int64_t id;

	if (!db_write(catalog->db, &txn, err) || !find_valid(txn, name, now_s, &id, err))
		return false;
	if (id == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no valid token named %s", name);
	return txn_run(txn, sql[REVOKE_TOKEN], VALUES(v_text(name), v_int(now_s)), err) &&
	       record(txn, now_s, "token-revoke", name, NULL, err) && txn_commit(txn, err);
}

bool catalog_take_token(
	struct catalog *catalog, const struct token_terms *terms, int64_t revision, struct err *err)
{
	const struct note_taken note = {"token", terms->name, 0, revision};
	AUTO_TXN struct txn *txn = NULL;
	bool news;

	if (!db_write(catalog->db, &txn, err) || !note_claim(txn, &note, &news, err))
		return false;
	if (!news)
		return true;
	return txn_run(txn, sql[TAKE_TOKEN],
		       VALUES(v_text(terms->name), v_digest(&terms->hash), v_text(terms->scopes),
			       v_int(terms->created_at), v_int(terms->expires_at), v_int(terms->revoked_at)),
		       err) &&
	       txn_run(txn, sql[REVOKE_OTHERS],
		       VALUES(v_text(terms->name), v_digest(&terms->hash), v_int(terms->created_at)), err) &&
	       audit_record(txn,
		       &(struct audit_row){.at = terms->revoked_at ? terms->revoked_at : terms->created_at,
			       .who = terms->who,
			       .from = AUDIT_ALL_NODES,
			       .action = terms->revoked_at ? "token-revoke" : "token-create",
			       .subject = terms->name,
			       .detail = terms->revoked_at ? NULL : terms->scopes},
		       err) &&
	       txn_commit(txn, err);
}

struct token_list {
	struct token_secret *items;
	size_t count;
	size_t capacity;
};

static void token_list_finish(struct token_list *list)
{
	token_secrets_destroy(list->items, list->count);
}

bool catalog_list_tokens(struct catalog *catalog, struct token_secret **out, size_t *count, struct err *err)
{
	AUTO(token_list_finish) struct token_list list = {0};
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_TOKENS], NULL, 0);
	while (rows_next(rows)) {
		MEM_GROW(list.items, list.count, list.capacity);
		list.items[list.count++] = (struct token_secret){.row = {.name = rows_dup(rows, 0),
									 .scopes = rows_dup(rows, 1),
									 .created_at = rows_int(rows, 2),
									 .expires_at = rows_int(rows, 3),
									 .revoked_at = rows_int(rows, 4),
									 .id = rows_int(rows, 6),
									 .used_at = rows_int(rows, 7),
									 .used_from = rows_dup(rows, 8)},
			.hash = rows_digest(rows, 5)};
	}
	if (!rows_done(rows, err))
		return false;
	*count = list.count;
	list.count = 0;
	*out = TAKE(list.items);
	return true;
}

void token_secrets_destroy(struct token_secret *tokens, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(tokens[i].row.name);
		free(tokens[i].row.scopes);
		free(tokens[i].row.used_from);
	}
	free(tokens);
}

bool catalog_note_token_uses(
	struct catalog *catalog, const struct token_use *uses, size_t count, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!db_write(catalog->db, &txn, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!txn_run(txn, sql[NOTE_USE],
			    VALUES(v_int(uses[i].token_id), v_int(uses[i].at), v_text(uses[i].origin)), err))
			return false;
	}
	return txn_commit(txn, err);
}
