/* SPDX-License-Identifier: Apache-2.0
 *
 * audit: who has changed what clients get, and whether that is all. Asks a registry, or reads a data folder.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "common/uri.h"
#include "server/api/audit_log.h"
#include "server/command/cells.h"
#include "server/command/command.h"
#include "server/command/data_folder.h"
#include "server/command/listing.h"
#include "server/command/remote.h"
#include "server/store/catalog/catalog_opening.h"

enum { ROWS_AT_ONCE = 200, LAST_MAX = 100000 };

struct audit_options {
	struct remote_options remote;
	struct place_options place;
	const char *since;
	const char *last;
	const char *head;
	bool verify;
	bool json;
};

/* What is asked for, and of whom. */
struct asked {
	struct remote *remote; /* NULL: the folder's catalog is read */
	struct catalog *catalog;
	const char *subject; /* NULL: any */
	int64_t since_s;
	int64_t last; /* 0: all */
	bool json;
	bool has_wanted;
	struct digest wanted;
};

static void finish_asked(struct asked *asked)
{
	remote_destroy(asked->remote);
	catalog_close(asked->catalog);
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* ---- pages of rows ---- */

typedef bool take_rows(void *context, const json_t *rows, struct err *err);

struct gathering {
	json_t *rows;
	int64_t last_id;
};

static bool gather(void *context, const struct audit_row *row)
{
	struct gathering *gathering = context;

	gathering->last_id = row->id;
	(void)json_array_append_new(gathering->rows, audit_log_row(row));
	return true;
}

static bool walk_folder(
	const struct asked *asked, bool newest_first, take_rows *take, void *context, struct err *err)
{
	struct audit_query query = {.since_s = asked->since_s,
		.subject = asked->subject,
		.newest_first = newest_first,
		.limit = ROWS_AT_ONCE};
	bool more = true;

	while (more) {
		json_auto_t *rows = json_array();
		struct gathering gathering = {rows, 0};

		if (!catalog_each_audit(asked->catalog, &query, gather, &gathering, err) ||
			!take(context, rows, err))
			return false;
		query.behind_id = gathering.last_id;
		more = json_array_size(rows) == ROWS_AT_ONCE;
	}
	return true;
}

static bool walk_registry(
	const struct asked *asked, bool newest_first, take_rows *take, void *context, struct err *err)
{
	AUTO_BUFFER struct buffer target = {0};
	AUTO_FREE char *next = NULL;

	buffer_printf(
		&target, "/api/v1/audit?limit=%d&order=%s", ROWS_AT_ONCE, newest_first ? "newest" : "oldest");
	if (asked->since_s > 0)
		buffer_printf(&target, "&since=%s", clock_rfc3339(asked->since_s).text);
	if (asked->subject) {
		buffer_add_string(&target, "&subject=");
		uri_encode(&target, asked->subject, "");
	}
	next = buffer_take(&target);
	while (next) {
		json_auto_t *page = NULL;

		if (!remote_get(asked->remote, next, &page, err) ||
			!take(context, json_object_get(page, "rows"), err))
			return false;
		free(next);
		next = mem_dup(text_of(page, "next"));
	}
	return true;
}

static bool walk(
	const struct asked *asked, bool newest_first, take_rows *take, void *context, struct err *err)
{
	return (asked->remote ? walk_registry : walk_folder)(asked, newest_first, take, context, err);
}

/* ---- the list ---- */

struct printing {
	struct text_table table;
	bool json;
	size_t left; /* of the last ones; where all are printed, none */
	json_t *kept;
};

static void finish_printing(struct printing *printing)
{
	text_table_finish(&printing->table);
	json_decref(printing->kept);
}

static void print_row(struct printing *printing, const json_t *row)
{
	static const char *const keys[] = {"at", "who", "from", "action", "subject", "detail"};

	if (printing->json) {
		(void)json_dumpf(row, stdout, JSON_COMPACT | (isatty(STDOUT_FILENO) ? JSON_ENSURE_ASCII : 0));
		(void)putchar('\n');
		return;
	}
	text_table_printf(
		&printing->table, "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(row, "id")));
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		cell_add_text(&printing->table, row, keys[i]);
}

static bool print_rows(void *context, const json_t *rows, struct err *err)
{
	struct printing *printing = context;
	const json_t *row;
	size_t i;

	(void)err;
	json_array_foreach(rows, i, row) print_row(printing, row);
	if (!printing->json)
		listing_print(&printing->table);
	return true;
}

/* Newest first: enough are refused, which ends the walk. */
static bool keep_rows(void *context, const json_t *rows, struct err *err)
{
	struct printing *printing = context;
	json_t *row;
	size_t i;

	json_array_foreach((json_t *)rows, i, row)
	{
		if (printing->left == 0)
			break;
		printing->left--;
		(void)json_array_append(printing->kept, row);
	}
	return printing->left > 0 || err_set(err, ERR_NONE, "enough");
}

static bool print_last(const struct asked *asked, struct printing *printing, struct err *err)
{
	json_auto_t *turned = json_array();

	printing->kept = json_array();
	printing->left = (size_t)asked->last;
	if (!walk(asked, true, keep_rows, printing, err) && printing->left > 0)
		return false;
	for (size_t i = json_array_size(printing->kept); i > 0; i--)
		(void)json_array_append(turned, json_array_get(printing->kept, i - 1));
	return print_rows(printing, turned, err);
}

static bool list(const struct asked *asked, struct err *err)
{
	static const char *const headings[] = {
		"ROW", "AT", "WHO", "FROM", "ACTION", "SUBJECT", "DETAIL", NULL};
	AUTO(finish_printing)
	struct printing printing = {.table = {.columns = 7, .elastic = 1U << 6}, .json = asked->json};

	text_table_add_row(&printing.table, headings);
	return asked->last > 0 ? print_last(asked, &printing, err)
			       : walk(asked, false, print_rows, &printing, err);
}

/* ---- verifying ---- */

static bool read_row(const json_t *row, struct audit_row *out, struct err *err)
{
	const char *hash = text_of(row, "hash");
	const char *at = text_of(row, "at");

	*out = (struct audit_row){.id = json_integer_value(json_object_get(row, "id")),
		.who = text_of(row, "who"),
		.from = text_of(row, "from"),
		.action = text_of(row, "action"),
		.subject = text_of(row, "subject"),
		.detail = text_of(row, "detail"),
		.before = text_of(row, "before"),
		.after = text_of(row, "after"),
		.is_chained = hash};
	if (!at || !clock_parse_rfc3339(at, &out->at) || (hash && !digest_parse(hash, &out->hash)))
		return err_set(err, ERR_UPSTREAM_FAILED,
			"The server's row %" PRId64 " has no time, or no hash.", out->id);
	return true;
}

struct verifying {
	struct audit_check check;
	struct digest head;
	bool head_found;
};

static bool check_rows(void *context, const json_t *rows, struct err *err)
{
	struct verifying *verifying = context;
	const json_t *json;
	size_t i;

	json_array_foreach(rows, i, json)
	{
		struct audit_row row;

		if (!read_row(json, &row, err) || !audit_check_row(&verifying->check, &row, err))
			return false;
		if (row.is_chained && digest_equal(&row.hash, &verifying->head))
			verifying->head_found = true;
	}
	return true;
}

/* By what the registry tells, and not by what it thinks of that. */
static bool verify_registry(const struct asked *asked, struct audit_check *check, struct err *err)
{
	struct verifying verifying = {.check = *check};
	json_auto_t *head = NULL;
	bool sound;

	if (!remote_get(asked->remote, "/api/v1/audit/head", &head, err))
		return false;
	if (!text_of(head, "hash") || !digest_parse(text_of(head, "hash"), &verifying.head))
		return err_set(err, ERR_UPSTREAM_FAILED, "The server's head has no hash.");
	sound = walk(asked, false, check_rows, &verifying, err) &&
		audit_check_end(&verifying.check, verifying.head_found, err);
	*check = verifying.check;
	return sound;
}

static void print_verdict(const struct asked *asked, const struct audit_check *check, const char *fault)
{
	json_auto_t *verdict = NULL;

	if (asked->json) {
		verdict = json_pack("{s:b, s:I, s:I, s:I}", "sound", !fault, "rows", (json_int_t)check->rows,
			"earlier_rows", (json_int_t)check->earlier, "last_row", (json_int_t)check->last_id);
		(void)json_object_set_new(verdict, "last_hash",
			check->begun ? json_pack("s+", "sha256:", check->last.hex) : json_null());
		(void)json_object_set_new(verdict, "fault", fault ? json_string(fault) : json_null());
		listing_print_json(verdict);
		return;
	}
	if (fault)
		return;
	if (!check->begun)
		(void)puts("the audit log has no row yet");
	else
		(void)printf("the audit log is whole: %zu rows, the last is row %" PRId64 ", sha256:%s\n",
			check->rows, check->last_id, check->last.hex);
	if (check->earlier > 0)
		(void)printf("%zu rows before are of an earlier Larder, which did not chain them\n",
			check->earlier);
}

static int verify(const struct asked *asked)
{
	struct audit_check check = {.wanted = asked->has_wanted ? &asked->wanted : NULL};
	struct err err;
	bool sound = asked->remote ? verify_registry(asked, &check, &err)
				   : catalog_verify_audit(asked->catalog, &check, &err);

	if (sound || err.code == ERR_CONFLICT)
		print_verdict(asked, &check, sound ? NULL : err.text);
	return sound ? COMMAND_DONE : command_fail(&err);
}

/* ---- the command ---- */

/* A folder that is named is read; else a registry is asked. */
static bool reach(const struct audit_options *options, struct asked *asked, struct err *err)
{
	AUTO_CONFIG struct config *config = NULL;

	if (!options->place.data && !options->place.config)
		return remote_create(&options->remote, &asked->remote, err);
	return command_load_config(&options->place, &config, err) &&
	       data_folder_check(config->storage.data_dir, err) &&
	       catalog_open(config->storage.data_dir, &asked->catalog, err);
}

static bool read_since(const char *text, int64_t *out)
{
	int64_t ago_s;

	if (clock_parse_rfc3339(text, out))
		return true;
	if (!command_parse_duration(text, &ago_s))
		return false;
	*out = clock_now_s() - ago_s;
	return *out > 0;
}

static bool read_asked(
	const struct audit_options *options, int count, char **words, struct asked *out, struct err *err)
{
	out->json = options->json;
	out->subject = count > 0 ? words[0] : NULL;
	out->has_wanted = options->head;
	if (count > 1)
		return err_set(err, ERR_BAD_REQUEST, "audit takes one PATH");
	if (options->since && !read_since(options->since, &out->since_s))
		return err_set(err, ERR_BAD_REQUEST,
			"--since takes a time such as 7d or 2026-11-28T12:00:00Z, not \"%s\"",
			options->since);
	if (options->last &&
		(!number_parse(options->last, &out->last) || out->last < 1 || out->last > LAST_MAX))
		return err_set(err, ERR_BAD_REQUEST, "--last takes a number from 1 to %d, not \"%s\"",
			LAST_MAX, options->last);
	if (options->head && !digest_parse(options->head, &out->wanted))
		return err_set(
			err, ERR_BAD_REQUEST, "--head takes a hash, sha256:HEX, not \"%s\"", options->head);
	if (options->head && !options->verify)
		return err_set(err, ERR_BAD_REQUEST, "--head goes with --verify");
	return !options->verify || (count == 0 && !options->since && !options->last) ||
	       err_set(err, ERR_BAD_REQUEST,
		       "--verify verifies all rows: no PATH, --since or --last goes with it");
}

static int run(void *values, int count, char **words)
{
	const struct audit_options *options = values;
	AUTO(finish_asked) struct asked asked = {0};
	struct err err;

	if (!read_asked(options, count, words, &asked, &err))
		return command_misuse("audit", "%s", err.text);
	if (!reach(options, &asked, &err))
		return command_fail(&err);
	if (options->verify)
		return verify(&asked);
	return list(&asked, &err) ? COMMAND_DONE : command_fail(&err);
}

static const struct option_row rows[] = {
	{"since", 0, "TIME", TEXT_INTO(struct audit_options, since),
		"only rows of that time and later: 2026-11-28T12:00:00Z, or 7d for the last 7 days"},
	{"last", 0, "N", TEXT_INTO(struct audit_options, last), "only the last N of them"},
	{"verify", 0, NULL, FLAG_INTO(struct audit_options, verify),
		"tell whether each row is what was written, and none was removed; name the first that does "
		"not fit"},
	{"head", 0, "HASH", TEXT_INTO(struct audit_options, head),
		"with --verify: a row must have this hash, which was kept elsewhere"},
	{"json", 0, NULL, FLAG_INTO(struct audit_options, json), "print JSON, a row a line"},
	{0},
};

const struct command command_audit = {
	.name = "audit",
	.summary = "list who has changed what clients get, and prove that list",
	.forms = {"[PATH]"},
	.remarks =
		"Lists the rows of the audit log, the oldest first; PATH is a version, a handle with all of "
		"its "
		"versions, or a token's name. Asks a registry, with a token of the scope admin; with --data "
		"or "
		"--config it reads the data folder itself, whether a daemon runs on it or not.\nWith "
		"--verify "
		"it recomputes each row's hash, with which the next one is hashed. Whoever can write to the "
		"database can write all of it anew: keep a head elsewhere (it is in each bundle, and in the "
		"daemon's log once a day), and give it as --head.",
	.statuses = "1 also where --verify found a row that does not fit.",
	.groups = {{rows, 0}, {remote_option_rows, offsetof(struct audit_options, remote)},
		{place_option_rows, offsetof(struct audit_options, place)}},
	.options_size = sizeof(struct audit_options),
	.run = run,
};
