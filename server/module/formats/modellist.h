/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists what a model of TensorFlow Lite or TF.js takes and gives as a SavedModel's signatures are listed: one
 * meta graph, within the same limit. */
#ifndef SERVER_MODULE_FORMATS_MODELLIST_H
#define SERVER_MODULE_FORMATS_MODELLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/own.h"
#include "server/module/savedmodel/savedmodel.h"

struct modellist {
	struct saved_model *model;
	struct meta_graph *graph;
	size_t left; /* of SAVED_MODEL_LISTED_BYTES_MAX */
};

void modellist_init(struct modellist *listing, enum model_kind kind);
void modellist_finish(struct modellist *listing);
#define AUTO_MODELLIST AUTO(modellist_finish)

/* Moves a tensor to the end of the list; where there is no room for it, frees it and is false. */
bool modellist_add_tensor(struct modellist *listing, struct tensors *tensors, struct tensor *tensor);

/* Whether there is no room for any tensor more, and how one is counted then. */
bool modellist_is_full(const struct modellist *listing);
void modellist_pass_tensor(struct modellist *listing);

/* Moves a signature among the others, and empties it; where there is no room, frees it. */
void modellist_add_signature(struct modellist *listing, struct signature *signature);

void modellist_count_op(struct modellist *listing, const char *op);

/* Adds what another one has counted, with its operations as far as there is room for them, but no signature.
 */
void modellist_add_counts(struct modellist *listing, const struct modellist *other);

/* The model, with its signatures sorted; it is the caller's then. */
struct saved_model *modellist_take(struct modellist *listing);

#endif
