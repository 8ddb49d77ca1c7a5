/* SPDX-License-Identifier: Apache-2.0
 *
 * One catalog among many: threads, processes, and processes that are killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_keep.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/store/catalog/catalog_search.h"
#include "server/store/catalog/catalog_versions.h"
#include "tests/unit/catalog_place.h"

enum { THREADS = 6, ROUNDS = 15 };

struct worker {
	struct catalog *catalog;
	int number;
	char failure[sizeof((struct err *)NULL)->text];
};

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct err err = {0};

	for (int i = 1; i <= ROUNDS && !worker->failure[0]; i++) {
		AUTO_FREE char *path = mem_printf("acme/m%d/%d", worker->number, i);
		struct wish wish = {path, FORMAT_TF_HUB, path, SOURCE_PUBLISHED, rich_model()};
		struct name name = name_of(path, FORMAT_TF_HUB);
		struct version_details details = {0};
		struct module_list list = {0};
		enum kept kept;
		bool found = false;

		if (!try_keep(worker->catalog, &wish, &kept, &err) ||
			!catalog_find_version(worker->catalog, &name, &details, &found, &err) ||
			!catalog_list_modules(
				worker->catalog, &(struct module_query){.limit = 50}, &list, &err))
			(void)snprintf(worker->failure, sizeof worker->failure, "%s", err.text);
		else if (!found || details.saved_model->meta_graph_count != 2 ||
			 (int64_t)list.count != list.total)
			(void)snprintf(worker->failure, sizeof worker->failure, "%s is not whole", path);
		version_details_finish(&details);
		module_list_finish(&list);
	}
	return NULL;
}

static void threads_share_it(void **state)
{
	struct worker workers[THREADS] = {0};
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		workers[i].catalog = catalog_of(state);
		workers[i].number = i;
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_string_equal(workers[i].failure, "");
	}
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM versions"), THREADS * ROUNDS);
	assert_int_equal(ask_beside(*state, "SELECT modules FROM publishers"), THREADS);
}

/* What `test_catalog_sharing keep FOLDER NAME COUNT` does in a process of its own: keeps versions, a byte on
 * standard output each. */
static int keep_many(const char *folder, const char *name, int count)
{
	struct catalog *catalog = NULL;
	struct err err = {0};
	enum kept kept;

	if (!catalog_open(folder, &catalog, &err)) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	for (int i = 1; i <= count; i++) {
		AUTO_FREE char *path = mem_printf("acme/%s/%d", name, i);
		struct wish wish = {path, FORMAT_TF_HUB, path, SOURCE_PUBLISHED, rich_model()};

		if (!try_keep(catalog, &wish, &kept, &err)) {
			(void)fprintf(stderr, "%s\n", err.text);
			return 1;
		}
		if (write(STDOUT_FILENO, ".", 1) != 1)
			return 1;
	}
	catalog_close(catalog);
	return 0;
}

static pid_t start_keeping(const char *folder, const char *name, const char *count, int *out_fd)
{
	int ends[2];
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)dup2(ends[1], STDOUT_FILENO);
		(void)close(ends[0]);
		(void)close(ends[1]);
		(void)execl("/proc/self/exe", "test_catalog", "keep", folder, name, count, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(close(ends[1]), 0);
	*out_fd = ends[0];
	return child;
}

static int wait_for(pid_t child)
{
	int status = -1;

	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void processes_share_it(void **state)
{
	const struct place *place = *state;
	int one_fd, two_fd;
	pid_t one = start_keeping(place->folder, "one", "30", &one_fd);
	pid_t two = start_keeping(place->folder, "two", "30", &two_fd);

	for (int i = 1; i <= 10; i++) {
		AUTO_FREE char *path = mem_printf("acme/three/%d", i);

		assert_int_equal(
			keep(place->catalog, path, FORMAT_TF_HUB, path, SOURCE_PUBLISHED), KEPT_NEW_VERSION);
	}
	assert_int_equal(wait_for(one), 0);
	assert_int_equal(wait_for(two), 0);
	assert_int_equal(close(one_fd), 0);
	assert_int_equal(close(two_fd), 0);
	assert_int_equal(ask_beside(place, "SELECT count(*) FROM versions"), 70);
}

/* Killed at whatever point it is at after `kept` versions were acknowledged. */
static void kill_after(const struct place *place, const char *name, int kept)
{
	int fd;
	pid_t child = start_keeping(place->folder, name, "100000", &fd);
	char byte;

	for (int i = 0; i < kept; i++)
		assert_int_equal(read(fd, &byte, 1), 1);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_true(WIFSIGNALED(wait_for(child)));
	while (read(fd, &byte, 1) == 1)
		kept++;
	assert_int_equal(close(fd), 0);
	AUTO_FREE char *count =
		mem_printf("SELECT count(*) >= %d FROM versions v JOIN modules m ON m.id = v.module_id"
			   " WHERE m.handle = 'acme/%s'",
			kept, name);
	assert_int_equal(ask_beside(place, count), 1);
}

static void a_killed_process_leaves_whole_versions(void **state)
{
	static const char broken[] =
		"SELECT count(*) FROM versions v LEFT JOIN artifacts a ON a.version_id = v.id"
		" LEFT JOIN inspections i ON i.blob_id = a.blob_id WHERE"
		" (SELECT count(*) FROM members WHERE inspection_id = i.id) <> 3 OR"
		" (SELECT count(*) FROM op_counts o JOIN meta_graphs g ON g.id = o.meta_graph_id"
		"  WHERE g.inspection_id = i.id) <> 2 OR"
		" (SELECT count(*) FROM tensors t JOIN functions f ON f.id = t.function_id"
		"  JOIN meta_graphs g ON g.id = f.meta_graph_id WHERE g.inspection_id = i.id) <> 31 OR"
		" NOT EXISTS (SELECT 1 FROM audit s, modules m WHERE m.id = v.module_id"
		"  AND s.subject = m.handle || '/' || v.version)";
	const struct place *place = *state;

	for (int round = 0; round < 5; round++) {
		AUTO_FREE char *name = mem_printf("killed-%d", round);

		kill_after(place, name, 1 + 3 * round);
	}
	assert_int_equal(ask_beside(place, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
	assert_int_equal(ask_beside(place, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
	assert_int_equal(ask_beside(place, broken), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(threads_share_it),
		TEST(processes_share_it),
		TEST(a_killed_process_leaves_whole_versions),
	};

	if (argc == 5 && strcmp(argv[1], "keep") == 0)
		return keep_many(argv[2], argv[3], atoi(argv[4]));
	return cmocka_run_group_tests_name("catalog_sharing", tests, NULL, NULL);
}
