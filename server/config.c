/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config.h"

#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/config_environment.h"
#include "server/config_keys.h"
#include "server/config_named.h"
#include "server/config_settings.h"
#include "server/upstream/kaggle_places.h"

enum { FILE_SIZE_MAX = 1 << 20, INITIAL_UPSTREAM_COUNT = 2 };

static const struct {
	const char *name;
	const char *url;
} initial_upstreams[INITIAL_UPSTREAM_COUNT] = {
	{"tfhub", "https://tfhub.dev/{path}?{query}"},
	{"gcs", "https://storage.googleapis.com/tfhub-modules/{path}.tar.gz"},
};

static bool is_section(const char *name)
{
	for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		if (strcmp(config_keys[i].section, name) == 0)
			return true;
	}
	return false;
}

/* ---- the struct ---- */

static void drop_upstreams(struct config *config)
{
	for (size_t i = 0; i < config->upstream_count; i++) {
		struct upstream *upstream = &config->upstreams[i];

		free(upstream->name);
		free(upstream->url);
		free(upstream->match);
		free(upstream->formats);
		free(upstream->ca_file);
		free(upstream->bearer_token_file);
		free(upstream->basic_file);
		free(upstream->header_file);
		free(upstream->credentials_file);
		free(upstream->proxy);
	}
	free(TAKE(config->upstreams));
	config->upstream_count = 0;
}

static void drop_webhooks(struct config *config)
{
	for (size_t i = 0; i < config->webhook_count; i++) {
		struct webhook *webhook = &config->webhooks[i];

		free(webhook->name);
		free(webhook->url);
		free(webhook->secret_file);
		free(webhook->events);
		free(webhook->ca_file);
	}
	free(config->webhooks);
}

struct config *config_create(void)
{
	struct config *config = mem_zero(1, sizeof *config);

	keys_set_initial(config_keys, CONFIG_KEY_COUNT, config);
	for (size_t i = 0; i < INITIAL_UPSTREAM_COUNT; i++) {
		struct upstream *upstream =
			named_add(config, named_find("upstream", 8), initial_upstreams[i].name);

		upstream->url = mem_dup(initial_upstreams[i].url);
	}
	return config;
}

void config_destroy(struct config *config)
{
	if (!config)
		return;
	free(config->server.listen);
	free(config->server.public_url);
	free(config->server.trusted_proxies);
	free(config->server.tls_certificate);
	free(config->server.tls_key);
	free(config->storage.data_dir);
	free(config->store.bucket.endpoint);
	free(config->store.bucket.name);
	free(config->store.bucket.prefix);
	free(config->store.bucket.region);
	free(config->store.bucket.credentials_file);
	free(config->store.bucket.ca_file);
	free(config->store.node_url);
	free(config->publish.shadow);
	free(config->publish.namespaces);
	free(config->publish.require_signature);
	free(config->publish.trusted_keys);
	free(config->safety.rules);
	free(config->mirror.allow);
	free(config->mirror.deny);
	free(config->mirror.require_signature);
	free(config->hub.hosts);
	free(config->hub.uncompressed_root);
	free(config->hub.kaggle_map);
	kaggle_places_destroy(config->hub.places);
	drop_upstreams(config);
	drop_webhooks(config);
	settings_drop(config);
	free(config);
}

bool config_set(
	struct config *config, const char *section, const char *key, const char *value, struct err *err)
{
	const struct key *found = key_find(section, key);

	if (!found || named_of(found))
		return err_set(err, ERR_BAD_REQUEST, "there is no key \"%s\" in [%s]", key, section);
	if (!key_set(found, config, value, err))
		return false;
	settings_note(config, section, NULL, key, "the command line");
	return true;
}

/* ---- the file ---- */

/* inih splits the lines; where they are, and which of them it found no sense in, is noted as it pulls them. A
 * key is applied once the next one begins, since lists may go on in indented lines. */
struct reading {
	const char *path;
	const char *rest; /* of the file's text */
	int line;
	bool unclaimed; /* the line says something, and inih has not reported it as a key */
	bool indented;

	char *section; /* NULL while it is one that is not known: its keys are not worth a fault each */
	int key_lines[CONFIG_KEY_COUNT];     /* where each key was set; 0: not in this file */
	const struct named *named;           /* of the section, where it is one of several; else NULL */
	int named_line;                      /* where that begins */
	int named_key_lines[NAMED_KEYS_MAX]; /* of its keys */
	bool has_upstreams;

	char *key; /* NULL: none is pending */
	struct buffer value;
	int value_line;

	struct config *config;
	struct buffer *faults;
	size_t fault_count;
};

static void finish_reading(struct reading *reading)
{
	free(reading->section);
	free(reading->key);
	buffer_finish(&reading->value);
}

static void __attribute__((format(printf, 3, 4)))
add_fault(struct reading *reading, int line, const char *format, ...)
{
	char text[400];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	buffer_printf(reading->faults, "%s:%d: %s\n", reading->path, line, text);
	reading->fault_count++;
}

static void note_setting(struct reading *reading, const struct key *key)
{
	AUTO_FREE char *by = mem_printf("%s:%d", reading->path, reading->value_line);
	const struct named *named = reading->named;

	settings_note(reading->config, key->section,
		named ? *(char **)named_last(named, reading->config) : NULL, key->name, by);
}

static void apply(struct reading *reading, const struct key *key, void *base, int *line)
{
	struct err err;

	if (*line)
		add_fault(reading, reading->value_line, "%s was already set in line %d", key->name, *line);
	else if (!key_set(key, base, buffer_string(&reading->value), &err))
		add_fault(reading, reading->value_line, "%s", err.text);
	else
		note_setting(reading, key);
	*line = reading->value_line;
}

static const struct key *pending_key(const struct reading *reading)
{
	return reading->section && reading->key ? key_find(reading->section, reading->key) : NULL;
}

static void apply_pending(struct reading *reading)
{
	const struct key *key = pending_key(reading);

	if (key && reading->named)
		apply(reading, key, named_last(reading->named, reading->config),
			&reading->named_key_lines[key - reading->named->keys]);
	else if (key)
		apply(reading, key, reading->config, &reading->key_lines[key - config_keys]);
	else if (reading->key && reading->section && *reading->section)
		add_fault(reading, reading->value_line, "there is no key \"%s\" in [%s]", reading->key,
			reading->section);
	else if (reading->key && reading->section)
		add_fault(reading, reading->value_line, "\"%s\" stands before the first [section]",
			reading->key);
	free(TAKE(reading->key));
	buffer_finish(&reading->value);
}

/* What its kind says of its url. */
static void settle_upstream(struct reading *reading)
{
	struct upstream *upstream = named_last(reading->named, reading->config);
	int *line = &reading->named_key_lines[0];
	struct err err;

	if (!*line) {
		upstream_settle(upstream);
		*line = upstream->url ? reading->named_line : 0;
	}
	if (upstream->url && !upstream_check(upstream, &err))
		add_fault(reading, *line, "url: %s", err.text);
}

static void check_named(struct reading *reading, const struct named *named, const char *name)
{
	if (strcmp(named->word, "upstream") == 0)
		settle_upstream(reading);
	for (size_t i = 0; i < named->required; i++) {
		if (!reading->named_key_lines[i])
			add_fault(reading, reading->named_line, "[%s %s] has no %s", named->word, name,
				named->keys[i].name);
	}
}

/* What can be said of one of several only when all of its keys have been read; where variables have some of
 * them, that is later. */
static void close_named(struct reading *reading)
{
	const struct named *named = reading->named;
	const char *name = named ? *(char **)named_last(named, reading->config) : NULL;

	if (named && !environment_speaks_of(named, name))
		check_named(reading, named, name);
	reading->named = NULL;
}

/* The first upstream of a file takes the place of the defaults. */
static void make_way(struct reading *reading, const struct named *named)
{
	if (strcmp(named->word, "upstream") != 0)
		return;
	if (!reading->has_upstreams)
		drop_upstreams(reading->config);
	reading->has_upstreams = true;
}

static bool open_named(struct reading *reading, const struct named *named, const char *name, struct err *err)
{
	struct config *config = reading->config;

	if (!named_fits(name))
		return err_set(err, ERR_BAD_REQUEST,
			"%s %s's name has 1 to %d letters, digits and ._-, as in [%s %s]", named->article,
			named->word, NAMED_LENGTH_MAX, named->word, named->example);
	make_way(reading, named);
	if (named_is_taken(named, config, name))
		return err_set(
			err, ERR_BAD_REQUEST, "there is more than one %s named \"%s\"", named->word, name);
	if (named_count(named, config) == named->most)
		return err_set(err, ERR_BAD_REQUEST, "there are more than %zu %ss", named->most, named->word);
	reading->named = named;
	reading->named_line = reading->line;
	memset(reading->named_key_lines, 0, sizeof reading->named_key_lines);
	(void)named_add(config, named, name);
	return true;
}

static void open_section(struct reading *reading, char *name)
{
	size_t word = strcspn(name, " \t");
	const struct named *named = named_find(name, word);
	struct err err;

	free(TAKE(reading->section));
	if (named) {
		if (open_named(reading, named, name + word + strspn(name + word, " \t"), &err))
			reading->section = mem_dup(named->word);
		else
			add_fault(reading, reading->line, "%s", err.text);
	} else if (is_section(name)) {
		reading->section = mem_dup(name);
	} else {
		add_fault(reading, reading->line, "there is no section [%s]", name);
	}
}

/* inih does not report sections by themselves, and an empty one can be wrong too. */
static void read_section(struct reading *reading, const char *line)
{
	size_t length = strcspn(line, "]\n");
	AUTO_FREE char *name = mem_dup_n(line + 1, length - 1);

	apply_pending(reading);
	close_named(reading);
	if (reading->indented)
		add_fault(reading, reading->line, "a [section] is not indented, nor are its keys");
	if (line[length] == ']') {
		open_section(reading, name);
	} else {
		add_fault(reading, reading->line, "a section's name ends with \"]\"");
		free(TAKE(reading->section));
	}
}

static void finish_line(struct reading *reading)
{
	if (reading->unclaimed)
		add_fault(reading, reading->line,
			"this is neither a [section] nor \"key = value\" nor a # comment");
	reading->unclaimed = false;
}

static void look_at_line(struct reading *reading, const char *line)
{
	size_t blank = strspn(line, " \t\r\n\v\f");

	reading->indented = blank > 0;
	if (line[blank] == '[' && (blank == 0 || !reading->key))
		read_section(reading, line + blank);
	else
		reading->unclaimed = line[blank] && !strchr("#;", line[blank]);
	/* Nothing can continue it any more; at once, so that faults come in the order of lines. */
	if (reading->unclaimed && !reading->indented)
		apply_pending(reading);
}

/* As fgets, for inih. */
static char *read_line(char *line, int size, void *context)
{
	struct reading *reading = context;
	size_t length = strcspn(reading->rest, "\n");

	finish_line(reading);
	if (!*reading->rest)
		return NULL;
	reading->line++;
	if (length + 2 > (size_t)size) {
		add_fault(reading, reading->line,
			"this line has more than %d characters; a list may go on in indented lines",
			size - 2);
		(void)snprintf(line, (size_t)size, "\n");
	} else {
		(void)snprintf(line, (size_t)size, "%.*s\n", (int)length, reading->rest);
		look_at_line(reading, line);
	}
	reading->rest += length + (reading->rest[length] == '\n');
	return line;
}

static void continue_value(struct reading *reading, const char *value)
{
	const struct key *key = pending_key(reading);

	if (key && key->is_list)
		buffer_printf(&reading->value, " %s", value);
	else if (key)
		add_fault(reading, reading->line,
			"an indented line continues the one above it, but %s is no list", key->name);
}

/* inih reports each line of a value that goes on under the same name. */
static int on_key(void *context, const char *section, const char *name, const char *value)
{
	struct reading *reading = context;

	(void)section;
	reading->unclaimed = false;
	if (reading->indented && reading->key) {
		continue_value(reading, value);
		return 1;
	}
	reading->key = mem_dup(name);
	reading->value_line = reading->line;
	buffer_add_string(&reading->value, value);
	return 1;
}

int64_t config_cache_bytes(const struct config *config)
{
	return config->store.kind == STORE_FOLDER ? config->storage.max_bytes : config->store.cache_bytes;
}

const char *config_cache_key(const struct config *config)
{
	return config->store.kind == STORE_FOLDER ? "storage.max_bytes" : "store.cache_bytes";
}

/* A fault between keys, told of what has set one of them: a line, or a variable. */
static void blame(struct reading *reading, const char *section, const char *key, const char *why)
{
	const char *by = settings_by(reading->config, section, key);

	buffer_printf(reading->faults, "%s: %s\n", by ? by : reading->path, why);
	reading->fault_count++;
}

/* What of a bucket does not fit together. */
static void check_store(struct reading *reading)
{
	const struct config *config = reading->config;

	if (config->store.kind == STORE_FOLDER)
		return;
	if (!config->store.bucket.name)
		blame(reading, "store", "kind", "kind = s3 needs bucket as well");
	if (!config->store.bucket.path_style && config->store.bucket.name &&
		strchr(config->store.bucket.name, '.'))
		blame(reading, "store", settings_by(config, "store", "path_style") ? "path_style" : "bucket",
			"a bucket with a \".\" in its name cannot stand before a host's name: path_style = "
			"on");
}

static void check_whole(struct reading *reading)
{
	const struct config *config = reading->config;

	if (config->server.tls_certificate && !config->server.tls_key)
		blame(reading, "server", "tls_certificate", "tls_certificate needs tls_key as well");
	if (config->server.tls_key && !config->server.tls_certificate)
		blame(reading, "server", "tls_key", "tls_key needs tls_certificate as well");
}

static void read_text(struct reading *reading)
{
	(void)ini_parse_stream(read_line, reading, on_key, reading);
	apply_pending(reading);
	close_named(reading);
}

static bool read_file(struct reading *reading, struct err *err)
{
	AUTO_BUFFER struct buffer text = {0};

	if (!file_read_all(reading->path, FILE_SIZE_MAX, &text, err))
		return false;
	reading->config->file = digest_of(buffer_string(&text), text.length);
	reading->section = mem_dup("");
	reading->rest = buffer_string(&text);
	if (strncmp(reading->rest, "\xEF\xBB\xBF", 3) == 0)
		reading->rest += 3;
	read_text(reading);
	if (strlen(buffer_string(&text)) != text.length)
		add_fault(reading, reading->line, "the file goes on behind a NUL byte here: it is no text");
	return true;
}

/* As if it stood behind the file: the first upstream takes the place of the defaults there, too. */
static void read_environment(struct reading *reading)
{
	if (!reading->has_upstreams && environment_speaks_of(named_find("upstream", 8), NULL))
		drop_upstreams(reading->config);
	reading->fault_count += environment_apply(reading->config, reading->faults);
}

bool config_read(
	const char *path, struct config **out, struct buffer *faults, size_t *out_count, struct err *err)
{
	AUTO_CONFIG struct config *config = config_create();
	AUTO(finish_reading)
	struct reading reading = {
		.path = path ? path : "the environment", .config = config, .faults = faults};

	if (path && !read_file(&reading, err))
		return false;
	read_environment(&reading);
	check_whole(&reading);
	check_store(&reading);
	*out = TAKE(config);
	*out_count = reading.fault_count;
	return true;
}

bool config_refuse(const char *path, size_t count, struct err *err)
{
	return err_set(err, ERR_BAD_REQUEST, "%s has %zu fault%s", path ? path : "the environment", count,
		count == 1 ? "" : "s");
}

bool config_load(const char *path, struct config **out, struct buffer *faults, struct err *err)
{
	AUTO_CONFIG struct config *config = NULL;
	size_t count = 0;

	if (!config_read(path, &config, faults, &count, err))
		return false;
	if (count > 0)
		return config_refuse(path, count, err);
	*out = TAKE(config);
	return true;
}
