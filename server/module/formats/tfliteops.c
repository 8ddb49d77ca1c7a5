/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/formats/tfliteops.h"

#include <stdlib.h>
#include <string.h>

#include "common/own.h"
#include "server/module/formats/flatbuffer.h"
#include "server/module/safety/safety_ops.h"
#include "server/module/safety/safety_rules.h"

enum { MODEL_OPERATOR_CODES = 1, CODE_CUSTOM_NAME = 1, NAME_BYTES_MAX = 128 };

/* Custom by their code, and yet in the runtime, in its support library, or made of TensorFlow's own ops. */
static bool is_brought(const char *name)
{
	static const char *const names[] = {"Convolution2DTransposeBias", "MaxPoolingWithArgmax2D",
		"MaxUnpooling2D", "NumericVerify", "RandomUniformInt", "TFLite_Detection_PostProcess",
		"TransformLandmarks", "TransformTensor", "TransformTensorBilinear",
		"Landmarks2TransformMatrix"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return !safety_op_find(name) && safety_op_is_known(name);
}

/* "FlexWriteFile" is TensorFlow's WriteFile. */
static void judge(struct safety_findings *findings, const char *name)
{
	static const char flex[] = "Flex";

	if (name[0] == '\0')
		return;
	if (strncmp(name, flex, strlen(flex)) == 0 &&
		safety_ops_judge_name(findings, "", name + strlen(flex)))
		return;
	safety_findings_add(
		findings, is_brought(name) ? SAFETY_OP_COMPANION : SAFETY_TFLITE_CUSTOM_OP, "", "%s", name);
}

static bool judge_codes(struct safety_findings *findings, struct flat_reader *reader)
{
	struct flat_table model, code;
	struct flat_vector codes;

	if (!flat_root(reader, &model) || !flat_vector(reader, &model, MODEL_OPERATOR_CODES, 4, &codes))
		return false;
	for (uint64_t i = 0; i < codes.count; i++) {
		AUTO_FREE char *name = NULL;

		if (!flat_vector_table(reader, &codes, i, &code) ||
			!flat_text(reader, &code, CODE_CUSTOM_NAME, NAME_BYTES_MAX, &name))
			return false;
		if (name)
			judge(findings, name);
	}
	return true;
}

bool tflite_ops_judge(struct safety_findings *findings, struct stream *stream, int64_t size, struct err *err)
{
	struct err why;
	AUTO_FLAT_READER struct flat_reader *reader = flat_reader_create(stream, size, &why);

	if (judge_codes(findings, reader))
		return true;
	if (why.code == ERR_INVALID_MODULE) {
		safety_findings_add(findings, SAFETY_OP_HIDDEN_GRAPH, "",
			"more tables than can be looked at, so that its ops are not known");
		return true;
	}
	*err = why;
	return false;
}
