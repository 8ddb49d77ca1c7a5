/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/formats/gguf.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "common/utf8.h"
#include "server/module/savedmodel/dtype.h"
#include "server/module/savedmodel/tensor.h"

enum { RANK_MAX = 8, NESTING_MAX = 4, STRING_TYPE = 8, ARRAY_TYPE = 9 };

/* Bytes of a value of metadata by its type; 0: it tells its length itself. */
static const uint8_t value_sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

/* By ggml's number; NULL: none, or not any more. */
static const char *const dtypes[] = {
	[0] = "float32",
	[1] = "float16",
	[2] = "q4_0",
	[3] = "q4_1",
	[6] = "q5_0",
	[7] = "q5_1",
	[8] = "q8_0",
	[9] = "q8_1",
	[10] = "q2_k",
	[11] = "q3_k",
	[12] = "q4_k",
	[13] = "q5_k",
	[14] = "q6_k",
	[15] = "q8_k",
	[16] = "iq2_xxs",
	[17] = "iq2_xs",
	[18] = "iq3_xxs",
	[19] = "iq1_s",
	[20] = "iq4_nl",
	[21] = "iq3_s",
	[22] = "iq2_s",
	[23] = "iq4_xs",
	[24] = "int8",
	[25] = "int16",
	[26] = "int32",
	[27] = "int64",
	[28] = "float64",
	[29] = "iq1_m",
	[30] = "bfloat16",
	[34] = "tq1_0",
	[35] = "tq2_0",
	[39] = "mxfp4",
};
enum { DTYPE_COUNT = sizeof dtypes / sizeof *dtypes };

/* Bytes that are taken from a stream as they are needed. */
struct source {
	struct stream *stream;
	const uint8_t *data;
	size_t length;
};

static bool pull(struct source *source, struct err *err)
{
	if (source->length > 0)
		return true;
	if (!stream_next(source->stream, &source->data, &source->length, err))
		return false;
	return source->length > 0 || err_set(err, ERR_INVALID_MODULE, "It ends within its head.");
}

/* out may be NULL. */
static bool take(struct source *source, void *out, uint64_t length, struct err *err)
{
	uint8_t *to = out;

	while (length > 0) {
		size_t piece;

		if (!pull(source, err))
			return false;
		piece = source->length < length ? source->length : (size_t)length;
		if (to) {
			memcpy(to, source->data, piece);
			to += piece;
		}
		source->data += piece;
		source->length -= piece;
		length -= piece;
	}
	return true;
}

static bool take_number(struct source *source, unsigned bytes, uint64_t *out, struct err *err)
{
	uint8_t data[8];

	if (!take(source, data, bytes, err))
		return false;
	*out = 0;
	for (unsigned i = 0; i < bytes; i++)
		*out |= (uint64_t)data[i] << 8 * i;
	return true;
}

/* ---- metadata ---- */

static bool skip_text(struct source *source, struct err *err)
{
	uint64_t length;

	return take_number(source, 8, &length, err) && take(source, NULL, length, err);
}

static bool check_type(uint64_t type, struct err *err)
{
	return type < sizeof value_sizes ||
	       err_set(err, ERR_INVALID_MODULE,
		       "Its metadata has a value of type %" PRIu64 ", which no GGUF has.", type);
}

static bool skip_value(struct source *source, uint64_t type, unsigned nesting, struct err *err);

static bool skip_array(struct source *source, unsigned nesting, struct err *err)
{
	uint64_t type, count, bytes;

	if (!take_number(source, 4, &type, err) || !take_number(source, 8, &count, err) ||
		!check_type(type, err))
		return false;
	if (nesting >= NESTING_MAX)
		return err_set(err, ERR_INVALID_MODULE, "Its metadata is nested too deep.");
	if (value_sizes[type] > 0) {
		if (__builtin_mul_overflow(count, value_sizes[type], &bytes))
			bytes = UINT64_MAX;
		return take(source, NULL, bytes, err);
	}
	for (uint64_t i = 0; i < count; i++) {
		if (!skip_value(source, type, nesting + 1, err))
			return false;
	}
	return true;
}

static bool skip_value(struct source *source, uint64_t type, unsigned nesting, struct err *err)
{
	if (type == STRING_TYPE)
		return skip_text(source, err);
	if (type == ARRAY_TYPE)
		return skip_array(source, nesting, err);
	return take(source, NULL, value_sizes[type], err);
}

static bool skip_metadata(struct source *source, uint64_t count, struct err *err)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t type;

		if (!skip_text(source, err) || !take_number(source, 4, &type, err) ||
			!check_type(type, err) || !skip_value(source, type, 0, err))
			return false;
	}
	return true;
}

/* ---- tensors ---- */

static bool read_name(struct source *source, char **out, struct err *err)
{
	AUTO_FREE char *name = NULL;
	uint64_t length;

	if (!take_number(source, 8, &length, err))
		return false;
	if (length > SAVED_MODEL_STRING_MAX)
		return err_set(err, ERR_INVALID_MODULE, "A tensor's name is longer than %d bytes.",
			SAVED_MODEL_STRING_MAX);
	name = mem_zero((size_t)length + 1, 1);
	if (!take(source, name, length, err))
		return false;
	if (!utf8_is_text(name, (size_t)length))
		return err_set(err, ERR_INVALID_MODULE, "A tensor's name is no UTF-8 text.");
	*out = TAKE(name);
	return true;
}

static bool read_rank(struct source *source, uint64_t *out, struct err *err)
{
	if (!take_number(source, 4, out, err))
		return false;
	return *out <= RANK_MAX ||
	       err_set(err, ERR_INVALID_MODULE, "A tensor has %" PRIu64 " dimensions.", *out);
}

static bool read_shape(struct source *source, struct shape *out, struct err *err)
{
	uint64_t rank, size;

	if (!read_rank(source, &rank, err))
		return false;
	*out = (struct shape){.kind = SHAPE_KNOWN, .rank = (size_t)rank};
	out->dimensions = rank > 0 ? mem_zero(out->rank, sizeof *out->dimensions) : NULL;
	for (size_t i = 0; i < out->rank; i++) {
		if (!take_number(source, 8, &size, err))
			return false;
		if (size > INT64_MAX)
			return err_set(
				err, ERR_INVALID_MODULE, "A tensor has a dimension of %" PRIu64 ".", size);
		out->dimensions[i] = (int64_t)size;
	}
	return true;
}

/* Sizes of eight bytes each, a type and an offset. */
static bool skip_tensor(struct source *source, struct err *err)
{
	uint64_t rank;

	return skip_text(source, err) && read_rank(source, &rank, err) &&
	       take(source, NULL, 8 * rank + 4 + 8, err);
}

static bool read_tensor(
	struct source *source, struct modellist *listing, struct tensors *tensors, struct err *err)
{
	AUTO(tensor_finish) struct tensor tensor = {0};
	uint64_t type, offset;

	if (modellist_is_full(listing)) {
		modellist_pass_tensor(listing);
		return skip_tensor(source, err);
	}
	if (!read_name(source, &tensor.name, err) || !read_shape(source, &tensor.shape, err) ||
		!take_number(source, 4, &type, err) || !take_number(source, 8, &offset, err))
		return false;
	if (type < DTYPE_COUNT && dtypes[type])
		(void)dtype_parse(dtypes[type], &tensor.dtype);
	(void)modellist_add_tensor(listing, tensors, &tensor);
	tensor = (struct tensor){0};
	return true;
}

static int by_name(const void *left, const void *right)
{
	return strcmp(((const struct tensor *)left)->name, ((const struct tensor *)right)->name);
}

static bool read_magic(struct source *source, struct err *err)
{
	uint64_t version;
	char magic[4];

	if (!take(source, magic, sizeof magic, err))
		return false;
	if (memcmp(magic, "GGUF", sizeof magic) != 0)
		return err_set(err, ERR_INVALID_MODULE, "It does not begin with \"GGUF\".");
	if (!take_number(source, 4, &version, err))
		return false;
	return version == 2 || version == 3 ||
	       err_set(err, ERR_INVALID_MODULE, "It is of version %" PRIu64 "; 2 and 3 are known.", version);
}

bool gguf_read(struct stream *content, int64_t size, struct modellist *listing, struct signature *signature,
	struct err *err)
{
	struct source source = {.stream = content};
	struct tensors *tensors = &signature->outputs;
	uint64_t tensor_count, metadata_count;

	(void)size;
	if (!read_magic(&source, err) || !take_number(&source, 8, &tensor_count, err) ||
		!take_number(&source, 8, &metadata_count, err) ||
		!skip_metadata(&source, metadata_count, err))
		return false;
	for (uint64_t i = 0; i < tensor_count; i++) {
		if (!read_tensor(&source, listing, tensors, err))
			return false;
	}
	if (tensors->count > 1)
		qsort(tensors->items, tensors->count, sizeof *tensors->items, by_name);
	return true;
}
