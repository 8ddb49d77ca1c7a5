/* SPDX-License-Identifier: Apache-2.0
 *
 * Replays a fuzz target without a fuzzer: every file of the corpus (files or folders on the command line),
 * each with some mutations that are the same in every run. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/buffer.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"

enum { INPUT_MAX = 1 << 20, MUTATIONS = 200, ROUNDS_MAX = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const seeds[] = {
	"", "a", "\x0a\x02\x08\x01", "\x1f\x8b\x08", "a/b/1", "{}", "\xff\xff\xff\xff\xff\xff"};

/* xorshift64: the point is that it never changes. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* One small change in place; gives the new size, which only ever shrinks. */
static size_t mutate(uint8_t *data, size_t size, uint64_t *state)
{
	static const uint8_t telling[] = {0x00, 0x01, 0x7f, 0x80, 0xff, '/', '.', '"'};
	size_t at = size ? next_random(state) % size : 0;

	if (size == 0)
		return 0;
	switch (next_random(state) % 4) {
	case 0:
		data[at] ^= (uint8_t)(1U << next_random(state) % 8);
		return size;
	case 1:
		data[at] = telling[next_random(state) % sizeof telling];
		return size;
	case 2:
		memmove(data + at, data + at + 1, size - at - 1);
		return size - 1;
	default:
		return next_random(state) % 8 ? size : at;
	}
}

/* A copy of exactly this size, so that the sanitizer sees every read beyond it. */
static void feed(const uint8_t *data, size_t size)
{
	AUTO_FREE uint8_t *copy = mem_zero(size ? size : 1, 1);

	if (size)
		memcpy(copy, data, size);
	(void)LLVMFuzzerTestOneInput(copy, size);
}

static void replay(const void *data, size_t size)
{
	AUTO_FREE uint8_t *changed = mem_zero(size + 1, 1);
	uint64_t state = 0x9e3779b97f4a7c15;

	feed(data, size);
	for (int i = 0; i < MUTATIONS; i++) {
		size_t left = size;

		if (size)
			memcpy(changed, data, size);
		for (uint64_t rounds = 1 + next_random(&state) % ROUNDS_MAX; rounds > 0; rounds--)
			left = mutate(changed, left, &state);
		feed(changed, left);
	}
}

static bool replay_file(const char *path)
{
	AUTO_BUFFER struct buffer content = {0};
	struct err err;

	if (!file_read_all(path, INPUT_MAX, &content, &err)) {
		(void)fprintf(stderr, "%s\n", err.text);
		return false;
	}
	replay(buffer_string(&content), content.length);
	return true;
}

static bool replay_folder(const char *path)
{
	DIR *folder = opendir(path);
	bool done = folder != NULL;

	for (struct dirent *entry = done ? readdir(folder) : NULL; entry; entry = readdir(folder)) {
		AUTO_FREE char *file = mem_printf("%s/%s", path, entry->d_name);

		if (entry->d_name[0] != '.')
			done = replay_file(file) && done;
	}
	if (folder)
		(void)closedir(folder);
	return done;
}

int main(int argc, char **argv)
{
	bool done = true;

	for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++)
		replay(seeds[i], strlen(seeds[i]));
	for (int i = 1; i < argc; i++) {
		struct stat status;
		bool is_folder = stat(argv[i], &status) == 0 && S_ISDIR(status.st_mode);

		done = (is_folder ? replay_folder : replay_file)(argv[i]) && done;
	}
	return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
