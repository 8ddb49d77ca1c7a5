/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/advice.h"

#include <stdbool.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"

/* What is longer would crowd out the sentence around it. */
enum { WORD_MAX = 64 };

char *advice_word(const char *path)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-";
	AUTO_FREE char *allowed = mem_printf("%s ", plain);
	size_t length = strlen(path);
	bool is_quoted = path[strspn(path, plain)] != '\0';
	const char *quote = is_quoted ? "'" : "";

	if (length == 0 || path[strspn(path, allowed)])
		return NULL;
	return mem_printf("%s%s%s%s", quote, *path == '-' ? "./" : "", path, quote);
}

char *advice_pack(const char *folder)
{
	AUTO_FREE char *word = strlen(folder) > WORD_MAX ? NULL : advice_word(folder);

	return word ? mem_printf(ADVICE_PACK_OF("%s"), word, word) : mem_dup(ADVICE_PACK);
}
