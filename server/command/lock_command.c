/* SPDX-License-Identifier: Apache-2.0
 *
 * lock: what a running daemon has of some versions, as a file that names it to the byte. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/globs.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/uri.h"
#include "server/command/cells.h"
#include "server/command/command.h"
#include "server/command/inventory.h"
#include "server/command/lockfile.h"
#include "server/command/module_target.h"
#include "server/command/paging.h"
#include "server/command/remote.h"
#include "server/command/text_table.h"

struct locking {
	struct remote *remote;
	struct lockfile lockfile;
	json_t *known; /* versions that are named as such, by their paths */
};

static void finish(struct locking *locking)
{
	json_decref(locking->known);
	lockfile_finish(&locking->lockfile);
	remote_destroy(locking->remote);
}

/* One argument: a path or patterns, and the one format that is meant. */
struct wanted {
	char *text;
	bool has_format;
	enum format format;
};

static void finish_wanted(struct wanted *wanted)
{
	free(wanted->text);
}

/* ---- what is named ---- */

static bool is_format(const struct format_row *row, const char *query)
{
	size_t length = strlen(row->query_key);

	return strncmp(query, row->query_key, length) == 0 && query[length] == '=' &&
	       strcmp(query + length + 1, row->query_value) == 0;
}

static bool read_query(const char *query, struct wanted *out, struct err *err)
{
	for (int i = 0; i < FORMAT_COUNT; i++) {
		if (is_format(&formats[i], query)) {
			out->has_format = true;
			out->format = (enum format)i;
			return true;
		}
	}
	return err_set(err, ERR_BAD_REQUEST, "\"%.100s\" names no format: " FORMATS_IN_QUERIES " do.", query);
}

/* A question mark belongs to a pattern, unless "name=value" is behind it: no handle has an equals sign. */
static bool read_wanted(
	const struct remote *remote, const char *argument, struct wanted *out, struct err *err)
{
	AUTO_FREE char *text = NULL;
	const char *query;

	if (!module_target_path(argument, remote, &text, err))
		return false;
	query = strrchr(text, '?');
	if (query && !strchr(query, '='))
		query = NULL;
	if (query && !read_query(query + 1, out, err))
		return false;
	out->text = query ? mem_dup_n(text, (size_t)(query - text)) : mem_dup(text);
	return *out->text || err_set(err, ERR_BAD_REQUEST, "\"%.100s\" names no module.", argument);
}

/* ---- a version ---- */

static bool not_a_larder(struct err *err)
{
	return err_set(err, ERR_UPSTREAM_FAILED,
		"The server tells of modules otherwise than this Larder knows: is it another version of it?");
}

static bool get(struct remote *remote, const char *path, const char *query, json_t **out, struct err *err)
{
	AUTO_BUFFER struct buffer target = {0};

	buffer_add_string(&target, "/api/v1/modules/");
	uri_encode(&target, path, "/");
	buffer_add_string(&target, query);
	return remote_get(remote, buffer_string(&target), out, err);
}

/* *out_count: how many were taken. */
static bool take_artifacts(struct locking *locking, const json_t *version, const struct wanted *wanted,
	size_t *out_count, struct err *err)
{
	struct locked locked = {.handle = (char *)cell_text(version, "handle"),
		.version = json_integer_value(json_object_get(version, "version"))};
	const json_t *artifact;
	size_t i;

	*out_count = 0;
	json_array_foreach(json_object_get(version, "artifacts"), i, artifact)
	{
		if (!locked_take(&locked, artifact))
			return not_a_larder(err);
		if (wanted->has_format && locked.format != wanted->format)
			continue;
		if (!lockfile_add(&locking->lockfile, &locked, err))
			return false;
		++*out_count;
	}
	return true;
}

static bool refuse_nothing(const json_t *version, const struct wanted *wanted, struct err *err)
{
	const char *handle = cell_text(version, "handle");
	json_int_t number = json_integer_value(json_object_get(version, "version"));

	if (wanted->has_format)
		return err_set(err, ERR_NOT_FOUND,
			"%.200s/%" JSON_INTEGER_FORMAT " is not here as %s: \"larder prefetch\" has it "
			"fetched.",
			handle, number, formats[wanted->format].name);
	return err_set(err, ERR_NOT_FOUND,
		"%.200s/%" JSON_INTEGER_FORMAT
		" is listed, but was never here, so that nobody knows its bytes: \"larder prefetch\" has it "
		"fetched.",
		handle, number);
}

static bool check_active(const json_t *version, struct err *err)
{
	const char *state = cell_text(version, "state");

	if (strcmp(state, "active") == 0)
		return true;
	return err_set(err, ERR_GONE, "%.200s/%" JSON_INTEGER_FORMAT " is %.40s, and not to be had here.",
		cell_text(version, "handle"), json_integer_value(json_object_get(version, "version")), state);
}

static bool lock_version(
	struct locking *locking, const json_t *version, const struct wanted *wanted, struct err *err)
{
	size_t count;

	if (!check_active(version, err) || !take_artifacts(locking, version, wanted, &count, err))
		return false;
	return count > 0 || refuse_nothing(version, wanted, err);
}

static bool get_latest(
	struct remote *remote, const char *handle, json_int_t latest, json_t **out, struct err *err)
{
	AUTO_FREE char *path = NULL;

	if (latest <= 0)
		return err_set(err, ERR_NOT_FOUND, "%.200s has no version that is active.", handle);
	path = mem_printf("%s/%" JSON_INTEGER_FORMAT, handle, latest);
	if (!get(remote, path, "", out, err))
		return false;
	return json_object_get(*out, "version") || not_a_larder(err);
}

/* The server tells whether it is a version that is named, or a module. */
static bool lock_path(struct locking *locking, const struct wanted *wanted, struct err *err)
{
	json_auto_t *named = NULL;
	json_auto_t *version = NULL;

	if (json_object_get(locking->known, wanted->text))
		return lock_version(locking, json_object_get(locking->known, wanted->text), wanted, err);
	if (!get(locking->remote, wanted->text, "?limit=1", &named, err))
		return false;
	if (json_object_get(named, "version"))
		return lock_version(locking, named, wanted, err);
	return get_latest(locking->remote, cell_text(named, "handle"),
		       json_integer_value(json_object_get(named, "latest_version")), &version, err) &&
	       lock_version(locking, version, wanted, err);
}

/* ---- patterns ---- */

struct matching {
	const char *patterns;
	json_t *modules; /* handle and latest version of each that matches */
};

static void finish_matching(struct matching *matching)
{
	json_decref(matching->modules);
}

static void take_page(void *context, const json_t *page)
{
	struct matching *matching = context;
	const json_t *module;
	size_t i;

	json_array_foreach(json_object_get(page, "modules"), i, module)
	{
		const char *handle = cell_text(module, "handle");

		if (globs_match(matching->patterns, handle))
			json_array_append_new(matching->modules,
				json_pack("{s:s, s:O?}", "handle", handle, "latest_version",
					json_object_get(module, "latest_version")));
	}
}

/* Those that match, as they are asked for. */
struct asking_matches {
	struct locking *locking;
	const struct wanted *wanted;
	size_t left_out;
};

static json_t *latest_paths(const json_t *modules)
{
	json_t *paths = json_array();
	const json_t *module;
	size_t i;

	json_array_foreach((json_t *)modules, i, module)
	{
		json_int_t latest = json_integer_value(json_object_get(module, "latest_version"));

		if (latest > 0)
			json_array_append_new(paths, json_sprintf("%s/%" JSON_INTEGER_FORMAT,
							     cell_text(module, "handle"), latest));
	}
	return paths;
}

/* A pattern names what is here: what is only listed is left out, but not in silence. */
static bool lock_match(void *context, size_t place, const json_t *version, struct err *err)
{
	struct asking_matches *matches = context;
	bool taken = version && lock_version(matches->locking, version, matches->wanted, err);

	(void)place;
	matches->left_out += !taken;
	return !version || taken || err->code == ERR_NOT_FOUND || err->code == ERR_GONE;
}

static bool lock_matches(
	struct locking *locking, const json_t *modules, const struct wanted *wanted, struct err *err)
{
	json_auto_t *paths = latest_paths(modules);
	size_t count = json_array_size(modules);
	struct asking_matches matches = {locking, wanted, count - json_array_size(paths)};

	if (!inventory_ask(locking->remote, paths, lock_match, &matches, err))
		return false;
	if (matches.left_out == count)
		return err_set(err, ERR_NOT_FOUND,
			"Of the %zu modules that match \"%.200s\" none is here%s%s.", count, wanted->text,
			wanted->has_format ? " as " : "",
			wanted->has_format ? formats[wanted->format].name : "");
	if (matches.left_out > 0)
		(void)fprintf(stderr,
			"larder: %zu of the %zu modules that match are left out, since their latest version "
			"is not here\n",
			matches.left_out, count);
	return true;
}

static bool lock_patterns(struct locking *locking, const struct wanted *wanted, struct err *err)
{
	AUTO(finish_matching) struct matching matching = {wanted->text, json_array()};

	if (!paging_walk(locking->remote, "/api/v1/modules?limit=200&sort=name", take_page, &matching, err))
		return false;
	if (json_array_size(matching.modules) == 0)
		return err_set(err, ERR_NOT_FOUND, "No module matches \"%.200s\".", wanted->text);
	return lock_matches(locking, matching.modules, wanted, err);
}

/* ---- the command ---- */

static bool lock_argument(struct locking *locking, const char *argument, struct err *err)
{
	AUTO(finish_wanted) struct wanted wanted = {0};

	if (!read_wanted(locking->remote, argument, &wanted, err))
		return false;
	return (strpbrk(wanted.text, "*?[") ? lock_patterns : lock_path)(locking, &wanted, err);
}

/* ---- versions that are named, all at once ---- */

static json_t *list_versions(const struct remote *remote, char **arguments)
{
	json_t *paths = json_array();

	for (; *arguments; arguments++) {
		AUTO(finish_wanted) struct wanted wanted = {0};
		struct name name;
		struct err err;

		if (read_wanted(remote, *arguments, &wanted, &err) && !strpbrk(wanted.text, "*?[") &&
			name_parse_versioned(wanted.text, &name, &err))
			json_array_append_new(paths, json_string(wanted.text));
	}
	return paths;
}

struct noting {
	struct locking *locking;
	const json_t *paths;
};

static bool note_version(void *context, size_t place, const json_t *version, struct err *err)
{
	const struct noting *noting = context;

	(void)err;
	if (version)
		(void)json_object_set(noting->locking->known,
			json_string_value(json_array_get(noting->paths, place)), (json_t *)version);
	return true;
}

static bool look_up(struct locking *locking, char **arguments, struct err *err)
{
	json_auto_t *paths = list_versions(locking->remote, arguments);
	struct noting noting = {locking, paths};

	locking->known = json_object();
	return inventory_ask(locking->remote, paths, note_version, &noting, err);
}

static bool is_about_argument(const struct err *err)
{
	return err->code == ERR_NOT_FOUND || err->code == ERR_GONE || err->code == ERR_BAD_REQUEST;
}

static void tell_refusal(const char *argument, struct err *err)
{
	(void)err_prefix(err, "%.200s: ", argument);
	text_table_blank_controls(err->text);
	(void)command_fail(err);
}

/* All that is not here is named at once; a server that does not answer, once. */
static bool lock_all(struct locking *locking, char **arguments, struct err *err)
{
	size_t refused = 0;

	if (!look_up(locking, arguments, err))
		return false;
	for (; *arguments; arguments++) {
		if (lock_argument(locking, *arguments, err))
			continue;
		if (!is_about_argument(err))
			return false;
		tell_refusal(*arguments, err);
		refused++;
	}
	return refused == 0 ||
	       err_set(err, ERR_NOT_FOUND, "Nothing is written, because of what is said above.");
}

static void print(const struct lockfile *lockfile)
{
	AUTO_BUFFER struct buffer text = {0};

	lockfile_write(lockfile, &text);
	(void)fwrite(text.data, 1, text.length, stdout);
}

static int run(void *options, int count, char **words)
{
	AUTO(finish) struct locking locking = {0};
	struct err err;

	if (count == 0)
		return command_misuse("lock", "lock takes paths, such as google/nnlm-en-dim50/2 or 'acme/*'");
	if (!remote_create(options, &locking.remote, &err) || !lock_all(&locking, words, &err) ||
		!lockfile_sort(&locking.lockfile, &err))
		return command_fail(&err);
	print(&locking.lockfile);
	return COMMAND_DONE;
}

const struct command command_lock = {
	.name = "lock",
	.summary = "name what a registry has to the byte",
	.forms = {"PATH|GLOB..."},
	.remarks =
		"Prints the digest and the size of each artifact that a running daemon has of these "
		"versions, as "
		"JSON that is the same for the same bytes: \"larder lock 'acme/*' > models.lock\" writes the "
		"file that \"larder prefetch --from\" and \"larder verify --lock\" take. PATH is a version, "
		"such as google/nnlm-en-dim50/2 (all of its formats) or 'google/x/1?tfjs-format=compressed' "
		"(that one), or a module, whose latest version is meant; so it is of each module whose "
		"handle "
		"a GLOB matches (* ? [, and * crosses /). Fails, and prints nothing, where what is named is "
		"not here.",
	.groups = {{remote_option_rows, 0}},
	.options_size = sizeof(struct remote_options),
	.run = run,
};
