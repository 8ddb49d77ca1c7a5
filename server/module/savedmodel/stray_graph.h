/* SPDX-License-Identifier: Apache-2.0
 *
 * SavedModels that are not an archive's own: in another folder of it, or among files of any kind. Whoever
 * unpacks it can load them. */
#ifndef SERVER_MODULE_SAVEDMODEL_STRAY_GRAPH_H
#define SERVER_MODULE_SAVEDMODEL_STRAY_GRAPH_H

#include "common/stream.h"
#include "server/module/safety/safety_findings.h"

/* Reads the file to its end, and adds what the safety rules say of it, where its name is one of a SavedModel
 * in any case of letters. */
void stray_graph_judge(struct stream *content, const char *path, struct safety_findings *findings);

#endif
