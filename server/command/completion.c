/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/completion.h"

#include <string.h>

/* What help calls things that are files, folders or commands, wherever it calls them so. */
static const struct {
	const char *name;
	enum completion_kind kind;
} names[] = {{"FILE", COMPLETION_FILES}, {"FILE.tar", COMPLETION_FILES}, {"FILE.md", COMPLETION_FILES},
	{"BUNDLE", COMPLETION_FILES}, {"TAR", COMPLETION_FILES}, {"KEY", COMPLETION_FILES},
	{"DIR", COMPLETION_FOLDERS}, {"COMMAND", COMPLETION_COMMANDS}};

static enum completion_kind kind_of_name(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strlen(names[i].name) == length && strncmp(name, names[i].name, length) == 0)
			return names[i].kind;
	}
	return COMPLETION_NOTHING;
}

/* Of "[DIR|FILE]..." a file: folders are completed on the way to one. */
static enum completion_kind kind_of_word(const char *word, size_t length)
{
	static const char separators[] = "[]|";
	enum completion_kind kind = COMPLETION_NOTHING;
	size_t end = length;

	while (end > 0 && strchr("].", word[end - 1]))
		end--;
	for (size_t i = strspn(word, separators); i < end;) {
		size_t step = strcspn(word + i, separators);
		enum completion_kind here;

		step = step < end - i ? step : end - i;
		here = kind_of_name(word + i, step);
		kind = here == COMPLETION_FILES || kind == COMPLETION_NOTHING ? here : kind;
		i += step;
		i += strspn(word + i, separators);
	}
	return kind;
}

enum completion_kind completion_of_value(const struct option_row *row)
{
	if (completion_choices(row))
		return COMPLETION_CHOICES;
	return row->value ? kind_of_word(row->value, strlen(row->value)) : COMPLETION_NOTHING;
}

const char *completion_choices(const struct option_row *row)
{
	return row->kind == OPTION_MAYBE && !row->choices ? "true false" : row->choices;
}

/* What stands behind an option is its value. */
static enum completion_kind kind_of_form(const char *form)
{
	enum completion_kind kind = COMPLETION_NOTHING;
	bool is_value = false;

	for (const char *word = form; *word; word += strspn(word, " ")) {
		size_t length = strcspn(word, " ");
		enum completion_kind here = kind_of_word(word, length);

		if (!is_value && here != COMPLETION_NOTHING)
			kind = here;
		is_value = *word == '-';
		word += length;
	}
	return kind;
}

enum completion_kind completion_of_words(const struct command *command)
{
	enum completion_kind kind = COMPLETION_NOTHING;

	for (size_t form = 0; command->forms[form] && kind == COMPLETION_NOTHING; form++)
		kind = kind_of_form(command->forms[form]);
	return kind;
}

const char *completion_named(const struct command *command, size_t form, size_t *out_length)
{
	const char *text = command->forms[form];

	*out_length = strcspn(text, " ");
	return *text >= 'a' && *text <= 'z' ? text : NULL;
}

void completion_write_quoted(FILE *out, const char *text, const char *special, const char *quote)
{
	(void)fputc('\'', out);
	for (; *text && *text != '\n'; text++) {
		if (*text == '\'') {
			(void)fputs(quote, out);
			continue;
		}
		if (strchr(special, *text))
			(void)fputc('\\', out);
		(void)fputc(*text, out);
	}
	(void)fputc('\'', out);
}
