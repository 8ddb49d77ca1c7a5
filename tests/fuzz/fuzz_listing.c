/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes, as a TensorFlow Lite model and as the model.json of a TF.js one. */
#include <stddef.h>
#include <stdint.h>

#include "server/module/examination.h"
#include "server/module/formats/manifest.h"
#include "server/module/formats/tfjslisting.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed_tflite(const uint8_t *data, size_t size)
{
	struct memory_stream memory;
	AUTO_EXAMINATION struct examination *examination = NULL;
	struct err err;

	(void)examination_run(memory_stream_init(&memory, data, size), FORMAT_TFLITE,
		&(struct archive_limits){0}, &examination, &err);
}

static void feed_json(const uint8_t *data, size_t size)
{
	struct memory_stream memory;
	AUTO_MANIFEST struct manifest *manifest = NULL;
	struct err err;

	if (manifest_read(memory_stream_init(&memory, data, size), &manifest, &err))
		saved_model_destroy(tfjs_listing_make(&manifest->outline));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	feed_tflite(data, size);
	feed_json(data, size);
	return 0;
}
