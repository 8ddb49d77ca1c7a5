/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses of the API in the sentences that it refuses with: programs can follow them. People are told of
 * the page or the command in their place. */
#ifndef SERVER_API_API_ADDRESS_H
#define SERVER_API_API_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "server/module/name.h"

enum api_place {
	API_PLACE_SEARCH,
	API_PLACE_MODULE,
	API_PLACE_PUBLISHERS,
	API_PLACE_COLLECTIONS,
	API_PLACE_COUNT
};

/* Where it stands in the text, and what it is of: the module's name or the words of a search. */
struct api_address {
	enum api_place place;
	size_t begin;
	size_t end;
	char of[NAME_PATH_MAX + 1];
};

/* The first of a text; false where none is in it. */
bool api_address_find(const char *text, struct api_address *out);

/* ERR_NOT_FOUND with a sentence of up to 130 bytes that says what is not known, and the search that may find
 * what was meant: for the last part of the handle. */
bool api_address_refuse_unknown(const char *sentence, const char *handle, struct err *err);

#endif
