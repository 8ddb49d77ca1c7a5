/* SPDX-License-Identifier: Apache-2.0
 *
 * The word for a framework in Kaggle's handles: how it is spelled, and which formats stand
 * for it here. */
#ifndef SERVER_MODULE_FRAMEWORK_H
#define SERVER_MODULE_FRAMEWORK_H

#include <stdbool.h>
#include <stddef.h>

#include "server/module/name.h"

enum { FRAMEWORK_WORD_MAX = 64 };

struct framework {
	char word[FRAMEWORK_WORD_MAX + 1]; /* as Kaggle spells it ("tensorFlow2"); else as it was given */
	enum format format;                /* that it comes in first of all */
	bool known;                        /* to Kaggle */
};

/* Reads a handle's word, or an enum's ("MODEL_FRAMEWORK_TENSOR_FLOW_2"): case and underscores do not matter.
 * False where it can be no segment of a handle. */
bool framework_read(const char *word, struct framework *out);

/* Whether a handle is one of Kaggle's: four parts, the third of them a framework that Kaggle knows. *out is
 * that, and *at where in the handle its word begins. */
bool framework_of_handle(const char *handle, struct framework *out, size_t *at);
bool framework_has_handle(const char *handle);

/* Whether a segment of that length is the same framework in whatever spelling. */
bool framework_is(const struct framework *framework, const char *word, size_t length);

/* The formats in the order in which they stand for it. */
void framework_order(const struct framework *framework, enum format out[FORMAT_COUNT]);

#endif
