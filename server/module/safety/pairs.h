/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds what JSON says of code, by keys and the texts that follow them: Keras layers that carry Python, and
 * in a TF.js model what neither TensorFlow nor Keras has. The JSON may stand in a file of its own, a
 * protobuf, HDF5, or in a text in which its quotes are escaped. */
#ifndef SERVER_MODULE_SAFETY_PAIRS_H
#define SERVER_MODULE_SAFETY_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/module/safety/safety_findings.h"

enum { PAIRS_TEXT_MAX = 80 };

enum pairs_place { PAIRS_OUTSIDE, PAIRS_IN_KEY, PAIRS_BEHIND_KEY, PAIRS_BEHIND_COLON, PAIRS_IN_VALUE };

/* Zeroed, it is at the beginning. */
struct pairs {
	bool is_tfjs; /* it is a model.json */
	enum pairs_place place;
	unsigned slashes;  /* backslashes before what comes */
	unsigned quoting;  /* … that the quote had which opened the text */
	unsigned hex_left; /* digits of \u that are to come */
	unsigned code;
	size_t length;
	char text[PAIRS_TEXT_MAX + 1];
	char key[PAIRS_TEXT_MAX + 1];
};

void pairs_feed(struct pairs *pairs, struct safety_findings *findings, const char *where, const uint8_t *data,
	size_t length);

#endif
