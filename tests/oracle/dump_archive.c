/* SPDX-License-Identifier: Apache-2.0
 *
 * dump_archive FILE…: what Larder makes of each archive, one line of JSON a file: the rules that it breaks,
 * its members, and the SHA-256 of each file as it is unpacked. */
#include <fcntl.h>
#include <jansson.h>
#include <string.h>

#include "common/digest.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/archives/archive.h"
#include "server/module/archives/guess.h"
#include "server/module/archives/membername.h"
#include "server/module/examination.h"

static const struct archive_limits limits = {
	.max_unpacked_bytes = 256 << 20, .max_members = 10000, .max_ratio = 1000};

static void examine(int fd, json_t *out)
{
	AUTO_FREE struct file_stream *file = mem_zero(1, sizeof *file);
	AUTO_EXAMINATION struct examination *examination = NULL;
	json_t *folders = json_array();
	json_t *sizes = json_object();
	json_t *rules[] = {json_array(), json_array()};
	struct err err;

	if (!examination_run(file_stream_init(file, fd), FORMAT_TF_HUB, &limits, &examination, &err))
		abort();
	for (size_t i = 0; i < examination->member_count; i++) {
		const struct examined_member *member = &examination->members[i];

		if (member->is_folder)
			json_array_append_new(folders, json_string(member->path));
		else
			json_object_set_new(sizes, member->path, json_integer(member->size_bytes));
	}
	for (size_t i = 0; i < examination->finding_count; i++) {
		const struct finding *finding = &examination->findings[i];

		json_array_append_new(rules[finding->severity == SEVERITY_VIOLATION],
			json_pack("[ss]", finding->rule, finding->message));
	}
	json_object_set_new(out, "warnings", rules[0]);
	json_object_set_new(out, "violations", rules[1]);
	json_object_set_new(out, "folders", folders);
	json_object_set_new(out, "sizes", sizes);
}

static bool hash_content(struct archive *archive, char hex[65])
{
	AUTO_HASHER struct hasher *hasher = hasher_create();
	struct digest digest;
	const uint8_t *data;
	size_t length;
	struct err err;

	do {
		if (!stream_next(archive_content(archive), &data, &length, &err))
			return false;
		hasher_add(hasher, data, length);
	} while (length > 0);
	digest = hasher_result(hasher);
	memcpy(hex, digest.hex, 65);
	return true;
}

static void unpack(int fd, json_t *out)
{
	AUTO_FREE struct file_stream *file = mem_zero(1, sizeof *file);
	AUTO_FREE struct member *member = mem_zero(1, sizeof *member);
	struct archive_limits unpacking = {.max_unpacked_bytes = 256 << 20};
	AUTO_ARCHIVE struct archive *archive = archive_create(file_stream_init(file, fd), &unpacking);
	json_t *files = json_object();
	char path[ARCHIVE_NAME_MAX + 1];
	struct err err;
	bool found;

	json_object_set_new(out, "files", files);
	while (archive_next(archive, member, &found, &err) && found) {
		char hex[65];

		membername_normalise(member->name, path);
		if (member->kind == MEMBER_FILE && hash_content(archive, hex))
			json_object_set_new(files, path, json_string(hex));
	}
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		AUTO_FD int fd = open(argv[i], O_RDONLY | O_CLOEXEC);
		json_t *out = json_object();

		if (fd < 0)
			return 1;
		examine(fd, out);
		unpack(fd, out);
		(void)json_dumpf(out, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
		(void)putchar('\n');
		json_decref(out);
	}
	return 0;
}
