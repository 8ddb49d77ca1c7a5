/* SPDX-License-Identifier: Apache-2.0
 *
 * list, show and signatures: what a registry has, for people. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/uri.h"
#include "server/command/asking.h"
#include "server/command/cells.h"
#include "server/command/command.h"
#include "server/command/listing.h"
#include "server/command/module_target.h"
#include "server/command/paging.h"
#include "server/module/name.h"

struct list_options {
	struct remote_options remote;
	struct option_texts filters; /* parameters of the URL, by their options' names */
	bool json;
};

/* Options have dashes where parameters have underscores. */
static void add_parameter(struct buffer *query, const char *name, const char *value)
{
	AUTO_FREE char *parameter = mem_dup(name);

	for (char *dash = strchr(parameter, '-'); dash; dash = strchr(dash, '-'))
		*dash = '_';
	buffer_printf(query, "&%s=", parameter);
	uri_encode(query, value, "");
}

/* ---- list ---- */

struct modules {
	struct text_table table;
	size_t count;
	char *meant; /* what the words may have meant; NULL */
	struct listing_items items;
};

static void finish_modules(struct modules *modules)
{
	text_table_finish(&modules->table);
	free(modules->meant);
}

static void print_rows(void *context, const json_t *page)
{
	struct modules *modules = context;

	const char *meant = json_string_value(json_object_get(page, "did_you_mean"));

	if (meant && !modules->meant) {
		modules->meant = mem_dup(meant);
		text_table_blank_controls(modules->meant);
	}
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

/* Where there is nothing, or words were probably meant otherwise. */
static void tell_of_few(const struct modules *modules, bool searched)
{
	const char *none = searched ? "no module matches" : "there is no module yet";

	if (modules->meant)
		(void)fprintf(stderr, "%s%sdid you mean \"%s\"?\n", modules->count == 0 ? none : "",
			modules->count == 0 ? "; " : "", modules->meant);
	else if (modules->count == 0)
		(void)fprintf(stderr, "%s\n", none);
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
	else
		tell_of_few(&modules, *query != 0);
	return true;
}

static void write_query(const struct list_options *options, const char *words, struct buffer *out)
{
	for (size_t i = 0; i < options->filters.count; i++)
		add_parameter(out, options->filters.names[i], options->filters.values[i]);
	if (words)
		add_parameter(out, "q", words);
}

static int run_list(void *values, int count, char **words)
{
	const struct list_options *options = values;
	AUTO_BUFFER struct buffer query = {0};
	AUTO_REMOTE struct remote *remote = NULL;
	struct err err;

	if (count > 1)
		return command_misuse("list", "list takes one query; put blanks in quotes");
	write_query(options, words[0], &query);
	if (!remote_create(&options->remote, &remote, &err) ||
		!list(remote, buffer_string(&query), options->json, &err))
		return command_fail(&err);
	return COMMAND_DONE;
}

static const struct option_row list_rows[] = {
	{"publisher", 0, "NAME", TEXTS_INTO(struct list_options, filters), "only this publisher's"},
	{"format", 0, "FORMAT", TEXTS_INTO(struct list_options, filters),
		"only those that come as " FORMATS_IN_WORDS, .choices = FORMATS_TO_CHOOSE},
	{"source", 0, "SOURCE", TEXTS_INTO(struct list_options, filters),
		"only those that are published, mirrored or listed", .choices = "published mirrored listed"},
	{"cached", 0, "false", MAYBE_INTO(struct list_options, filters),
		"only those that are here, or are not"},
	{"task", 0, "TASK", TEXTS_INTO(struct list_options, filters),
		"only those for this task, as they are documented"},
	{"dataset", 0, "DATASET", TEXTS_INTO(struct list_options, filters),
		"only those that were trained on it, likewise"},
	{"language", 0, "LANGUAGE", TEXTS_INTO(struct list_options, filters), "only those for this language"},
	{"architecture", 0, "ARCHITECTURE", TEXTS_INTO(struct list_options, filters),
		"only those of this architecture"},
	{"license", 0, "LICENSE", TEXTS_INTO(struct list_options, filters), "only those under this licence"},
	{"fine-tunable", 0, "false", MAYBE_INTO(struct list_options, filters),
		"only those that can be trained on, or cannot"},
	{"finding", 0, "RULE", TEXTS_INTO(struct list_options, filters),
		"only those whose latest version has this warning or safety finding, such as folder-missing"},
	{"op", 0, "OP", TEXTS_INTO(struct list_options, filters),
		"only those whose graph has this op, such as MatMul"},
	{"input-dtype", 0, "DTYPE", TEXTS_INTO(struct list_options, filters),
		"only those that take such a tensor, such as string"},
	{"output-dtype", 0, "DTYPE", TEXTS_INTO(struct list_options, filters), "only those that give one"},
	{"tag", 0, "TAG", TEXTS_INTO(struct list_options, filters),
		"only those that have a meta graph with this tag, such as serve"},
	{"tensorflow-version", 0, "VERSION", TEXTS_INTO(struct list_options, filters),
		"only those that this wrote, such as 2 or 2.11"},
	{"parent-model", 0, "HANDLE", TEXTS_INTO(struct list_options, filters),
		"only those that were made from this one for other devices"},
	{"fold", 0, "false", MAYBE_INTO(struct list_options, filters),
		"leave out those whose parent is listed, too"},
	{"min-size", 0, "SIZE", TEXTS_INTO(struct list_options, filters),
		"only those of at least so many bytes, such as 20M"},
	{"max-size", 0, "SIZE", TEXTS_INTO(struct list_options, filters), "only those of at most so many"},
	{"sort", 0, "ORDER", TEXTS_INTO(struct list_options, filters),
		"relevance, name, downloads, trending, updated or size",
		.choices = "relevance name downloads trending updated size"},
	{"json", 0, NULL, FLAG_INTO(struct list_options, json), "print JSON"},
	{0},
};

const struct command command_list = {
	.name = "list",
	.summary = "list modules, or search them",
	.forms = {"[QUERY]"},
	.remarks =
		"Lists what a registry has: a table on a terminal, fields separated by tabs elsewhere. QUERY "
		"is "
		"words that the name, description, documentation or tags of a module have. Modules must pass "
		"every filter; of one that is given several times any value will do.",
	.groups = {{list_rows, 0}, {remote_option_rows, offsetof(struct list_options, remote)}},
	.options_size = sizeof(struct list_options),
	.run = run_list,
};

/* ---- show and signatures ---- */

/* What it names is for the server to say; only a file's name is refused here. The text is safe in a URL: the
 * grammar of names allows nothing that needs escaping. */
static bool read_path(const char *path, struct name *name, struct err *err)
{
	struct name_reading readings[NAME_READINGS_MAX];
	const char *text = path + strspn(path, "/");
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

static void print_findings(const json_t *findings)
{
	const json_t *finding;
	size_t i;

	json_array_foreach(findings, i, finding)
	{
		const char *where = cell_text(finding, "where");
		AUTO_FREE char *text = mem_printf("%s, %s: %s%s%s", cell_text(finding, "severity"),
			cell_text(finding, "rule"), cell_text(finding, "detail"), *where ? ", in " : "",
			where);

		listing_print_fact("finding", text);
	}
}

static void print_attestations(const json_t *attestations)
{
	const json_t *attestation;
	size_t i;

	json_array_foreach(attestations, i, attestation)
	{
		const char *signer = cell_text(attestation, "signed_by");
		AUTO_FREE char *text = mem_printf("%s, %s, %s%s", cell_text(attestation, "format"),
			cell_text(attestation, "predicate_type"),
			*signer ? "signed by " : "by no key that is trusted there", signer);

		listing_print_fact("attested", text);
	}
}

static void print_version(const json_t *version)
{
	static const char *const facts[] = {"handle", "version", "source", "state", "published_by",
		"upstream", "created_at", "description", NULL};

	listing_print_facts(version, facts);
	print_bundles(json_object_get(version, "artifacts"));
	print_findings(json_object_get(version, "findings"));
	print_attestations(json_object_get(version, "attestations"));
	(void)putchar('\n');
	listing_print_artifacts(version);
	listing_print_models(version);
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

struct signatures_options {
	struct asking asking;
	const char *format; /* NULL: the first that lists any */
};

static bool show_signatures(
	struct remote *remote, struct name *name, const struct signatures_options *options, struct err *err)
{
	AUTO_BUFFER struct buffer target = {0};
	json_auto_t *json = NULL;

	if (!find_version(remote, name, err))
		return false;
	buffer_printf(&target, "/api/v1/signatures/%s", name_path(name).text);
	if (options->format) {
		buffer_add_string(&target, "?format=");
		uri_encode(&target, options->format, "");
	}
	if (!remote_get(remote, buffer_string(&target), &json, err))
		return false;
	if (options->asking.json) {
		listing_print_json(json);
	} else {
		listing_print_signatures(json_object_get(json, "meta_graphs"));
		listing_tell_truncated(json);
	}
	return true;
}

static bool begin(const struct asking *asking, const char *path, struct remote **remote, struct name *name,
	struct err *err)
{
	AUTO_FREE char *named = NULL;

	if (!remote_create(&asking->remote, remote, err) || !module_target_path(path, *remote, &named, err))
		return false;
	/* One that was copied asks for a format. */
	named[strcspn(named, "?")] = '\0';
	return read_path(named, name, err);
}

static int refuse_words(const char *command)
{
	return command_misuse(command, "%s takes one path, such as acme/half-plus-two/1", command);
}

static int run_show(void *values, int count, char **words)
{
	const struct asking *asking = values;
	AUTO_REMOTE struct remote *remote = NULL;
	struct name name = {0};
	struct err err;

	if (count != 1)
		return refuse_words("show");
	if (!begin(asking, words[0], &remote, &name, &err) || !show(remote, &name, asking->json, &err))
		return command_fail(&err);
	return COMMAND_DONE;
}

static int run_signatures(void *values, int count, char **words)
{
	const struct signatures_options *options = values;
	AUTO_REMOTE struct remote *remote = NULL;
	struct name name = {0};
	struct err err;

	if (count != 1)
		return refuse_words("signatures");
	if (!begin(&options->asking, words[0], &remote, &name, &err) ||
		!show_signatures(remote, &name, options, &err))
		return command_fail(&err);
	return COMMAND_DONE;
}

static const struct option_row signatures_rows[] = {
	{"format", 0, "FORMAT", TEXT_INTO(struct signatures_options, format),
		FORMATS_IN_WORDS " (default: the first that lists any)", .choices = FORMATS_TO_CHOOSE},
	{0},
};

const struct command command_show = {
	.name = "show",
	.summary = "tell what a registry knows of a module or a version",
	.forms = {"PATH"},
	.remarks = "PATH is a module, such as acme/half-plus-two, or a version of it, such as "
		   "acme/half-plus-two/1, or its URL.",
	.groups = {{asking_option_rows, 0}, {remote_option_rows, offsetof(struct asking, remote)}},
	.options_size = sizeof(struct asking),
	.run = run_show,
};

const struct command command_signatures = {
	.name = "signatures",
	.summary = "list what a model takes and gives",
	.forms = {"PATH"},
	.remarks =
		"Lists the signatures' inputs and outputs, a row each; callables have brackets behind their "
		"name. Without a version in PATH the latest is meant.",
	.groups = {{signatures_rows, 0}, {asking_option_rows, offsetof(struct signatures_options, asking)},
		{remote_option_rows, offsetof(struct signatures_options, asking.remote)}},
	.options_size = sizeof(struct signatures_options),
	.run = run_signatures,
};
