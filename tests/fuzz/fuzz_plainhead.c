/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a request that the fast path could answer: what is taken for plain lies within the bytes,
 * ends where its head ends, and says nothing that another server could understand otherwise. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/http/fast/plainhead.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_string(const char *text, const char *bytes, size_t length)
{
	check(text >= bytes && text < bytes + length &&
		strnlen(text, length) < (size_t)(bytes + length - text));
}

/* head is the text as it came, without the last two bytes. */
static int count_lines(const char *head, const char *name)
{
	int count = 0;

	for (const char *line = strchr(head, '\n'); line && line[1]; line = strchr(line + 1, '\n'))
		count += strncasecmp(line + 1, name, strlen(name)) == 0;
	return count;
}

static void check_head(const char *head, size_t length, const struct plain_head *plain)
{
	static const char *const telling[] = {"Content-Length:", "Transfer-Encoding:", "Authorization:",
		"Expect:", "Upgrade:", " ", "\t", ":"};

	check(length >= 4 && strlen(head) == length && strcmp(head + length - 4, "\r\n\r\n") == 0);
	check(strstr(head, "\r\n\r\n") == head + length - 4);
	check(count_lines(head, "Host:") == 1 && count_lines(head, "Connection:") <= 1);
	for (size_t i = 0; i < sizeof telling / sizeof *telling; i++)
		check(count_lines(head, telling[i]) == 0);
	check(strncmp(strchr(head, ' ') + 1, plain->target, strlen(plain->target)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *bytes = mem_zero(size ? size : 1, 1);
	AUTO_FREE char *head = NULL;
	struct plain_head plain;

	if (size)
		memcpy(bytes, data, size);
	if (!plain_head_read(bytes, size, &plain))
		return 0;
	check(plain.length <= size && plain.target[0] == '/');
	check_string(plain.target, bytes, plain.length);
	for (size_t i = 0; i < plain.condition_count; i++) {
		check_string(plain.conditions[i].name, bytes, plain.length);
		check_string(plain.conditions[i].value, bytes, plain.length);
		check(plain_head_find(&plain, plain.conditions[i].name) == plain.conditions[i].value);
	}
	head = mem_dup_n((const char *)data, plain.length);
	check_head(head, plain.length, &plain);
	return 0;
}
