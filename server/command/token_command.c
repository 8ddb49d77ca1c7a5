/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/own.h"
#include "server/command/command.h"
#include "server/command/data_folder.h"
#include "server/command/listing.h"
#include "server/command/shared_vault.h"
#include "server/command/neighbour.h"
#include "server/registry/access.h"
#include "server/registry/invalidation.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/store/catalog/catalog_tokens.h"

struct token_options {
	struct place_options place;
	struct option_texts scopes;
	const char *expires;
	bool json;
};

/* Tokens are worth something only to the server of this folder, and the default is one below where the
 * command runs. */
static void tell_place(const char *data_dir, bool is_new)
{
	(void)fprintf(stderr, "tokens of the data folder %s%s\n", data_folder_text(data_dir).text,
		is_new ? ", which is new: nothing was served from it yet" : "");
}

/* Straight on the database, which other processes may have open: needs no daemon. */
static bool open_catalog(const struct token_options *options, bool adds, struct config **config,
	struct catalog **out, struct err *err)
{
	bool is_named = options->place.data || options->place.config;
	bool is_new = false;

	if (!command_load_config(&options->place, config, err) ||
		!(adds ? data_folder_make((*config)->storage.data_dir, is_named, &is_new, err)
		       : data_folder_check((*config)->storage.data_dir, err)) ||
		!catalog_open((*config)->storage.data_dir, out, err))
		return false;
	tell_place((*config)->storage.data_dir, is_new);
	return true;
}

/* All that is needed to change one. */
struct desk {
	struct config *config;
	struct catalog *catalog;
	struct shared_vault shared;
	struct access *access;
};

static void leave(struct desk *desk)
{
	access_destroy(desk->access);
	shared_vault_close(&desk->shared);
	catalog_close(desk->catalog);
	config_destroy(desk->config);
}

static int come_to(const struct token_options *options, bool adds, struct desk *desk)
{
	struct err err;
	int status;

	if (!open_catalog(options, adds, &desk->config, &desk->catalog, &err))
		return command_fail(&err);
	status = shared_vault_open(desk->config, desk->catalog, &desk->shared);
	if (status != COMMAND_DONE)
		return status;
	return access_create(desk->catalog, desk->shared.vault, false, &desk->access, &err)
		       ? COMMAND_DONE
		       : command_fail(&err);
}

/* ---- create ---- */

static void print_issued(
	const char *name, const char *scopes, int64_t lifetime_s, const struct token_text *token)
{
	(void)puts(token->text);
	(void)fflush(stdout);
	(void)fprintf(stderr, "token %s has the scopes %s and %s%s; it is not shown again\n", name, scopes,
		lifetime_s ? "expires at " : "does not expire",
		lifetime_s ? clock_rfc3339(clock_now_s() + lifetime_s).text : "");
}

static void join_scopes(const struct token_options *options, struct buffer *out)
{
	for (size_t i = 0; i < options->scopes.count; i++)
		buffer_printf(out, "%s%s", i > 0 ? " " : "", options->scopes.values[i]);
}

/* It counts in a daemon on this folder at once. */
static void tell_daemon(const struct desk *desk)
{
	struct neighbour neighbour = {.data_dir = desk->config->storage.data_dir};

	neighbour_forget(&neighbour, INVALIDATION_TOKENS);
}

static int create_token(const struct token_options *options, const char *name)
{
	AUTO(leave) struct desk desk = {0};
	AUTO_BUFFER struct buffer scopes = {0};
	struct token_text token;
	int64_t lifetime_s = 0;
	struct err err;
	int status;

	join_scopes(options, &scopes);
	if (scopes.length == 0)
		return command_misuse("token", "a token needs a --scope");
	if (options->expires && (!command_parse_duration(options->expires, &lifetime_s) || lifetime_s == 0))
		return command_misuse("token", "--expires takes a time such as 90d, 12h or 30m, not \"%s\"",
			options->expires);
	status = come_to(options, true, &desk);
	if (status != COMMAND_DONE)
		return status;
	if (!access_issue(desk.access, name, buffer_string(&scopes), lifetime_s, &token, &err)) {
		(void)command_fail(&err);
		return err.code == ERR_BAD_REQUEST ? COMMAND_MISUSE : COMMAND_FAILED;
	}
	print_issued(name, buffer_string(&scopes), lifetime_s, &token);
	return COMMAND_DONE;
}

/* ---- list ---- */

static const char *token_state(const struct token_row *row)
{
	if (row->revoked_at)
		return "revoked";
	return row->expires_at && row->expires_at <= clock_now_s() ? "expired" : "valid";
}

static json_t *json_time(int64_t time_s)
{
	return time_s ? json_string(clock_rfc3339(time_s).text) : json_null();
}

static void print_json(const struct token_secret *tokens, size_t count)
{
	json_t *list = json_array();
	json_t *all = json_pack("{s:o,s:I}", "tokens", list, "total", (json_int_t)count);

	for (size_t i = 0; i < count; i++) {
		const struct token_row *row = &tokens[i].row;

		(void)json_array_append_new(
			list, json_pack("{s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o}", "name", row->name, "scopes",
				      row->scopes, "state", token_state(row), "created_at",
				      json_time(row->created_at), "expires_at", json_time(row->expires_at),
				      "revoked_at", json_time(row->revoked_at), "last_used_at",
				      json_time(row->used_at), "last_used_from",
				      row->used_at ? json_string(row->used_from) : json_null()));
	}
	(void)json_dumpf(all, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	json_decref(all);
}

static void print_table(const struct token_secret *tokens, size_t count)
{
	static const char *const headings[] = {
		"NAME", "SCOPES", "CREATED", "EXPIRES", "STATE", "LAST USED", "FROM"};
	AUTO(text_table_finish) struct text_table table = {.columns = sizeof headings / sizeof *headings};

	for (size_t i = 0; i < table.columns; i++)
		text_table_add(&table, headings[i]);
	for (size_t i = 0; i < count; i++) {
		const struct token_row *row = &tokens[i].row;

		text_table_add(&table, row->name);
		text_table_add(&table, row->scopes);
		text_table_add(&table, clock_rfc3339(row->created_at).text);
		text_table_add(&table, row->expires_at ? clock_rfc3339(row->expires_at).text : "never");
		text_table_add(&table, token_state(row));
		text_table_add(&table, row->used_at ? clock_rfc3339(row->used_at).text : "never");
		text_table_add(&table, row->used_from);
	}
	listing_print(&table);
}

static int list_tokens(const struct token_options *options, const char *name)
{
	AUTO_CONFIG struct config *config = NULL;
	AUTO_CATALOG struct catalog *catalog = NULL;
	struct token_secret *tokens;
	size_t count;
	struct err err;

	(void)name;
	if (!open_catalog(options, false, &config, &catalog, &err) ||
		!catalog_list_tokens(catalog, &tokens, &count, &err))
		return command_fail(&err);
	(options->json ? print_json : print_table)(tokens, count);
	token_secrets_destroy(tokens, count);
	return COMMAND_DONE;
}

/* ---- revoke ---- */

/* It was told what keeps the others from knowing. One that leaked is to be worth nothing at least here. */
static int revoke_here(const struct desk *desk, const char *name)
{
	struct err err;

	if (!catalog_revoke_token(desk->catalog, name, clock_now_s(), &err))
		return command_fail(&err);
	tell_daemon(desk);
	(void)fprintf(stderr,
		"token %s is revoked here, and the other nodes are not told: repeat this when the store "
		"answers\n",
		name);
	return COMMAND_FAILED;
}

static bool is_shared(const struct desk *desk)
{
	return desk->catalog && desk->config->store.kind == STORE_S3;
}

static int revoke_token(const struct token_options *options, const char *name)
{
	AUTO(leave) struct desk desk = {0};
	struct err err;
	int status = come_to(options, false, &desk);

	if (status != COMMAND_DONE)
		return status == COMMAND_FAILED && is_shared(&desk) ? revoke_here(&desk, name) : status;
	if (!access_revoke(desk.access, name, &err)) {
		status = command_fail(&err);
		return err.code == ERR_STORE_UNAVAILABLE ? revoke_here(&desk, name) : status;
	}
	tell_daemon(&desk);
	(void)fprintf(stderr, "token %s is revoked\n", name);
	return COMMAND_DONE;
}

/* ---- the command ---- */

/* In the order of the command's forms. */
static const struct {
	const char *name;
	int arguments; /* behind the action's name */
	int (*run)(const struct token_options *options, const char *name);
} actions[] = {
	{"create", 1, create_token},
	{"list", 0, list_tokens},
	{"revoke", 1, revoke_token},
};
enum { CREATE = 1 << 0, LIST = 1 << 1 };

static int run(void *options, int count, char **words)
{
	if (count == 0)
		return command_misuse("token", "token takes create, list or revoke");
	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
		if (strcmp(words[0], actions[i].name) != 0)
			continue;
		if (count - 1 != actions[i].arguments)
			return command_misuse("token", "token %s takes %s", actions[i].name,
				actions[i].arguments ? "one name" : "no name");
		return actions[i].run(options, words[1]);
	}
	return command_misuse("token", "there is no \"token %s\"", words[0]);
}

static const struct option_row rows[] = {
	{"scope", 0, "SCOPE", TEXTS_INTO(struct token_options, scopes),
		"what it may do; may be given several times:\n"
		"  read           read, where it takes a token\n"
		"  publish:GLOB   publish, as with publish:acme/*\n"
		"  withdraw:GLOB  withdraw them\n"
		"  approve:GLOB   approve and reject what is held back\n"
		"  admin          everything",
		.forms = CREATE},
	{"expires", 0, "TIME", TEXT_INTO(struct token_options, expires),
		"such as 90d, 12h or 30m; without it the token does not expire", .forms = CREATE},
	{"json", 0, NULL, FLAG_INTO(struct token_options, json), "print JSON", .forms = LIST},
	{0},
};

const struct command command_token = {
	.name = "token",
	.summary = "create, list and revoke tokens",
	.forms = {"create NAME --scope SCOPE...", "list", "revoke NAME"},
	.remarks =
		"A new token is printed once, alone on standard output; only its hash is kept. Works on the "
		"data folder itself, whether a daemon runs on it or not. Of a node over a bucket ([store] "
		"kind "
		"= s3, which --config tells) it counts on all nodes, and nothing is done while the bucket "
		"cannot be reached.",
	.groups = {{rows, 0}, {place_option_rows, offsetof(struct token_options, place)}},
	.options_size = sizeof(struct token_options),
	.run = run,
};
