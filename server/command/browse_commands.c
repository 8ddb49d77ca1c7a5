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
#include "server/command/command.h"
#include "server/command/listing.h"
#include "server/command/remote.h"
#include "server/module/name.h"

AUTO_CLEANER(own_remote, struct remote *, remote_destroy)
AUTO_CLEANER(own_json, json_t *, json_decref)

enum { PAGES_MAX = 5000 }; /* a million modules */

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

/* Each page as it comes: all modules at once may be many. */
struct pages {
	struct text_table table;
	json_t *modules; /* NULL where a table is wanted */
};

static void finish_pages(struct pages *pages)
{
	text_table_finish(&pages->table);
	json_decref(pages->modules);
}

static void take_page(struct pages *pages, const json_t *page)
{
	json_t *modules = json_object_get(page, "modules");

	if (pages->modules)
		(void)json_array_extend(pages->modules, modules);
	else
		listing_add_modules(&pages->table, modules);
}

static bool fetch_pages(struct remote *remote, const char *query, struct pages *pages, struct err *err)
{
	AUTO_FREE char *next = mem_printf("/api/v1/modules?limit=200%s", query);

	for (int i = 0; next && i < PAGES_MAX; i++) {
		AUTO(own_json) json_t *page = NULL;

		if (!remote_get(remote, next, &page, err))
			return false;
		take_page(pages, page);
		free(next);
		next = mem_dup(json_string_value(json_object_get(page, "next")));
	}
	return !next || err_set(err, ERR_UPSTREAM_FAILED, "The server's list does not end.");
}

static void print_pages(const struct pages *pages)
{
	AUTO(own_json) json_t *all = NULL;

	if (!pages->modules) {
		listing_print(&pages->table);
		return;
	}
	all = json_pack(
		"{s:O,s:I}", "modules", pages->modules, "total", (json_int_t)json_array_size(pages->modules));
	listing_print_json(all);
}

int command_list(int argc, char **argv)
{
	AUTO(finish_options) struct browse_options options = {0};
	AUTO(finish_pages) struct pages pages = {0};
	AUTO(own_remote) struct remote *remote = NULL;
	struct err err;

	if (!read_options(argc, argv, list_options, &options))
		return COMMAND_MISUSE;
	if (argc - optind > 1)
		return command_misuse("list", "list takes one query; put blanks in quotes");
	if (optind < argc)
		add_parameter(&options.query, "q", argv[optind]);
	if (options.json)
		pages.modules = json_array();
	listing_begin_modules(&pages.table);
	if (!remote_create(&options.remote, &remote, &err) ||
		!fetch_pages(remote, buffer_string(&options.query), &pages, &err))
		return command_fail(&err);
	print_pages(&pages);
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

static void print_version(const json_t *version)
{
	static const char *const facts[] = {"handle", "version", "source", "state", "published_by",
		"upstream", "created_at", "description", NULL};
	const json_t *graphs = json_object_get(json_object_get(version, "saved_model"), "meta_graphs");

	listing_print_facts(version, facts);
	(void)putchar('\n');
	listing_print_artifacts(version);
	if (!graphs)
		return;
	(void)putchar('\n');
	listing_print_signatures(graphs);
	listing_tell_truncated(json_object_get(version, "saved_model"));
}

static void print_module(const json_t *module)
{
	static const char *const facts[] = {"handle", "latest_version", "description", NULL};

	listing_print_facts(module, facts);
	(void)putchar('\n');
	listing_print_versions(module);
}

static bool get(
	struct remote *remote, const char *what, const struct name *name, json_t **out, struct err *err)
{
	AUTO_FREE char *target = mem_printf("/api/v1/%s/%s", what, name_path(name).text);

	return remote_get(remote, target, out, err);
}

static bool show(struct remote *remote, struct name *name, bool as_json, struct err *err)
{
	AUTO(own_json) json_t *json = NULL;

	if (!get(remote, "modules", name, &json, err))
		return false;
	if (as_json)
		listing_print_json(json);
	else
		(json_object_get(json, "version") ? print_version : print_module)(json);
	return true;
}

/* Without a version the latest is meant, as for downloads. */
static bool find_version(struct remote *remote, struct name *name, struct err *err)
{
	AUTO(own_json) json_t *described = NULL;
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
	AUTO(own_json) json_t *json = NULL;

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
	AUTO(own_remote) struct remote *remote = NULL;
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
