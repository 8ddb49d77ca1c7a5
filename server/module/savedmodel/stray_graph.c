/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/savedmodel/stray_graph.h"

#include <string.h>
#include <strings.h>

#include "server/module/savedmodel/savedmodel.h"

void stray_graph_judge(struct stream *content, const char *path, struct safety_findings *findings)
{
	const struct saved_model_watch watch = {findings, path};
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	bool is_text = strcasecmp(name, "saved_model.pbtxt") == 0;
	AUTO_SAVED_MODEL struct saved_model *model = NULL;
	struct err err;

	if (!is_text && strcasecmp(name, "saved_model.pb") != 0)
		return;
	if (!(is_text ? saved_model_read_text : saved_model_read)(content, &watch, &model, &err))
		safety_findings_add(findings, SAFETY_OP_HIDDEN_GRAPH, path,
			"a SavedModel that cannot be read: %s", err.text);
}
