/* SPDX-License-Identifier: Apache-2.0
 *
 * What a TF.js model takes and gives: a graph model's signature, or where it has none, its placeholders and
 * the nodes that feed no other; a layers model's input and output layers. */
#ifndef SERVER_MODULE_FORMATS_TFJSLISTING_H
#define SERVER_MODULE_FORMATS_TFJSLISTING_H

#include "server/module/formats/outline.h"
#include "server/module/savedmodel/model_facts.h"

/* The caller owns it; NULL where model.json is of neither kind. */
struct saved_model *tfjs_listing_make(const struct outline *outline);

#endif
