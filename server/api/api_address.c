/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_address.h"

#include <stdio.h>
#include <string.h>

static const char *const prefixes[API_PLACE_COUNT] = {
	[API_PLACE_SEARCH] = "/api/v1/modules?q=",
	[API_PLACE_MODULE] = "/api/v1/modules/",
	[API_PLACE_PUBLISHERS] = "/api/v1/publishers",
	[API_PLACE_COLLECTIONS] = "/api/v1/collections",
};

bool api_address_find(const char *text, struct api_address *out)
{
	const char *begin = strstr(text, "/api/v1/");

	for (enum api_place place = 0; begin && place < API_PLACE_COUNT; place++) {
		size_t length = strlen(prefixes[place]), rest;

		if (strncmp(begin, prefixes[place], length) != 0)
			continue;
		rest = strcspn(begin + length, " ");
		if (rest >= sizeof out->of)
			return false;
		*out = (struct api_address){.place = place,
			.begin = (size_t)(begin - text),
			.end = (size_t)(begin - text) + length + rest};
		(void)snprintf(out->of, sizeof out->of, "%.*s", (int)rest, begin + length);
		return true;
	}
	return false;
}

bool api_address_refuse_unknown(const char *sentence, const char *handle, struct err *err)
{
	const char *slash = strrchr(handle, '/');

	return err_set(err, ERR_NOT_FOUND, "%.130s %s%.60s finds similar names.", sentence,
		prefixes[API_PLACE_SEARCH], slash ? slash + 1 : handle);
}
