/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/command/text_table.h"

int command_fail(const struct err *err)
{
	struct err shown = *err;
	AUTO_FREE char *line = NULL;

	/* It may quote a server, or a file of strangers. */
	text_table_blank_controls(shown.text);
	line = mem_printf("larder: %s", shown.text);
	log_lines(LOG_LEVEL_ERROR, line);
	return COMMAND_FAILED;
}

int command_misuse(const char *command, const char *format, ...)
{
	va_list arguments;

	(void)fputs("larder: ", stderr);
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fprintf(stderr, "; see \"larder %s --help\"\n", command);
	return COMMAND_MISUSE;
}

const struct option_row place_option_rows[] = {
	{"config", 0, "FILE", TEXT_INTO(struct place_options, config),
		"the configuration, with the data folder and the limits"},
	{"data", 0, "DIR", TEXT_INTO(struct place_options, data), "the data folder (default: larder-data)"},
	{0},
};

bool command_read_config(const struct place_options *place, struct config **out, struct buffer *faults,
	size_t *out_count, struct err *err)
{
	AUTO_CONFIG struct config *config = NULL;
	size_t count = 0;

	if (!config_read(place->config, &config, faults, &count, err))
		return false;
	if (place->data && !config_set(config, "storage", "data_dir", place->data, err))
		return false;
	*out = TAKE(config);
	*out_count = count;
	return true;
}

bool command_load_config(const struct place_options *place, struct config **out, struct err *err)
{
	AUTO_CONFIG struct config *config = NULL;
	AUTO_BUFFER struct buffer faults = {0};
	size_t count = 0;

	if (!command_read_config(place, &config, &faults, &count, err))
		return false;
	log_lines(LOG_LEVEL_ERROR, buffer_string(&faults));
	if (count > 0)
		return config_refuse(place->config, count, err);
	*out = TAKE(config);
	return true;
}

bool command_open_file(const char *name, FILE **out, struct err *err)
{
	*out = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
	return *out || err_errno(err, errno, "open %s", name);
}

void command_close_file(FILE **file)
{
	if (*file && *file != stdin)
		(void)fclose(*file);
}

bool command_parse_duration(const char *text, int64_t *out_s)
{
	static const struct {
		char letter;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	size_t length = strlen(text);
	AUTO_FREE char *digits = mem_dup(text);
	int64_t factor = 1;
	int64_t count;

	for (size_t i = 0; length && i < sizeof units / sizeof *units; i++) {
		if (text[length - 1] == units[i].letter) {
			factor = units[i].seconds;
			digits[length - 1] = '\0';
		}
	}
	return number_parse(digits, &count) && !__builtin_mul_overflow(count, factor, out_s);
}
