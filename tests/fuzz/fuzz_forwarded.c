/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as what proxies have written of a request. What is read of it is an address, a scheme and a host
 * without blanks or controls, and what comes after is not changed by what a stranger puts before it. */
#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/http/forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char trusted[] = "10.0.0.0/8, 127.0.0.1";

static void check(const struct forwarded *told)
{
	struct in6_addr address;

	if (*told->client && inet_pton(AF_INET, told->client, &address) != 1 &&
		inet_pton(AF_INET6, told->client, &address) != 1)
		abort();
	if (*told->scheme && strcmp(told->scheme, "http") != 0 && strcmp(told->scheme, "https") != 0)
		abort();
	for (const char *c = told->host; *c; c++) {
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			abort();
	}
}

static void check_continued(const char *text, enum forwarded_kind kind)
{
	AUTO_FREE char *longer = mem_printf("%s,%s192.0.2.7", text, kind == FORWARDED_X ? "" : "for=");
	struct forwarded told;

	forwarded_read(longer, kind, trusted, &told);
	if (strcmp(told.client, "192.0.2.7") != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = mem_zero(size + 1, 1);
	struct forwarded told;

	if (size > 0)
		memcpy(text, data, size);
	for (enum forwarded_kind kind = FORWARDED_X; kind <= FORWARDED_RFC7239; kind++) {
		forwarded_read(text, kind, trusted, &told);
		check(&told);
		check_continued(text, kind);
	}
	told = (struct forwarded){.client = ""};
	forwarded_add_x(text, text, &told);
	check(&told);
	return 0;
}
