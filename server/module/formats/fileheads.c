/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/formats/fileheads.h"

#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "server/module/formats/gguf.h"
#include "server/module/formats/onnx.h"
#include "server/module/formats/safetensors.h"
#include "server/module/savedmodel/tensor.h"

/* Of the room for listings, so that a file of very many tensors is listed with some of them. */
enum { RESERVE_BYTES = 2048 };

static const struct reader {
	const char *suffix;
	const char *method; /* of its signature: what kind of file it is */
	bool (*read)(struct stream *content, int64_t size, struct modellist *listing,
		struct signature *signature, struct err *err);
} readers[] = {
	{".safetensors", "safetensors", safetensors_read},
	{".gguf", "gguf", gguf_read},
	{".onnx", "onnx", onnx_read},
};

void fileheads_finish(struct fileheads *heads)
{
	modellist_finish(&heads->listing);
}

static const struct reader *find_reader(const char *path)
{
	const char *dot = strrchr(path, '.');

	for (size_t i = 0; dot && i < sizeof readers / sizeof *readers; i++) {
		if (strcasecmp(dot, readers[i].suffix) == 0)
			return &readers[i];
	}
	return NULL;
}

/* Into a list of its own, so that one that is broken leaves nothing behind. */
static bool read_apart(const struct reader *reader, size_t room, int64_t size, struct stream *content,
	struct modellist *own, struct signature *signature, struct err *err)
{
	modellist_init(own, MODEL_FILES);
	own->left = room;
	return reader->read(content, size, own, signature, err);
}

bool fileheads_read(
	struct fileheads *heads, const char *path, int64_t size, struct stream *content, struct err *err)
{
	const struct reader *reader = find_reader(path);
	size_t reserve = RESERVE_BYTES + text_cost(path);
	AUTO(signature_finish) struct signature signature = {0};
	AUTO_MODELLIST struct modellist own = {0};
	struct modellist *listing = &heads->listing;

	if (!reader)
		return true;
	if (!heads->begun)
		modellist_init(listing, MODEL_FILES);
	heads->begun = true;
	if (reserve > listing->left) {
		listing->model->truncated = true;
		return true;
	}
	if (!read_apart(reader, listing->left - reserve, size, content, &own, &signature, err))
		return false;
	listing->left -= tensors_cost(&signature.inputs) + tensors_cost(&signature.outputs);
	modellist_add_counts(listing, &own);
	signature.name = mem_dup(path);
	signature.method = mem_dup(reader->method);
	modellist_add_signature(listing, &signature);
	return true;
}

struct saved_model *fileheads_take(struct fileheads *heads)
{
	if (!heads->begun || heads->listing.model->counts.signatures == 0)
		return NULL;
	return modellist_take(&heads->listing);
}
