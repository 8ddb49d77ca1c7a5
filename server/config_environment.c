/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config_environment.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/err.h"
#include "common/mem.h"
#include "common/nearness.h"
#include "common/own.h"
#include "server/config_keys.h"
#include "server/config_named.h"
#include "server/config_settings.h"
#include "server/upstream/upstream.h"

enum { VARIABLES_MAX = 1024 };

static const char prefix[] = "LARDER_";
/* Variables of commands that ask a registry. */
static const char *const of_clients[] = {"SERVER", "TOKEN"};

/* What a variable stands for. */
struct meant {
	const struct key *key;
	const struct named *named; /* NULL: there is one section of that name */
	char name[NAMED_LENGTH_MAX + 1];
};

struct environment {
	struct config *config;
	struct buffer *faults;
	size_t fault_count;
};

/* ---- variables ---- */

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Those that are ours to look at, by name; of more than the system passes on there are none. */
static size_t list_variables(const char *found[VARIABLES_MAX])
{
	size_t count = 0;

	for (char **variable = environ; variable && *variable && count < VARIABLES_MAX; variable++) {
		if (strncmp(*variable, prefix, sizeof prefix - 1) == 0 && strchr(*variable, '='))
			found[count++] = *variable;
	}
	qsort(found, count, sizeof *found, compare);
	return count;
}

/* The name behind LARDER_; free() it. */
static char *word_of(const char *variable)
{
	return mem_dup_n(variable + sizeof prefix - 1, strcspn(variable, "=") - (sizeof prefix - 1));
}

static bool begins(const char *text, const char *beginning)
{
	return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* Kubernetes tells each container of the services beside it so. */
static bool is_service(const char *word, const char *value)
{
	return strstr(word, "SERVICE_HOST") || strstr(word, "SERVICE_PORT") ||
	       (strstr(word, "PORT") && (strstr(word, "_TCP") || strstr(word, "_UDP") ||
						begins(value, "tcp://") || begins(value, "udp://")));
}

/* ---- names ---- */

/* Whether a word is SECTION_KEY. */
static bool spells(const char *word, const struct key *key)
{
	size_t length = strlen(key->section);

	return strncasecmp(word, key->section, length) == 0 && word[length] == '_' &&
	       strcasecmp(word + length + 1, key->name) == 0;
}

/* What stands between SECTION_ and _KEY; 0: it does not end with this key. */
static size_t name_length(const char *rest, const struct key *key)
{
	size_t length = strlen(rest);
	size_t end = strlen(key->name) + 1;

	return length > end && rest[length - end] == '_' &&
			       strcasecmp(rest + length - end + 1, key->name) == 0
		       ? length - end
		       : 0;
}

/* The shortest name, and so the longest key, since names may have underscores as well. */
static bool read_named(const struct named *named, const char *rest, struct meant *out)
{
	size_t shortest = NAMED_LENGTH_MAX + 1;

	for (size_t i = 0; i < named->key_count; i++) {
		size_t length = name_length(rest, &named->keys[i]);

		if (length == 0 || length >= shortest)
			continue;
		shortest = length;
		out->key = &named->keys[i];
	}
	if (shortest > NAMED_LENGTH_MAX)
		return false;
	out->named = named;
	for (size_t i = 0; i < shortest; i++)
		out->name[i] = (char)tolower((unsigned char)rest[i]);
	return named_fits(out->name);
}

static bool read_word(const char *word, struct meant *out)
{
	size_t length = strcspn(word, "_");
	AUTO_FREE char *first = mem_dup_n(word, length);
	const struct named *named;

	*out = (struct meant){0};
	for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		if (spells(word, &config_keys[i])) {
			out->key = &config_keys[i];
			return true;
		}
	}
	for (char *c = first; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	named = named_find(first, length);
	return named && word[length] == '_' && read_named(named, word + length + 1, out);
}

/* As LARDER_ would have it; free() it. */
static char *spell(const struct key *key)
{
	char *text = mem_printf("%s_%s", key->section, key->name);

	for (char *c = text; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	return text;
}

/* The key that was meant by this one, which is none: in another section, or mistyped. */
static const struct key *find_near(const char *word)
{
	size_t slack = nearness_slack(strlen(word));

	for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		AUTO_FREE char *right = spell(&config_keys[i]);

		if (strcasecmp(word, config_keys[i].name) == 0 ||
			nearness_distance(right, word, slack) <= slack)
			return &config_keys[i];
	}
	return NULL;
}

/* Whether it begins as a variable of a section does. */
static bool has_section(const char *word)
{
	for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		size_t length = strlen(config_keys[i].section);

		if (strncasecmp(word, config_keys[i].section, length) == 0 && word[length] == '_')
			return true;
	}
	return strncasecmp(word, "upstream_", 9) == 0 || strncasecmp(word, "webhook_", 8) == 0;
}

static bool is_of_client(const char *word)
{
	for (size_t i = 0; i < sizeof of_clients / sizeof *of_clients; i++) {
		if (strcmp(word, of_clients[i]) == 0)
			return true;
	}
	return false;
}

/* ---- values ---- */

static void add_fault(struct environment *environment, const char *word, const char *why)
{
	buffer_printf(environment->faults, "%s%s: %s\n", prefix, word, why);
	environment->fault_count++;
}

static void refuse(struct environment *environment, const char *word)
{
	const struct key *near = find_near(word);
	AUTO_FREE char *right = near ? spell(near) : NULL;
	AUTO_FREE char *why =
		right ? mem_printf(
				"no key of the configuration is called so; did you mean %s%s?", prefix, right)
		      : mem_dup("no key of the configuration is called so (LARDER_SECTION_KEY, "
				"LARDER_UPSTREAM_NAME_KEY)");

	if (near || has_section(word))
		add_fault(environment, word, why);
}

/* Names of the file may have what variables cannot: "tf.hub" is TF_HUB. */
static bool is_same_name(const char *name, const char *meant)
{
	for (; *name && *meant; name++, meant++) {
		char letter = (char)tolower((unsigned char)*name);

		if (letter != *meant && !(*meant == '_' && strchr(".-", letter)))
			return false;
	}
	return *name == *meant;
}

static void *find_item(const struct config *config, const struct meant *meant)
{
	for (size_t i = 0; i < named_count(meant->named, config); i++) {
		void *item = named_item(meant->named, config, i);

		if (is_same_name(*(char **)item, meant->name))
			return item;
	}
	return NULL;
}

/* Where the key's slot is; NULL, with *err, where there may be no more. */
static void *base_of(struct config *config, const struct meant *meant, struct err *err)
{
	void *item = meant->named ? find_item(config, meant) : config;

	if (item)
		return item;
	if (named_count(meant->named, config) < meant->named->most)
		return named_add(config, meant->named, meant->name);
	(void)err_set(
		err, ERR_BAD_REQUEST, "there are more than %zu %ss", meant->named->most, meant->named->word);
	return NULL;
}

static bool set(
	struct config *config, const struct meant *meant, const char *value, const char *by, struct err *err)
{
	AUTO_FREE char *text = mem_dup(value + strspn(value, " \t"));
	size_t length = strlen(text);
	void *base;

	if (strpbrk(text, "\r\n"))
		return err_set(err, ERR_BAD_REQUEST, "%s is one line", meant->key->name);
	while (length > 0 && strchr(" \t", text[length - 1]))
		text[--length] = '\0';
	base = base_of(config, meant, err);
	if (!base || !key_set(meant->key, base, text, err))
		return false;
	settings_note(
		config, meant->key->section, meant->named ? *(char **)base : NULL, meant->key->name, by);
	return true;
}

static void apply(struct environment *environment, const char *variable)
{
	AUTO_FREE char *word = word_of(variable);
	AUTO_FREE char *by = mem_printf("%s%s", prefix, word);
	const char *value = strchr(variable, '=') + 1;
	struct meant meant;
	struct err err;

	if (is_service(word, value) || is_of_client(word))
		return;
	if (!read_word(word, &meant))
		refuse(environment, word);
	else if (!set(environment->config, &meant, value, by, &err))
		add_fault(environment, word, err.text);
}

/* ---- what must be set ---- */

/* A variable of a section of which there may be several, without LARDER_; free() it. */
static char *spell_named(const struct named *named, const void *item, const struct key *key)
{
	char *word = mem_printf("%s_%s_%s", named->word, *(char *const *)item, key->name);

	for (char *c = word; *c; c++)
		*c = strchr(".-", *c) ? '_' : (char)toupper((unsigned char)*c);
	return word;
}

/* Named after the variable that would mend it. */
static void check_required(struct environment *environment, const struct named *named, void *item)
{
	for (size_t i = 0; i < named->required; i++) {
		AUTO_FREE char *word = spell_named(named, item, &named->keys[i]);
		AUTO_FREE char *why =
			mem_printf("[%s %s] has no %s", named->word, *(char **)item, named->keys[i].name);

		if (!*(char **)((char *)item + named->keys[i].offset))
			add_fault(environment, word, why);
	}
}

static void check_upstream(struct environment *environment, const struct named *named, void *item)
{
	struct upstream *upstream = item;
	AUTO_FREE char *word = spell_named(named, item, &named->keys[0]);
	struct err err;

	upstream_settle(upstream);
	if (upstream->url && !upstream_check(upstream, &err))
		add_fault(environment, word, err.text);
	check_required(environment, named, item);
}

/* Of those that the environment speaks of: the file's have been looked at. */
static void check_all(struct environment *environment, const char *kind,
	void (*check)(struct environment *environment, const struct named *named, void *item))
{
	const struct named *named = named_find(kind, strlen(kind));

	for (size_t i = 0; i < named_count(named, environment->config); i++) {
		void *item = named_item(named, environment->config, i);

		if (environment_speaks_of(named, *(char **)item))
			check(environment, named, item);
	}
}

size_t environment_apply(struct config *config, struct buffer *faults)
{
	struct environment environment = {.config = config, .faults = faults};
	const char *variables[VARIABLES_MAX];
	size_t count = list_variables(variables);

	for (size_t i = 0; i < count; i++)
		apply(&environment, variables[i]);
	if (environment.fault_count > 0)
		return environment.fault_count;
	check_all(&environment, "upstream", check_upstream);
	check_all(&environment, "webhook", check_required);
	return environment.fault_count;
}

static bool is_of(const struct named *named, const char *name, const char *variable)
{
	AUTO_FREE char *word = word_of(variable);
	struct meant meant;

	return !is_service(word, strchr(variable, '=') + 1) && read_word(word, &meant) &&
	       meant.named == named && (!name || is_same_name(name, meant.name));
}

bool environment_speaks_of(const struct named *named, const char *name)
{
	const char *variables[VARIABLES_MAX];
	size_t count = list_variables(variables);

	for (size_t i = 0; i < count; i++) {
		if (is_of(named, name, variables[i]))
			return true;
	}
	return false;
}

void environment_tell(const struct config *config, struct buffer *out)
{
	for (size_t i = 0; i < config->setting_count; i++) {
		if (begins(config->settings[i].by, prefix))
			buffer_printf(out, ", %s", config->settings[i].by);
	}
}

void environment_note_unknown(struct buffer *out)
{
	const char *variables[VARIABLES_MAX];
	size_t count = list_variables(variables);

	for (size_t i = 0; i < count; i++) {
		AUTO_FREE char *word = word_of(variables[i]);
		struct meant meant;

		if (!is_service(word, strchr(variables[i], '=') + 1) && !is_of_client(word) &&
			!read_word(word, &meant))
			buffer_printf(out, "note: %s%s is no key of the configuration\n", prefix, word);
	}
}
