/* SPDX-License-Identifier: Apache-2.0
 *
 * How long verifying a tar.gz takes, beside the tools one would otherwise use:
 *
 *     bench_verify [FILE [ROUNDS]]
 *
 * Without a file: 64 MiB of float weights, packed by zlib at level 6. The rows take turns; the medians of the
 * seconds that passed and of the processor's seconds are printed, and both as ratios to the first row. */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/digest.h"
#include "common/file.h"
#include "server/module/archives/gunzip.h"
#include "server/registry/inspector.h"
#include "tests/unit/tar_writer.h"

enum { ROUNDS = 5, ROUNDS_MAX = 99, PIECE = 256 << 10, WEIGHTS = 16 << 20 };

extern char **environ;

struct subject {
	const char *path;
	int64_t size_bytes;
	enum format format; /* it is taken for */
};

static const struct archive_limits limits = {
	.max_unpacked_bytes = INT64_C(1) << 40, .max_members = 1000, .max_ratio = 1000};

struct file_stream {
	struct stream stream;
	int fd;
	int64_t offset;
	uint8_t block[PIECE];
};

static bool next_of_file(struct stream *stream, const uint8_t **data, size_t *length, struct err *err)
{
	struct file_stream *file = (struct file_stream *)stream;

	*data = file->block;
	if (!file_read_at(file->fd, file->block, sizeof file->block, file->offset, length, err))
		return false;
	file->offset += (int64_t)*length;
	return true;
}

static bool run_gzip(const struct subject *subject)
{
	char *arguments[] = {(char *)"gzip", (char *)"-t", (char *)subject->path, NULL};
	int status = -1;
	pid_t pid;

	return posix_spawnp(&pid, "gzip", NULL, NULL, arguments, environ) == 0 &&
	       waitpid(pid, &status, 0) == pid && status == 0;
}

static bool run_libarchive(const struct subject *subject)
{
	struct archive *archive = archive_read_new();
	struct archive_entry *entry;
	bool done = archive_read_support_filter_gzip(archive) == ARCHIVE_OK &&
		    archive_read_support_format_tar(archive) == ARCHIVE_OK &&
		    archive_read_open_filename(archive, subject->path, PIECE) == ARCHIVE_OK;
	int status = ARCHIVE_OK;

	while (done && (status = archive_read_next_header(archive, &entry)) == ARCHIVE_OK)
		done = archive_read_data_skip(archive) == ARCHIVE_OK;
	(void)archive_read_free(archive);
	return done && status == ARCHIVE_EOF;
}

static bool run_inflating(const struct subject *subject)
{
	struct file_stream file = {.stream = {next_of_file}, .fd = open(subject->path, O_RDONLY | O_CLOEXEC)};
	struct gunzip *gunzip = gunzip_create(&file.stream, 0, 0);
	struct err err;
	bool done = stream_drain(gunzip_stream(gunzip), &err);

	gunzip_destroy(gunzip);
	(void)close(file.fd);
	return done;
}

static bool run_examination(const struct subject *subject)
{
	struct file_stream file = {.stream = {next_of_file}, .fd = open(subject->path, O_RDONLY | O_CLOEXEC)};
	struct examination *examination = NULL;
	struct err err;
	bool done = examination_run(&file.stream, subject->format, &limits, &examination, &err);

	examination_destroy(examination);
	(void)close(file.fd);
	return done;
}

static bool run_checksums(const struct subject *subject)
{
	struct file_stream file = {.stream = {next_of_file}, .fd = open(subject->path, O_RDONLY | O_CLOEXEC)};
	struct hasher *hasher = hasher_create();
	const uint8_t *data;
	size_t length = 1;
	struct err err;
	bool done = true;

	while (done && length > 0) {
		done = stream_next(&file.stream, &data, &length, &err);
		if (done)
			hasher_add(hasher, data, length);
	}
	if (done)
		(void)hasher_result(hasher);
	hasher_destroy(hasher);
	(void)close(file.fd);
	return done;
}

static bool run_inspector(const struct subject *subject)
{
	AUTO_INSPECTION_PLACES struct inspection_places *places =
		inspection_places_create(INSPECTION_PATIENCE_MS);
	AUTO_SPOOL struct spool *spool = NULL;
	AUTO_INSPECTION struct inspection inspection = {0};
	struct inspector *inspector = NULL;
	struct err err;
	AUTO_FD int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool done = spool_resume(here, subject->path, subject->size_bytes, &spool, &err);

	if (!done)
		return false;
	spool_leave_draft(spool);
	spool_complete(spool);
	done = inspector_start(spool, subject->format, &limits, places, &inspector, &err) &&
	       inspector_wait(inspector, &inspection, &err) && inspection.whole;
	inspector_destroy(inspector);
	return done;
}

static const struct row {
	const char *title;
	bool (*run)(const struct subject *subject);
	enum format format;
} rows[] = {
	{"gzip -t", run_gzip, FORMAT_TF_HUB},
	{"libarchive: gzip and tar", run_libarchive, FORMAT_TF_HUB},
	{"gunzip: gzip to its CRC", run_inflating, FORMAT_TF_HUB},
	{"examination: gzip, tar, model", run_examination, FORMAT_TF_HUB},
	{"… as any archive: each file", run_examination, FORMAT_ARCHIVE},
	{"SHA-256", run_checksums, FORMAT_TF_HUB},
	{"inspector: all of it", run_inspector, FORMAT_TF_HUB},
	{"… as any archive", run_inspector, FORMAT_ARCHIVE},
};

enum { ROWS = sizeof rows / sizeof *rows };

/* Values of a bell curve, as weights are: half of their bits do not compress. */
static float next_weight(uint64_t *state)
{
	double sum = 0;

	for (int i = 0; i < 12; i++) {
		*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		sum += (double)(*state >> 32) / 4294967296.0;
	}
	return (float)((sum - 6) * 0.05);
}

static bool make_subject(char *path)
{
	AUTO_BUFFER struct buffer tar = {0};
	AUTO_BUFFER struct buffer packed = {0};
	AUTO_FREE float *weights = mem_zero(WEIGHTS, sizeof *weights);
	AUTO_FD int fd = mkostemp(path, O_CLOEXEC);
	uint64_t state = 1;
	struct err err;

	for (size_t i = 0; i < WEIGHTS; i++)
		weights[i] = next_weight(&state);
	(void)tar_file(&tar, "saved_model.pb", "\x08\x01\x12");
	(void)tar_member_bytes(
		&tar, "variables/variables.data-00000-of-00001", '0', weights, WEIGHTS * sizeof *weights);
	tar_end(&tar);
	gzip_bytes(tar.data, tar.length, &packed);
	return fd >= 0 && file_write_at(fd, packed.data, packed.length, 0, &err);
}

static double processor_seconds(void)
{
	double seconds = 0;

	for (int who = RUSAGE_CHILDREN; who <= RUSAGE_SELF; who++) {
		struct rusage usage = {0};

		(void)getrusage(who, &usage);
		seconds += (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
			   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	}
	return seconds;
}

static int by_size(const void *a, const void *b)
{
	double difference = *(const double *)a - *(const double *)b;

	return (difference > 0) - (difference < 0);
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof *values, by_size);
	return values[count / 2];
}

static bool measure(const struct subject *subject, int rounds)
{
	static double passed[ROWS][ROUNDS_MAX];
	static double spent[ROWS][ROUNDS_MAX];

	for (int round = 0; round < rounds; round++) {
		for (int row = 0; row < ROWS; row++) {
			const struct subject taken = {subject->path, subject->size_bytes, rows[row].format};
			int64_t began = clock_monotonic_us();
			double before = processor_seconds();

			if (!rows[row].run(&taken)) {
				(void)fprintf(stderr, "%s failed\n", rows[row].title);
				return false;
			}
			passed[row][round] = (double)(clock_monotonic_us() - began) / 1e6;
			spent[row][round] = processor_seconds() - before;
		}
	}
	(void)printf("%-32s %8s %8s %8s %8s\n", "", "seconds", "CPU s", "ratio", "CPU");
	for (int row = 0; row < ROWS; row++) {
		double time = median(passed[row], rounds);
		double cpu = median(spent[row], rounds);

		(void)printf("%-32s %8.3f %8.3f %7.2fx %7.2fx\n", rows[row].title, time, cpu,
			median(passed[0], rounds) / time, median(spent[0], rounds) / cpu);
	}
	return true;
}

int main(int argc, char **argv)
{
	char made[] = "/tmp/bench_verify.XXXXXX";
	struct subject subject = {.path = argc > 1 ? argv[1] : made};
	int rounds = argc > 2 ? atoi(argv[2]) : ROUNDS;
	struct stat status;
	bool done;

	if (argc == 1 && !make_subject(made))
		return EXIT_FAILURE;
	done = rounds > 0 && rounds <= ROUNDS_MAX && stat(subject.path, &status) == 0;
	subject.size_bytes = done ? status.st_size : 0;
	done = done && measure(&subject, rounds);
	if (argc == 1)
		(void)unlink(made);
	return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
