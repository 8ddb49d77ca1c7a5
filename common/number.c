/* SPDX-License-Identifier: Apache-2.0 */
#include "common/number.h"

#include <stdio.h>
#include <string.h>

static bool parse_digits(const char *text, size_t count, int64_t *out)
{
	int64_t value = 0;

	if (count == 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, text[i] - '0', &value))
			return false;
	}
	*out = value;
	return true;
}

bool number_parse(const char *text, int64_t *out)
{
	return parse_digits(text, strlen(text), out);
}

bool number_parse_size(const char *text, int64_t *out_bytes)
{
	static const char units[] = "KMGT";
	size_t length = strlen(text);
	const char *unit = length ? strchr(units, text[length - 1]) : NULL;
	int64_t value;

	if (!parse_digits(text, unit ? length - 1 : length, &value))
		return false;
	for (const char *step = units; unit && step <= unit; step++) {
		if (__builtin_mul_overflow(value, 1024, &value))
			return false;
	}
	*out_bytes = value;
	return true;
}

int number_of_hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

struct size_text number_size(int64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	struct size_text out;
	double value = (double)bytes / 1024;
	int unit = 0;

	if (bytes < 1024) {
		(void)snprintf(out.text, sizeof out.text, "%lld B", (long long)bytes);
		return out;
	}
	for (; value >= 1024 && unit < 3; unit++)
		value /= 1024;
	(void)snprintf(out.text, sizeof out.text, "%.1f %s", value, units[unit]);
	return out;
}
