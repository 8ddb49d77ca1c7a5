/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/magic.h"

#include <string.h>

#include "server/module/archives/advice.h"

/* One advice for all places. */
#define EVERYWHERE(advice) \
	{ \
		advice, advice, advice \
	}
#define UNPACK \
	{ \
		"unpack it, and pack the module's folder with " ADVICE_PACK, \
			"unpack both, and pack the module's folder with " ADVICE_PACK, \
			"unpack it, and publish the .tflite file that it holds, or the " \
			"folder: " ADVICE_PUBLISH \
	}
#define RECOMPRESS(program) \
	{ \
		"pack it anew with " ADVICE_GZIP_FROM(program), \
			"pack it anew with " ADVICE_GZIP_FROM_WITHIN(program), \
			"take it off with " ADVICE_UNPACK_WITH(program) ", and publish what comes out" \
	}
#define FOLDER_OF "publish the folder that holds it: " ADVICE_PUBLISH
#define AS_TFLITE "under ?lite-format=tflite (or ?coral-format=tflite)"
#define ANEW "take it from its source again, in binary mode"

static const struct magic lfs_pointer = {0, "version https://git-lfs",
	"a Git LFS pointer instead of the file",
	EVERYWHERE("run `git lfs pull`, and publish the file that it brings")};

/* A tar's first name may be like any of the others. */
static const struct magic magics[] = {
	{257, "ustar", "a plain tar that was not compressed",
		{"compress it with " ADVICE_GZIP, NULL,
			"unpack it, and publish the .tflite file that it holds, or the "
			"folder: " ADVICE_PUBLISH}},
	{0, "\x1f\x8b", "a gzip stream",
		{NULL, "take one of the two off with " ADVICE_UNGZIP,
			"take it off with " ADVICE_UNGZIP ", and publish what comes out"}},
	{0, "\x1f\x9d", "a file of compress",
		{"pack it anew with " ADVICE_REGZIP, "pack it anew with " ADVICE_GZIP_FROM_WITHIN("gzip"),
			"take it off with " ADVICE_UNGZIP ", and publish what comes out"}},
	{0, "\x1f\xef\xbf\xbd", "gzip that was read and written as text", EVERYWHERE(ANEW)},
	{0, "\x1f\xc2\x8b", "gzip that was read and written as text", EVERYWHERE(ANEW)},
	{0, "H4sI", "gzip in Base64",
		{"decode it with " ADVICE_UNBASE64, "decode it with " ADVICE_UNBASE64_WITHIN,
			"decode it with " ADVICE_UNBASE64 ", and publish what comes out"}},
	{0, "PK", "a zip archive", UNPACK},
	{0,
		"7z\xbc\xaf\x27"
		"\x1c",
		"a 7z archive", UNPACK},
	{0, "Rar!", "a RAR archive", UNPACK},
	{0, "BZh", "bzip2", RECOMPRESS("bzip2")},
	{0,
		"\xfd"
		"7zXZ",
		"xz", RECOMPRESS("xz")},
	{0, "\x28\xb5\x2f\xfd", "Zstandard", RECOMPRESS("zstd")},
	{0, "\x04\x22\x4d\x18", "LZ4", RECOMPRESS("lz4")},
	{0, "LZIP", "lzip", RECOMPRESS("lzip")},
	{4, "TFL3", "a bare .tflite file",
		{"publish it as it is, " AS_TFLITE,
			"take gzip off with " ADVICE_UNGZIP ", and publish that " AS_TFLITE, NULL}},
	{0, "\x08\x01\x12", "a saved_model.pb alone", EVERYWHERE(FOLDER_OF)},
	{0, "\x89HDF\r\n\x1a\n", "a Keras model as HDF5",
		EVERYWHERE("save it as a SavedModel, and publish that folder: " ADVICE_PUBLISH)},
};

/* Of text, what stands behind a mark and blanks. */
static const struct magic texts[] = {
	{0, "<", "HTML or XML, perhaps an error page",
		EVERYWHERE("download the file again, since a page was saved in its place")},
	{0, "{", "JSON, such as the model.json of a TF.js model", EVERYWHERE(FOLDER_OF)},
	{0, "saved_model_schema_version", "a saved_model.pbtxt alone", EVERYWHERE(FOLDER_OF)},
	{0, "#", "Markdown",
		EVERYWHERE(
			"\"larder document PATH FILE\" sends documentation, as does a PUT to the version's "
			"URL with \"Content-Type: text/markdown\"")},
};

static const struct magic unknown = {0, "", "something else",
	{"pack the module's folder with " ADVICE_PACK, NULL,
		"publish the .tflite file as it came from the converter"}};

static bool begins(const struct magic *magic, const uint8_t *data, size_t length)
{
	size_t wanted = strlen(magic->bytes);

	return length >= magic->offset + wanted && memcmp(data + magic->offset, magic->bytes, wanted) == 0;
}

static const struct magic *find_in(const struct magic *rows, size_t count, const uint8_t *data, size_t length)
{
	for (size_t i = 0; i < count; i++) {
		if (begins(&rows[i], data, length))
			return &rows[i];
	}
	return NULL;
}

static size_t count_blanks(const uint8_t *data, size_t length)
{
	size_t at = length >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	while (at < length && data[at] && strchr(" \t\r\n", data[at]))
		at++;
	return at;
}

bool magic_is_lfs_pointer(const uint8_t *data, size_t length)
{
	return begins(&lfs_pointer, data, length);
}

const struct magic *magic_find(const uint8_t *data, size_t length)
{
	size_t blanks = count_blanks(data, length);
	const struct magic *found = find_in(magics, sizeof magics / sizeof *magics, data, length);

	if (magic_is_lfs_pointer(data, length))
		return &lfs_pointer;
	if (!found)
		found = find_in(texts, sizeof texts / sizeof *texts, data + blanks, length - blanks);
	return found ? found : &unknown;
}
