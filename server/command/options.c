/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/options.h"

#include <assert.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/nearness.h"
#include "common/own.h"

static bool has_form(unsigned forms, size_t form)
{
	return !forms || (forms & 1u << form);
}

bool options_in_form(const struct option_group *group, const struct option_row *row, size_t form)
{
	return has_form(group->forms, form) && has_form(row->forms, form);
}

enum { FIRST_LONG = 256 }; /* above all letters */

/* The rows as getopt takes them, and where each leads. */
struct table {
	const struct option_row *rows[OPTIONS_MAX];
	void *places[OPTIONS_MAX];
	struct option known[OPTIONS_MAX + 1];
	char letters[2 * OPTIONS_MAX + 2];
	size_t count;
};

static int argument_of(const struct option_row *row)
{
	if (row->kind == OPTION_FLAG)
		return no_argument;
	return row->kind == OPTION_MAYBE ? optional_argument : required_argument;
}

static void add_letter(struct table *table, const struct option_row *row)
{
	size_t length = strlen(table->letters);

	table->letters[length++] = row->letter;
	if (row->kind != OPTION_FLAG)
		table->letters[length++] = ':';
	table->letters[length] = '\0';
}

static void make_table(const struct option_group *groups, void *values, struct table *table)
{
	/* So that getopt tells what is missing from what is unknown. */
	table->letters[0] = ':';
	OPTIONS_EACH(group, row, groups)
	{
		assert(table->count < OPTIONS_MAX);
		table->rows[table->count] = row;
		table->places[table->count] = (char *)values + group->offset + row->offset;
		table->known[table->count] =
			(struct option){row->name, argument_of(row), NULL, FIRST_LONG + (int)table->count};
		if (row->letter)
			add_letter(table, row);
		table->count++;
	}
}

/* The place of the row that getopt means; table->count where it is none. */
static size_t find_row(const struct table *table, int letter)
{
	size_t i = 0;

	if (letter >= FIRST_LONG)
		return (size_t)(letter - FIRST_LONG);
	while (i < table->count && (!letter || table->rows[i]->letter != letter))
		i++;
	return i;
}

/* ---- complaints ---- */

/* Two options begin as this one does. */
static bool refuse_ambiguous(const char *name, const struct table *table, struct err *err)
{
	const char *first = NULL;

	for (size_t i = 0; i < table->count; i++) {
		if (strncmp(table->rows[i]->name, name, strlen(name)) != 0)
			continue;
		if (first)
			return err_set(err, ERR_BAD_REQUEST, "--%.60s may be --%s or --%s", name, first,
				table->rows[i]->name);
		first = table->rows[i]->name;
	}
	return err_set(err, ERR_BAD_REQUEST, "unknown option --%.60s", name);
}

static bool refuse_long(const char *word, const struct table *table, struct err *err)
{
	AUTO_FREE char *name = mem_dup_n(word + 2, strcspn(word + 2, "="));
	const char *names[OPTIONS_MAX];
	const char *meant;

	for (size_t i = 0; i < table->count; i++)
		names[i] = table->rows[i]->name;
	meant = nearness_find(names, table->count, name);
	if (meant)
		return err_set(
			err, ERR_BAD_REQUEST, "unknown option --%.60s (did you mean --%s?)", name, meant);
	return refuse_ambiguous(name, table, err);
}

/* After getopt has answered '?' or ':'. */
static bool refuse(int answer, char **argv, const struct table *table, struct err *err)
{
	size_t i = find_row(table, optopt);

	if (optopt && i < table->count && answer == ':')
		return err_set(err, ERR_BAD_REQUEST, "--%s takes a value: --%s %s", table->rows[i]->name,
			table->rows[i]->name, table->rows[i]->value);
	if (optopt && i < table->count)
		return err_set(err, ERR_BAD_REQUEST, "--%s takes no value", table->rows[i]->name);
	if (optopt)
		return err_set(err, ERR_BAD_REQUEST, "unknown option -%c", optopt);
	return refuse_long(argv[optind - 1], table, err);
}

/* ---- values ---- */

static void append(struct option_texts *texts, const struct option_row *row, const char *value)
{
	size_t count = texts->count + 1;

	texts->values = mem_resize(texts->values, count, sizeof *texts->values);
	texts->names = mem_resize(texts->names, count, sizeof *texts->names);
	texts->values[texts->count] = value ? value : "true";
	texts->names[texts->count] = row->name;
	texts->count = count;
}

static void forget(void *place)
{
	char **text = place;

	free(*text);
	*text = NULL;
}

/* What is in argv, anybody on the machine can read. */
static void take_secret(void *place, char *value)
{
	forget(place);
	*(char **)place = mem_dup(value);
	memset(value, '*', strlen(value));
}

static void take(const struct table *table, size_t i, struct option_given *given)
{
	const struct option_row *row = table->rows[i];
	bool is_new = true;

	for (size_t j = 0; j < given->count; j++)
		is_new = is_new && given->rows[j] != row;
	if (is_new)
		given->rows[given->count++] = row;
	if (row->kind == OPTION_FLAG)
		*(bool *)table->places[i] = true;
	else if (row->is_secret)
		take_secret(table->places[i], optarg);
	else if (row->kind == OPTION_TEXT)
		*(const char **)table->places[i] = optarg;
	else
		append(table->places[i], row, optarg);
}

/* Names of options that many commands have: whoever gives one to a command without it means no other that
 * begins so. */
static bool refuse_elsewhere(const struct table *table, int argc, char **argv, struct err *err)
{
	static const char *const elsewhere[] = {"data", "config", "server", "token"};

	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		AUTO_FREE char *name = strncmp(argv[i], "--", 2) == 0
					       ? mem_dup_n(argv[i] + 2, strcspn(argv[i] + 2, "="))
					       : mem_dup("");
		bool is_ours = false, is_elsewhere = false;

		for (size_t row = 0; row < table->count; row++)
			is_ours = is_ours || strcmp(table->rows[row]->name, name) == 0;
		for (size_t j = 0; j < sizeof elsewhere / sizeof *elsewhere; j++)
			is_elsewhere = is_elsewhere || strcmp(elsewhere[j], name) == 0;
		if (is_elsewhere && !is_ours)
			return !err_set(err, ERR_BAD_REQUEST, "this command takes no --%s", name);
	}
	return false;
}

bool options_read(const struct option_group *groups, int argc, char **argv, void *values,
	struct option_given *given, struct err *err)
{
	struct table table = {0};
	int answer;

	make_table(groups, values, &table);
	*given = (struct option_given){0};
	if (refuse_elsewhere(&table, argc, argv, err))
		return false;
	while ((answer = getopt_long(argc, argv, table.letters, table.known, NULL)) != -1) {
		if (answer == '?' || answer == ':')
			return refuse(answer, argv, &table, err);
		take(&table, find_row(&table, answer), given);
	}
	given->words = optind;
	return true;
}

void options_finish(const struct option_group *groups, void *values)
{
	OPTIONS_EACH(group, row, groups)
	{
		struct option_texts *texts = (void *)((char *)values + group->offset + row->offset);

		if (row->is_secret)
			forget(texts);
		if (row->kind == OPTION_FLAG || row->kind == OPTION_TEXT)
			continue;
		free(texts->values);
		free(texts->names);
		*texts = (struct option_texts){0};
	}
}
