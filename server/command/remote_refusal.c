/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/remote_refusal.h"

#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/api/api_address.h"
#include "server/command/text_table.h"

/* What commands can do something about has a code of its own. */
static enum err_code code_of(const char *name)
{
	static const enum err_code known[] = {ERR_BUSY, ERR_NOT_FOUND, ERR_GONE, ERR_BAD_REQUEST};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (strcmp(err_name(known[i]), name) == 0)
			return known[i];
	}
	return ERR_UPSTREAM_FAILED;
}

/* What stands in front of a registry says no more than this. */
static enum err_code code_of_status(long status)
{
	return status == 429 || status == 503   ? ERR_BUSY
	       : status == 502 || status == 504 ? ERR_UPSTREAM_UNREACHABLE
						: ERR_UPSTREAM_FAILED;
}

/* What the server says is for whoever speaks HTTP; here are options and commands to name. */
static const struct {
	const char *code;
	const char *words;
} advices[] = {
	{"unauthorized", " Give one by --token, --token-file or $LARDER_TOKEN; `larder token create`, on the "
			 "registry's data folder, makes one."},
	{"forbidden", " `larder token create --scope …`, on the registry's data folder, makes one that may."},
	{"too-large", " The limits are the registry's, in [publish] of its configuration."},
	{"upstream-unreachable", " `larder explain` tells which upstreams are asked."},
	{"upstream-failed", " `larder explain` tells which upstreams are asked, and what they said."},
	{"offline", " It is on the list of `larder wants` now."},
};

static const char *advice_for(const char *code)
{
	for (size_t i = 0; i < sizeof advices / sizeof *advices; i++) {
		if (strcmp(advices[i].code, code) == 0)
			return advices[i].words;
	}
	return "";
}

/* Without a header that commands send by themselves, and without its full stop. */
static char *sentence_of(const char *detail)
{
	const char *header = strstr(detail, ": Authorization");
	size_t length = header ? (size_t)(header - detail) : strlen(detail);

	while (length > 0 && strchr(". ", detail[length - 1]))
		length--;
	return mem_dup_n(detail, length);
}

/* With the command in place of an address of the API, for both tell the same; without a sentence that names
 * what no command tells. */
static char *as_commands(const char *sentence)
{
	static const char *const commands[API_PLACE_COUNT] = {
		[API_PLACE_SEARCH] = "`larder list", [API_PLACE_MODULE] = "`larder show"};
	struct api_address address;

	if (!api_address_find(sentence, &address))
		return mem_dup(sentence);
	if (!commands[address.place])
		return mem_dup_n(sentence, strcspn(sentence, "."));
	return mem_printf("%.*s%s %s`%s", (int)address.begin, sentence, commands[address.place], address.of,
		sentence + address.end);
}

bool remote_refusal_tell(long status, const json_t *problem, struct err *err)
{
	const char *detail = json_string_value(json_object_get(problem, "detail"));
	const char *code = json_string_value(json_object_get(problem, "code"));

	if (detail && code) {
		AUTO_FREE char *whole = sentence_of(detail);
		AUTO_FREE char *sentence = as_commands(whole);

		(void)err_set(err, code_of(code), "%s (%s).%s", sentence, code, advice_for(code));
	} else {
		(void)err_set(err, code_of_status(status),
			"The server answers %ld, and no reason that a Larder gives.", status);
	}
	text_table_blank_controls(err->text);
	return false;
}
