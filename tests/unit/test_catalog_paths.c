/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/module/examination.h"
#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_keep.h"
#include "server/store/catalog/catalog_paths.h"
#include "tests/unit/catalog_place.h"

static const char *const kept[] = {"acme/m/1", "acme/m/3", "acme/m/1/default/2", "acme/float/050/1",
	"acme/float/100/7", "acme/both/1", "acme/both/1/5", "acme/7/8"};

static void fill(struct catalog *catalog)
{
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		(void)keep(catalog, kept[i], FORMAT_TFJS, kept[i], SOURCE_MIRRORED);
}

struct reading {
	const char *path;
	enum path_use use;
	const char *read; /* "handle version member", or NULL: refused */
};

static void read_all(struct catalog *catalog, const struct reading *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct name name = {0};
		const char *member = NULL;
		struct err err = {0};
		char read[2 * NAME_PATH_MAX];
		bool done = catalog_read_path(catalog, cases[i].path, cases[i].use, &name, &member, &err);

		print_message("%s\n", cases[i].path);
		assert_int_equal(done, cases[i].read != NULL);
		if (!done) {
			assert_int_equal(err.code, ERR_BAD_REQUEST);
			continue;
		}
		(void)snprintf(read, sizeof read, "%s %lld%s%s", name.handle, (long long)name.version,
			member ? " " : "", member ? member : "");
		assert_string_equal(read, cases[i].read);
	}
}

static void what_is_known_decides(void **state)
{
	static const struct reading cases[] = {
		{"acme/m/1", PATH_ANY, "acme/m 1"},
		{"acme/m", PATH_ANY, "acme/m 0"},
		{"acme/m/1/default", PATH_ANY, "acme/m/1/default 0"},
		{"acme/m/1/default", PATH_WHOLE, "acme/m/1/default 0"},
		{"acme/m/1/default", PATH_MEMBER, "acme/m 1 default"},
		{"acme/m/1/default/2", PATH_ANY, "acme/m/1/default 2"},
		{"acme/m/1/default/2/x.json", PATH_ANY, "acme/m/1/default 2 x.json"},
		{"acme/float/050", PATH_ANY, "acme/float/050 0"},
		{"acme/float/100", PATH_WHOLE, "acme/float/100 0"},
		{"acme/float/100/7", PATH_WHOLE, "acme/float/100 7"},
		{"acme/both/1", PATH_ANY, "acme/both 1"},
		{"acme/both/1", PATH_WHOLE, "acme/both 1"},
		{"acme/both/1/5", PATH_WHOLE, "acme/both/1 5"},
		{"acme/7", PATH_WHOLE, "acme/7 0"},
		{"acme/7/8", PATH_ANY, "acme/7 8"},
		/* The files of an archive are looked for: here, in those of catalog_place. */
		{"acme/m/3/variables/z", PATH_ANY, "acme/m 3 variables/z"},
		{"acme/m/1/4/z", PATH_ANY, "acme/m/1 4 z"},
	};

	fill(catalog_of(state));
	read_all(catalog_of(state), cases, sizeof cases / sizeof *cases);
}

static void what_is_not_known_is_read_by_the_grammar(void **state)
{
	static const struct reading cases[] = {
		{"acme", PATH_ANY, "acme 0"},
		{"acme/m/2", PATH_ANY, "acme/m 2"},
		{"acme/m/1/default/9", PATH_WHOLE, "acme/m/1/default 9"},
		{"acme/new/1/default", PATH_ANY, "acme/new 1 default"},
		{"acme/new/1/default", PATH_WHOLE, "acme/new/1/default 0"},
		{"acme/new/1/default", PATH_MEMBER, "acme/new 1 default"},
		{"acme/new/1/model.json", PATH_WHOLE, "acme/new 1 model.json"},
		{"acme/new/050", PATH_WHOLE, "acme/new/050 0"},
		{"acme/new/0", PATH_WHOLE, NULL},
		{"acme/new/99999999999999999999", PATH_WHOLE, NULL},
		{"acme/new/1/a b", PATH_WHOLE, "acme/new 1 a b"},
		{"acme//new", PATH_ANY, NULL},
		{"Acme/new/1", PATH_ANY, NULL},
	};

	read_all(NULL, cases, sizeof cases / sizeof *cases);
	fill(catalog_of(state));
	read_all(catalog_of(state), cases, sizeof cases / sizeof *cases);
}

/* As many segments as a path can have: no more looks at the catalog than there are readings. */
static void the_longest_paths_are_read(void **state)
{
	char path[NAME_PATH_MAX + 1] = "a/b";
	struct name_reading readings[NAME_READINGS_MAX];
	struct name name;
	const char *member;
	struct err err = {0};

	while (strlen(path) + 2 <= NAME_PATH_MAX)
		(void)strcat(path, "/1");
	assert_int_equal(name_list_readings(path, readings), NAME_READINGS_MAX);
	assert_true(catalog_read_path(catalog_of(state), path, PATH_ANY, &name, &member, &err));
	assert_int_equal(name.version, 1);
	assert_null(member);
}

/* An archive of files 4/<first>, 4/<first + 1> … */
static void keep_files(struct catalog *catalog, enum format format, int first, size_t count)
{
	struct name name = name_of("acme/m/1", format);
	struct checksums checksums = checksums_of(formats[format].name);
	AUTO_EXAMINATION struct examination *examination = mem_zero(1, sizeof *examination);
	struct keeping keeping = {.name = &name,
		.source = SOURCE_MIRRORED,
		.upstream = "tfhub",
		.checksums = &checksums,
		.size_bytes = 1,
		.examination = examination,
		.now_s = NOW};
	enum kept outcome;
	struct err err = {0};

	examination->format = format;
	examination->file_count = examination->member_count = count;
	examination->members = mem_zero(count, sizeof *examination->members);
	for (size_t i = 0; i < count; i++)
		examination->members[i].path = mem_printf("4/%d", first + (int)i);
	if (!catalog_keep(catalog, &keeping, &outcome, &err))
		fail_msg("%s", err.text);
}

/* What is looked through is bounded for each archive, and the first files of it are. */
static void files_of_each_archive_are_looked_for(void **state)
{
	static const struct reading cases[] = {
		{"acme/m/1/4/1000", PATH_MEMBER, "acme/m 1 4/1000"},
		{"acme/m/1/4/3999", PATH_MEMBER, "acme/m 1 4/3999"},
		{"acme/m/1/4/10000", PATH_MEMBER, "acme/m 1 4/10000"},
		{"acme/m/1/4/13999", PATH_MEMBER, "acme/m 1 4/13999"},
		{"acme/m/1/4/24000", PATH_MEMBER, "acme/m 1 4/24000"},
	};
	keep_files(catalog_of(state), FORMAT_TF_HUB, 0, 4000);
	keep_files(catalog_of(state), FORMAT_TFJS, 10000, 4000);
	keep_files(catalog_of(state), FORMAT_ARCHIVE, 20000, 5000);
	read_all(catalog_of(state), cases, sizeof cases / sizeof *cases);
}

static void assert_newest(
	struct catalog *catalog, const char *handle, enum format format, const struct newest *wanted)
{
	struct newest newest;
	struct err err = {0};

	assert_true(catalog_find_newest(catalog, handle, format, &newest, &err));
	assert_int_equal(newest.here, wanted->here);
	assert_int_equal(newest.known, wanted->known);
	assert_int_equal(newest.published, wanted->published);
}

static void ignore_orphan(void *context, const struct digest *digest)
{
	(void)context;
	(void)digest;
}

static void finds_the_newest(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct name name = name_of("acme/x/10", FORMAT_TFJS);
	struct err err = {0};
	bool may;

	assert_newest(catalog, "acme/x", FORMAT_TFJS, &(struct newest){0, 0, false});
	(void)keep(catalog, "acme/x/2", FORMAT_TF_HUB, "two", SOURCE_MIRRORED);
	(void)keep(catalog, "acme/x/10", FORMAT_TFJS, "ten", SOURCE_MIRRORED);
	assert_newest(catalog, "acme/x", FORMAT_TFJS, &(struct newest){10, 10, false});
	assert_newest(catalog, "acme/x", FORMAT_TF_HUB, &(struct newest){2, 10, false});
	assert_true(catalog_may_be_latest(catalog, &name, &may, &err) && may);
	assert_true(
		catalog_withdraw(catalog, &(struct withdrawal){&name, "ci", NOW}, ignore_orphan, NULL, &err));
	assert_true(catalog_may_be_latest(catalog, &name, &may, &err) && !may);
	assert_newest(catalog, "acme/x", FORMAT_TFJS, &(struct newest){0, 2, false});
	(void)keep(catalog, "acme/y/2", FORMAT_TF_HUB, "y", SOURCE_PUBLISHED);
	assert_newest(catalog, "acme/y", FORMAT_TF_HUB, &(struct newest){2, 2, true});
	assert_newest(catalog, "acme/y", FORMAT_TFJS, &(struct newest){0, 0, true});
	(void)keep(catalog, "acme/y/1", FORMAT_TFJS, "y tfjs", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/y/9", FORMAT_TFJS, "y stranger", SOURCE_MIRRORED);
	assert_newest(catalog, "acme/y", FORMAT_TF_HUB, &(struct newest){2, 2, true});
	assert_newest(catalog, "acme/y", FORMAT_TFJS, &(struct newest){1, 1, true});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_known_decides),
		TEST(what_is_not_known_is_read_by_the_grammar),
		TEST(the_longest_paths_are_read),
		TEST(files_of_each_archive_are_looked_for),
		TEST(finds_the_newest),
	};

	return cmocka_run_group_tests_name("catalog_paths", tests, NULL, NULL);
}
