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

/* Zeroed, it is at the beginning. What lies between two quotes is a text, whichever of them begins one: what
 * stands around JSON may have any number of quotes. */
struct pairs {
	bool is_tfjs;                    /* it is a model.json */
	bool has_class;                  /* it tells of classes */
	char module[PAIRS_TEXT_MAX + 1]; /* the first one that it names and Keras has not, or "" */
	unsigned slashes;                /* backslashes before what comes */
	unsigned digits_left;            /* of an escape, such as \u0041, that are to come */
	unsigned digit_bits;             /* … and how much each of them says */
	unsigned code;
	size_t length; /* of the text, one more than PAIRS_TEXT_MAX where it is longer */
	char text[PAIRS_TEXT_MAX + 1];
	char before[PAIRS_TEXT_MAX + 1]; /* the text before it, "" where that is too long */
	char key[PAIRS_TEXT_MAX + 1];    /* … and before that */
};

void pairs_feed(struct pairs *pairs, struct safety_findings *findings, const char *where, const uint8_t *data,
	size_t length);

#endif
