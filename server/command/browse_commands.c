/* SPDX-License-Identifier: Apache-2.0
 *
 * list, show and signatures: what a registry has, for people. */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/uri.h"
#include "server/command/cells.h"
#include "server/command/command.h"
#include "server/command/listing.h"
#include "server/command/paging.h"
#include "server/command/remote.h"
#include "server/module/name.h"

struct browse_options {
	struct remote_options remote;
	struct buffer query; /* of the URL */
	bool json;
};

static void finish_options(struct browse_options *options)
{
	buffer_finish(&options->query);
}

/* Options have dashes where parameters have underscores. */
static void add_parameter(struct buffer *query, const char *name, const char *value)
{
	AUTO_FREE char *parameter = mem_dup(name);

	for (char *dash = strchr(parameter, '-'); dash; dash = strchr(dash, '-'))
		*dash = '_';
	buffer_printf(query, "&%s=", parameter);
	uri_encode(query, value, "");
}

/* ---- options ---- */

/* What has 'q' stands in the URL by the option's name. */
static const struct option list_options[] = {
	REMOTE_LONG_OPTIONS,
	{"json", no_argument, NULL, 'j'},
	{"publisher", required_argument, NULL, 'q'},
	{"task", required_argument, NULL, 'q'},
	{"dataset", required_argument, NULL, 'q'},
	{"language", required_argument, NULL, 'q'},
	{"architecture", required_argument, NULL, 'q'},
	{"license", required_argument, NULL, 'q'},
	{"fine-tunable", optional_argument, NULL, 'q'},
	{"format", required_argument, NULL, 'q'},
	{"source", required_argument, NULL, 'q'},
	{"cached", optional_argument, NULL, 'q'},
	{"op", required_argument, NULL, 'q'},
	{"input-dtype", required_argument, NULL, 'q'},
	{"output-dtype", required_argument, NULL, 'q'},
	{"tag", required_argument, NULL, 'q'},
	{"tensorflow-version", required_argument, NULL, 'q'},
	{"sort", required_argument, NULL, 'q'},
	{NULL, 0, NULL, 0},
};

static const struct option path_options[] = {
	REMOTE_LONG_OPTIONS,
	{"json", no_argument, NULL, 'j'},
	{NULL, 0, NULL, 0},
};

static bool read_options(int argc, char **argv, const struct option *known, struct browse_options *options)
{
	int letter, row;

	while ((letter = getopt_long(argc, argv, "", known, &row)) != -1) {
		if (letter == '?')
			return false;
		if (letter == 'j')
			options->json = true;
		else if (letter == 'q')
			add_parameter(&options->query, known[row].name, optarg ? optarg : "true");
		else
			remote_take_option(&options->remote, letter, optarg);
	}
	return true;
}

/* ---- list ---- */

struct modules {
	struct text_table table;
	size_t count;
	struct listing_items items;
};

static void finish_modules(struct modules *modules)
{
	text_table_finish(&modules->table);
}

static void print_rows(void *context, const json_t *page)
{
	struct modules *modules = context;

	listing_add_modules(&modules->table, json_object_get(page, "modules"));
	modules->count += json_array_size(json_object_get(page, "modules"));
	listing_print(&modules->table);
}

static void print_items(void *context, const json_t *page)
{
	struct modules *modules = context;

	if (!modules->items.things)
		listing_begin_json(&modules->items, "modules");
	listing_add_json(&modules->items, page);
}

/* Each page as it comes: all modules at once may be many. A list that breaks off is not closed, so that
 * nobody takes it for a whole one. */
static bool list(struct remote *remote, const char *query, bool as_json, struct err *err)
{
	AUTO(finish_modules) struct modules modules = {0};
	AUTO_FREE char *target = mem_printf("/api/v1/modules?limit=200%s", query);

	listing_begin_modules(&modules.table);
	if (!paging_walk(remote, target, as_json ? print_items : print_rows, &modules, err))
		return false;
	if (as_json)
		listing_end_json(&modules.items);
	else if (modules.count == 0)
		(void)fputs(*query ? "no module matches\n" : "there is no module yet\n", stderr);
	return true;
}

int command_list(int argc, char **argv)
{
	AUTO(finish_options) struct browse_options options = {0};
	AUTO_REMOTE struct remote *remote = NULL;
	struct err err;

	if (!read_options(argc, argv, list_options, &options))
		return COMMAND_MISUSE;
	if (argc - optind > 1)
		return command_misuse("list", "list takes one query; put blanks in quotes");
	if (optind < argc)
		add_parameter(&options.query, "q", argv[optind]);
	if (!remote_create(&options.remote, &remote, &err) ||
		!list(remote, buffer_string(&options.query), options.json, &err))
		return command_fail(&err);
	return COMMAND_DONE;
}

/* ---- show and signatures ---- */

static const char *skip_slashes(const char *path)
{
	return path + strspn(path, "/");
}

/* What it names is for the server to say; only a file's name is refused here. The text is safe in a URL: the
 * grammar of names allows nothing that needs escaping. */
static bool read_path(const char *path, struct name *name, struct err *err)
{
	struct name_reading readings[NAME_READINGS_MAX];
	const char *text = skip_slashes(path);
	const char *member = NULL;

	if (name_list_readings(text, readings) == 0 || readings[0].member) {
		if (!name_parse_path(text, name, &member, err))
			return false;
		if (member)
			return err_set(
				err, ERR_BAD_REQUEST, "%s names a file in a module, not a module.", path);
	}
	(void)snprintf(name->handle, sizeof name->handle, "%s", text);
	name->version = 0;
	return true;
}

/* Of each format, since one may have come another way. */
static void print_bundles(const json_t *artifacts)
{
	const json_t *artifact;
	size_t i;

	json_array_foreach(artifacts, i, artifact)
	{
		const json_t *from = json_object_get(artifact, "imported_from");
		const char *signer = cell_text(from, "verified_by");
		AUTO_FREE char *text = NULL;

		if (!json_is_object(from))
			continue;
		text = mem_printf("%s in %s of %s, %s, %s%s", cell_text(artifact, "format"),
			cell_text(from, "bundle"), cell_text(from, "at"), cell_text(from, "digest"),
			*signer ? "signed by " : "no signature was checked", signer);
		listing_print_fact("imported", text);
	}
}

static void print_version(const json_t *version)
{
	static const char *const facts[] = {"handle", "version", "source", "state", "published_by",
		"upstream", "created_at", "description", NULL};
	const json_t *graphs = json_object_get(json_object_get(version, "saved_model"), "meta_graphs");

	listing_print_facts(version, facts);
	print_bundles(json_object_get(version, "artifacts"));
	(void)putchar('\n');
	listing_print_artifacts(version);
	if (!graphs)
		return;
	(void)putchar('\n');
	listing_print_signatures(graphs);
	listing_tell_truncated(json_object_get(version, "saved_model"));
}

static bool get(
	struct remote *remote, const char *what, const struct name *name, json_t **out, struct err *err)
{
	AUTO_FREE char *target = mem_printf("/api/v1/%s/%s", what, name_path(name).text);

	return remote_get(remote, target, out, err);
}

/* What a path names: a version, or a module with pages of versions. */
struct shown {
	struct text_table versions;
	json_t *whole; /* where JSON is wanted: the first page with the versions of all */
	bool as_json;
	bool begun;
};

static void finish_shown(struct shown *shown)
{
	text_table_finish(&shown->versions);
	json_decref(shown->whole);
}

static void print_module(struct shown *shown, const json_t *page)
{
	static const char *const facts[] = {"handle", "latest_version", "description", NULL};

	if (!shown->begun) {
		listing_print_facts(page, facts);
		(void)putchar('\n');
		listing_begin_versions(&shown->versions);
	}
	listing_add_versions(&shown->versions, json_object_get(page, "version_list"));
	listing_print(&shown->versions);
}

static void gather(struct shown *shown, const json_t *page)
{
	if (shown->whole)
		(void)json_array_extend(
			json_object_get(shown->whole, "version_list"), json_object_get(page, "version_list"));
	else
		shown->whole = json_deep_copy(page);
}

static void take_page(void *context, const json_t *page)
{
	struct shown *shown = context;

	if (shown->as_json)
		gather(shown, page);
	else if (json_object_get(page, "version"))
		print_version(page);
	else
		print_module(shown, page);
	shown->begun = true;
}

static bool show(struct remote *remote, struct name *name, bool as_json, struct err *err)
{
	AUTO(finish_shown) struct shown shown = {.as_json = as_json};
	AUTO_FREE char *target = mem_printf("/api/v1/modules/%s?limit=200", name_path(name).text);

	if (!paging_walk(remote, target, take_page, &shown, err))
		return false;
	if (!shown.whole)
		return true;
	if (json_object_get(shown.whole, "next"))
		json_object_set_new(shown.whole, "next", json_null());
	listing_print_json(shown.whole);
	return true;
}

/* Without a version the latest is meant, as for downloads. */
static bool find_version(struct remote *remote, struct name *name, struct err *err)
{
	json_auto_t *described = NULL;
	const char *handle;

	if (!get(remote, "modules", name, &described, err))
		return false;
	handle = json_string_value(json_object_get(described, "handle"));
	name->version = json_integer_value(json_object_get(described, "version"));
	if (name->version == 0)
		name->version = json_integer_value(json_object_get(described, "latest_version"));
	if (!handle || name->version <= 0)
		return err_set(err, ERR_NOT_FOUND, "%s has no version that is active.", name->handle);
	(void)snprintf(name->handle, sizeof name->handle, "%s", handle);
	return true;
}

static bool show_signatures(struct remote *remote, struct name *name, bool as_json, struct err *err)
{
	json_auto_t *json = NULL;

	if (!find_version(remote, name, err) || !get(remote, "signatures", name, &json, err))
		return false;
	if (as_json) {
		listing_print_json(json);
	} else {
		listing_print_signatures(json_object_get(json, "meta_graphs"));
		listing_tell_truncated(json);
	}
	return true;
}

static int run_on_path(int argc, char **argv, const char *command,
	bool (*run)(struct remote *remote, struct name *name, bool as_json, struct err *err))
{
	AUTO(finish_options) struct browse_options options = {0};
	AUTO_REMOTE struct remote *remote = NULL;
	struct name name = {0};
	struct err err;

	if (!read_options(argc, argv, path_options, &options))
		return COMMAND_MISUSE;
	if (argc - optind != 1)
		return command_misuse(command, "%s takes one path, such as acme/half-plus-two/1", command);
	if (!read_path(argv[optind], &name, &err) || !remote_create(&options.remote, &remote, &err) ||
		!run(remote, &name, options.json, &err))
		return command_fail(&err);
	return COMMAND_DONE;
}

int command_show(int argc, char **argv)
{
	return run_on_path(argc, argv, "show", show);
}

int command_signatures(int argc, char **argv)
{
	return run_on_path(argc, argv, "signatures", show_signatures);
}
