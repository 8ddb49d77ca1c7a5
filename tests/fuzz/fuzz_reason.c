/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as what an upstream says of its failure: our sentence stays a sentence, on one line, of UTF-8,
 * with nothing of theirs outside of the quotation marks, and not what we told them. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"
#include "server/registry/reason.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_said(const char *said)
{
	static const char begin[] = ", saying \"";
	size_t length = strlen(said);
	uint32_t code;

	if (length == 0)
		return;
	if (strncmp(said, begin, strlen(begin)) != 0 || said[length - 1] != '"' ||
		strchr(said + strlen(begin), '"') != said + length - 1 ||
		length > strlen(begin) + REASON_TOLD_MAX + 1 || !utf8_is_text(said, length) ||
		strstr(said, "t0ken-t0ken"))
		abort();
	for (const char *c = said; *c; c += utf8_decode(c, &code)) {
		if (utf8_decode(c, &code) == 0 || utf8_is_control(code))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char url[] = "https://ci:secret@hub.example/-/t/token/{path}?{query}&sig=abcd";
	static char line[] = "Authorization: Bearer t0ken-t0ken", secret[] = "Bearer t0ken-t0ken";
	const struct upstream upstream = {.url = url};
	const struct credentials credentials = {.items = {{line, secret}}, .count = 1};
	struct err err = {.code = ERR_UPSTREAM_FAILED};
	struct reason reason = {0};

	(void)reason_add(&reason, data, size);
	reason_append(&reason, &upstream, &credentials, &err);
	reason_finish(&reason);
	check_said(err.text);
	return 0;
}
