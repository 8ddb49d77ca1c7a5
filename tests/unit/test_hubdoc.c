/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/documents/hubdoc.h"

#define MODULE_HEAD "# Module acme/x/2\nDoes things.\n\n"
#define MODULE_KEYS \
	"<!-- asset-path: legacy -->\n<!-- task: t -->\n<!-- fine-tunable: true -->\n<!-- format: hub -->\n"

static struct hubdoc *read_doc(const char *markdown)
{
	struct hubdoc *doc = NULL;
	struct err err = {0};
	bool is_one = false;
	size_t line;

	if (!hubdoc_read(markdown, &doc, &is_one, &line, &err))
		fail_msg("%s", err.text);
	assert_int_equal(is_one, doc != NULL);
	return doc;
}

static void test_kinds(void **state)
{
	static const struct {
		const char *markdown;
		enum hubdoc_kind kind;
		const char *path;
		const char *url;
		enum format format; /* FORMAT_COUNT: none */
	} cases[] = {
		{MODULE_HEAD MODULE_KEYS, HUBDOC_MODULE, "acme/x/2", "acme/x/2", FORMAT_TF_HUB},
		{"# Placeholder acme/x/1/y/3\nD\n<!-- task: t -->", HUBDOC_PLACEHOLDER, "acme/x/1/y/3",
			"acme/x/1/y/3", FORMAT_COUNT},
		{"# Lite acme/x/1/lite/3\nD\n<!-- asset-path: l -->\n<!-- parent-model: a/b/1 -->",
			HUBDOC_LITE, "acme/x/1/lite/3", "acme/lite-model/x/1/lite/3", FORMAT_TFLITE},
		{"# Tfjs acme/x/3\nD\n<!-- asset-path: l -->\n<!-- parent-model: a/b/1 -->", HUBDOC_TFJS,
			"acme/x/3", "acme/tfjs-model/x/3", FORMAT_TFJS},
		{"# Coral acme/x/3\nD\n<!-- asset-path: l -->\n<!-- parent-model: a/b/1 -->", HUBDOC_CORAL,
			"acme/x/3", "acme/coral-model/x/3", FORMAT_CORAL},
		{"# Publisher acme\nAcme Ltd", HUBDOC_PUBLISHER, "acme", "acme", FORMAT_COUNT},
		{"# Collection acme/c/1\nD\n<!-- task: t -->", HUBDOC_COLLECTION, "acme/c/1", "acme/c/1",
			FORMAT_COUNT},
		{"# Publisher ac&zwnj;me\nAcme Ltd", HUBDOC_PUBLISHER, "acme", "acme", FORMAT_COUNT},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_HUBDOC struct hubdoc *doc = read_doc(cases[i].markdown);
		struct name url;
		struct err err;

		assert_int_equal(doc->kind, cases[i].kind);
		assert_string_equal(name_path(&doc->name).text, cases[i].path);
		assert_true(hubdoc_url_name(doc, &url, &err));
		assert_string_equal(name_path(&url).text, cases[i].url);
		assert_int_equal(doc->has_format ? doc->name.format : FORMAT_COUNT, cases[i].format);
	}
}

static void test_free_text(void **state)
{
	static const char *const texts[] = {"", "text", "# My module\n\nText", "# Module\n",
		"# Module of ours\n", "## Module acme/x/1\n", "# Module acme/x\n",
		"# Module acme/x/1 is good\n", "# Publisher acme/x\n", "\n# Module acme/x/1\n",
		"# module acme/x/1\n"};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_null(read_doc(texts[i]));
}

static void test_description(void **state)
{
	static const struct {
		const char *markdown;
		const char *description;
	} cases[] = {
		{"# Publisher acme\nAcme Ltd", "Acme Ltd"},
		{"# Publisher acme\n\nAcme\n  Ltd \n\n", "Acme Ltd"},
		{"# Publisher acme\r\nAcme\r\n\r\n", "Acme"},
		{"# Collection acme/c/1\nA\n<!-- task: t -->\n", "A"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_HUBDOC struct hubdoc *doc = read_doc(cases[i].markdown);

		assert_string_equal(doc->description, cases[i].description);
	}
}

static void test_tags(void **state)
{
	static const char *const expected[] = {"asset_path=https://a.b/c:d.tar.gz", "task=text-x",
		"task=text-y", "fine_tunable=false", "model_format=saved_model_2", "architecture=a b",
		"license=mit"};
	static const char markdown[] = MODULE_HEAD
		"<!-- asset-path: https://a.b/c:d.tar.gz -->\n<!--task:text-x-->\n\n"
		"<!-- task: text-y -->\n<!-- task: text-x -->\n<!-- fine-tunable:   false  -->\n<!-- format: "
		"saved_model_2 -->\n"
		"<!-- network-architecture: a b -->\n<!-- license: mit -->\n\n## Body\n<!-- not: this -->\n";
	AUTO_HUBDOC struct hubdoc *doc = read_doc(markdown);

	assert_int_equal(doc->tag_count, sizeof expected / sizeof *expected);
	for (size_t i = 0; i < doc->tag_count; i++) {
		AUTO_FREE char *tag = mem_printf("%s=%s", doc->tags[i].kind, doc->tags[i].value);

		assert_string_equal(tag, expected[i]);
	}
	assert_string_equal(markdown + doc->body_at, "## Body\n<!-- not: this -->\n");
	assert_null(doc->icon_url);
}

static void test_icon(void **state)
{
	static const char markdown[] = "# Publisher acme\nAcme\n\n[![Icon URL]](https://a.b/i.png)\nrest";
	struct hubdoc *doc;
	struct err err;
	bool is_one;
	size_t line;

	assert_false(hubdoc_read(markdown, &doc, &is_one, &line, &err));
	assert_int_equal(line, 5);
	AUTO_HUBDOC
	struct hubdoc *good = read_doc("# Publisher acme\nAcme\n\n[![Icon URL]](https://a.b/i.png)\n## B");
	assert_string_equal(good->icon_url, "https://a.b/i.png");
}

static void test_faults(void **state)
{
	static const struct {
		const char *markdown;
		size_t line;
		const char *says;
	} cases[] = {
		{"# Module acme/x/1", 1, "description"},
		{"# Module acme/x/1\n\n\nA", 3, "description"},
		{"# Module acme/x/1\n<!-- task: t -->", 2, "description"},
		{MODULE_HEAD MODULE_KEYS "text", 8, "only"},
		{MODULE_HEAD MODULE_KEYS "<!-- colour: red -->", 8, "\"colour\""},
		{MODULE_HEAD MODULE_KEYS "<!-- demo: https://a.b -->", 8, "Module"},
		{MODULE_HEAD MODULE_KEYS "<!-- format: saved_model -->", 8, "second"},
		{MODULE_HEAD MODULE_KEYS "<!-- license: -->", 8, "value"},
		{MODULE_HEAD MODULE_KEYS "<!-- license mit -->", 8, "key: value"},
		{MODULE_HEAD MODULE_KEYS "<!-- license: mit", 8, "key: value"},
		{MODULE_HEAD MODULE_KEYS "<!-->", 8, "key: value"},
		{MODULE_HEAD MODULE_KEYS "<!--:-->", 8, "no key"},
		{MODULE_HEAD "<!-- fine-tunable: maybe -->", 4, "true or false"},
		{"# Publisher acme\nA\n\n[![Icon URL]](javascript:x)", 4, "icon"},
		{"# Publisher acme\nA\n\n[![Icon URL]](https://x", 4, "icon"},
		{"# Publisher acme\nA\n\n[![Icon URL]]", 4, "icon"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct hubdoc *doc = NULL;
		struct err err = {0};
		bool is_one;
		size_t line = 0;

		assert_false(hubdoc_read(cases[i].markdown, &doc, &is_one, &line, &err));
		assert_int_equal(err.code, ERR_BAD_REQUEST);
		assert_int_equal(line, cases[i].line);
		if (!strstr(err.text, cases[i].says))
			fail_msg("\"%s\" does not say %s", err.text, cases[i].says);
	}
}

/* Of every kind, what is no key of it: the refusal lists those that are, and each of those is taken. */
static void test_names_the_keys(void **state)
{
	static const char *const heads[] = {"# Module acme/x/1\nD\n", "# Placeholder acme/x/1\nD\n",
		"# Lite acme/x/1\nD\n", "# Tfjs acme/x/1\nD\n", "# Coral acme/x/1\nD\n",
		"# Collection acme/x/1\nD\n"};
	static const char *const wrong[] = {"foo", "description", "tasks", "Task", "tag", "version"};

	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		for (size_t j = 0; j < sizeof wrong / sizeof *wrong; j++) {
			AUTO_FREE char *markdown = mem_printf("%s<!-- %s: true -->\n", heads[i], wrong[j]);
			struct hubdoc *doc = NULL;
			struct err err = {0};
			bool is_one;
			size_t line;
			char *keys;

			assert_false(hubdoc_read(markdown, &doc, &is_one, &line, &err));
			keys = strstr(err.text, " has ");
			assert_non_null(keys);
			for (char *key = strtok(keys + 5, ", "); key; key = strtok(NULL, ", ")) {
				AUTO_FREE char *right = mem_printf("%s<!-- %s: true -->\n", heads[i], key);

				hubdoc_destroy(read_doc(right));
			}
		}
	}
}

static void test_completeness(void **state)
{
	AUTO_HUBDOC struct hubdoc *complete = read_doc(MODULE_HEAD MODULE_KEYS);
	AUTO_HUBDOC struct hubdoc *lacking = read_doc(MODULE_HEAD "<!-- task: t -->\n");
	AUTO_HUBDOC struct hubdoc *lite = read_doc("# Lite acme/x/1\nD\n<!-- asset-path: l -->");
	struct err err;

	assert_true(hubdoc_check_complete(complete, &err));
	assert_false(hubdoc_check_complete(lacking, &err));
	assert_non_null(strstr(err.text, "\"asset-path\""));
	assert_false(hubdoc_check_complete(lite, &err));
	assert_non_null(strstr(err.text, "\"parent-model\""));
}

static void test_bounds(void **state)
{
	AUTO_BUFFER struct buffer many = {0};
	AUTO_BUFFER struct buffer longer = {0};
	struct hubdoc *doc;
	struct err err;
	bool is_one;
	size_t line;

	buffer_add_string(&many, MODULE_HEAD);
	for (int i = 0; i <= HUBDOC_TAGS_MAX; i++)
		buffer_printf(&many, "<!-- task: %d -->\n", i);
	assert_false(hubdoc_read(buffer_string(&many), &doc, &is_one, &line, &err));
	buffer_add_string(&longer, "# Publisher acme\n");
	for (int i = 0; i < HUBDOC_VALUE_MAX; i++)
		buffer_add_string(&longer, "long ");
	assert_false(hubdoc_read(buffer_string(&longer), &doc, &is_one, &line, &err));
}

/* Each list and page repeats those by which it is filtered; others stand on the module's own page. */
static void test_bounds_of_values(void **state)
{
	static const struct {
		const char *key;
		size_t max;
	} cases[] = {{"task", HUBDOC_LABEL_MAX}, {"dataset", HUBDOC_LABEL_MAX},
		{"language", HUBDOC_LABEL_MAX}, {"network-architecture", HUBDOC_LABEL_MAX},
		{"license", HUBDOC_LABEL_MAX}, {"format", HUBDOC_LABEL_MAX}, {"asset-path", HUBDOC_VALUE_MAX},
		{"colab", HUBDOC_VALUE_MAX}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (size_t more = 0; more < 2; more++) {
			AUTO_BUFFER struct buffer text = {0};
			AUTO_HUBDOC struct hubdoc *doc = NULL;
			struct err err;
			bool is_one;
			size_t line;

			buffer_printf(&text, MODULE_HEAD "<!-- %s: ", cases[i].key);
			for (size_t byte = 0; byte < cases[i].max + more; byte++)
				buffer_add_string(&text, "x");
			buffer_add_string(&text, " -->\n");
			assert_int_equal(
				hubdoc_read(buffer_string(&text), &doc, &is_one, &line, &err), more == 0);
			assert_true(more == 0 || strstr(err.text, cases[i].key));
		}
	}
}

static void test_links(void **state)
{
	const char *text = "|[a](https://tfhub.dev/acme/x/1)|[b](http://tfhub.dev/acme/lite-model/y/1/z/2/)| "
			   "https://tfhub.dev/acme "
			   "https://tfhub.dev/acme/collections/c/1 <https://tfhub.dev/acme/w#usage>, "
			   "https://tfhub.dev/acme/v.";
	static const char *const expected[] = {"acme/x/1", "acme/lite-model/y/1/z/2", "acme/w", "acme/v"};
	struct name name = {0};

	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		assert_true(hubdoc_next_link(&text, &name));
		assert_string_equal(name_path(&name).text, expected[i]);
	}
	assert_false(hubdoc_next_link(&text, &name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_free_text),
		cmocka_unit_test(test_description),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_icon),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_names_the_keys),
		cmocka_unit_test(test_completeness),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_bounds_of_values),
		cmocka_unit_test(test_links),
	};

	return cmocka_run_group_tests_name("hubdoc", tests, NULL, NULL);
}
