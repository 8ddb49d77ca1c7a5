/* SPDX-License-Identifier: Apache-2.0
 *
 * Kaggle's API: where it has a variation of a model, and what its answers say. Names are
 * <owner>/<model>/<framework>/<variation> and a version. */
#ifndef SERVER_UPSTREAM_KAGGLE_H
#define SERVER_UPSTREAM_KAGGLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/name.h"

#define KAGGLE_URL "https://www.kaggle.com/api/v1"

/* Whether the artifact may be there: any variation as an archive, and those of TensorFlow's frameworks in
 * their formats. */
bool kaggle_may_have(const struct name *name);

/* Where the archive is, or, without a version, what tells the latest; free() it. */
char *kaggle_url(const char *base, const struct name *name);

/* The list of its files, for an artifact that is one of them; NULL: it is the archive. free() it. */
char *kaggle_listing_url(const char *base, const struct name *name);

/* Where the one file of such a list is that can be the artifact; NULL: there is none, or more than one.
 * free() it. False: it is no such list. */
bool kaggle_listed_url(
	const char *base, const struct name *name, const char *list, size_t length, char **out);

/* The version that an answer calls the latest; 0: it is no such answer. */
int64_t kaggle_latest_in(const char *answer, size_t length);

/* Says behind the sentence in *err what a refusal with this status wants. */
void kaggle_explain(const struct name *name, int status, struct err *err);

#endif
