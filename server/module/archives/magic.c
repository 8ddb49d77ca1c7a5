/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/magic.h"

#include <string.h>

#include "server/module/archives/advice.h"

#define UNPACK_AND_PACK "unpack it, and pack the module's folder with " ADVICE_PACK

static const struct magic lfs_pointer = {0, "version https://git-lfs",
	"a Git LFS pointer instead of the file", "run `git lfs pull`, and publish the file that it brings"};

static const struct magic magics[] = {
	{0, "\x1f\x8b", "another gzip stream", "take one off with " ADVICE_UNGZIP},
	{0, "<", "HTML or XML, perhaps an error page", NULL},
	{0, "PK", "a zip archive", UNPACK_AND_PACK},
	{0,
		"7z\xbc\xaf\x27"
		"\x1c",
		"a 7z archive", UNPACK_AND_PACK},
	{0, "BZh", "bzip2", "pack it anew with " ADVICE_GZIP_FROM("bzip2")},
	{0,
		"\xfd"
		"7zXZ",
		"xz", "pack it anew with " ADVICE_GZIP_FROM("xz")},
	{0, "\x28\xb5\x2f\xfd", "Zstandard", "pack it anew with " ADVICE_GZIP_FROM("zstd")},
	{0, "{", "JSON", NULL},
	{4, "TFL3", "a bare .tflite file", "publish it as it is, under ?lite-format=tflite"},
	{257, "ustar", "a plain tar that was not compressed", "compress it with " ADVICE_GZIP},
};

static const struct magic unknown = {0, "", "something else", NULL};

static bool begins(const struct magic *magic, const uint8_t *data, size_t length)
{
	size_t wanted = strlen(magic->bytes);

	return length >= magic->offset + wanted && memcmp(data + magic->offset, magic->bytes, wanted) == 0;
}

bool magic_is_lfs_pointer(const uint8_t *data, size_t length)
{
	return begins(&lfs_pointer, data, length);
}

const struct magic *magic_find(const uint8_t *data, size_t length)
{
	if (magic_is_lfs_pointer(data, length))
		return &lfs_pointer;
	for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
		if (begins(&magics[i], data, length))
			return &magics[i];
	}
	return &unknown;
}
