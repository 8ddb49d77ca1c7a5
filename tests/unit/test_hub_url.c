/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "server/hub/hub_url.h"

static const char hosts[] = "tfhub.dev, www.tfhub.dev";

static struct request request_of(const char *target)
{
	struct request request = {0};
	struct err err = {0};

	if (!request_set_target(&request, target, hosts, &err))
		fail_msg("%s: %s", target, err.text);
	return request;
}

static void reads_what_is_wanted(void **state)
{
	static const struct {
		const char *target;
		enum wanted wanted;
		const char *handle;
		int64_t version;
		enum format format; /* what describes has none */
		const char *member;
	} cases[] = {
		{"/google/x/1?tf-hub-format=compressed", WANTED_ARTIFACT, "google/x", 1, FORMAT_TF_HUB, NULL},
		{"/google/x/1?tf-hub-format=compressed&tf-hub-format=compressed", WANTED_ARTIFACT, "google/x",
			1, FORMAT_TF_HUB, NULL},
		{"/google/x/1?tf-hub-format=compressed,uncompressed", WANTED_ARTIFACT, "google/x", 1,
			FORMAT_TF_HUB, NULL},
		{"/google/x/1?tf-hub-format=new,compressed", WANTED_ARTIFACT, "google/x", 1, FORMAT_TF_HUB,
			NULL},
		{"/google/x/1?tf-hub-format=new&tf-hub-format=compressed", WANTED_ARTIFACT, "google/x", 1,
			FORMAT_TF_HUB, NULL},
		{"/google/x/1?utm=a&tf-hub-format=compressed", WANTED_ARTIFACT, "google/x", 1, FORMAT_TF_HUB,
			NULL},
		{"/google/deep/er/x/12?tf-hub-format=compressed", WANTED_ARTIFACT, "google/deep/er/x", 12,
			FORMAT_TF_HUB, NULL},
		{"/google/x?tf-hub-format=compressed", WANTED_ARTIFACT, "google/x", 0, FORMAT_TF_HUB, NULL},
		{"/https://tfhub.dev/google/x/1?tf-hub-format=compressed", WANTED_ARTIFACT, "google/x", 1,
			FORMAT_TF_HUB, NULL},
		{"/google/x/1.tar.gz", WANTED_ARTIFACT, "google/x", 1, FORMAT_TF_HUB, NULL},
		{"/google/x/1.tgz", WANTED_ARTIFACT, "google/x", 1, FORMAT_TF_HUB, NULL},
		{"/tfhub-modules/google/x/1.tar.gz", WANTED_ARTIFACT, "google/x", 1, FORMAT_TF_HUB, NULL},
		{"/google/x/1.tar.gz?tf-hub-format=compressed", WANTED_ARTIFACT, "google/x", 1, FORMAT_TF_HUB,
			NULL},
		{"/google/x/1?tf-hub-format=uncompressed", WANTED_UNCOMPRESSED, "google/x", 1, FORMAT_TF_HUB,
			NULL},
		{"/google/x/1.tflite", WANTED_ARTIFACT, "google/x", 1, FORMAT_TFLITE, NULL},
		{"/google/x/1/2.tflite", WANTED_ARTIFACT, "google/x/1", 2, FORMAT_TFLITE, NULL},
		{"/google/x/1.tflite?coral-format=tflite", WANTED_ARTIFACT, "google/x", 1, FORMAT_CORAL,
			NULL},
		{"/google/x/1.tflite?tf-hub-format=compressed", WANTED_ARTIFACT, "google/x", 1, FORMAT_TFLITE,
			NULL},
		{"/google/x/1.tar.gz?coral-format=tflite", WANTED_ARTIFACT, "google/x", 1, FORMAT_TF_HUB,
			NULL},
		{"/google/x/1/model.tflite", WANTED_MEMBER, "google/x", 1, FORMAT_TFJS, "model.tflite"},
		{"/google/x/1?tfjs-format=compressed", WANTED_ARTIFACT, "google/x", 1, FORMAT_TFJS, NULL},
		{"/google/x/1.tar.gz?tfjs-format=compressed", WANTED_ARTIFACT, "google/x", 1, FORMAT_TFJS,
			NULL},
		{"/google/x/1/model.json?tfjs-format=file", WANTED_MEMBER, "google/x", 1, FORMAT_TFJS,
			"model.json"},
		{"/google/x/1/model.json", WANTED_MEMBER, "google/x", 1, FORMAT_TFJS, "model.json"},
		{"/google/x/1/group1-shard1of2.bin", WANTED_MEMBER, "google/x", 1, FORMAT_TFJS,
			"group1-shard1of2.bin"},
		{"/google/x/1/assets/vocab.json", WANTED_MEMBER, "google/x", 1, FORMAT_TFJS,
			"assets/vocab.json"},
		{"/google/x/1/data.tar.gz", WANTED_MEMBER, "google/x", 1, FORMAT_TFJS, "data.tar.gz"},
		{"/google/x/1?lite-format=tflite", WANTED_ARTIFACT, "google/x", 1, FORMAT_TFLITE, NULL},
		{"/google/x?lite-format=tflite", WANTED_ARTIFACT, "google/x", 0, FORMAT_TFLITE, NULL},
		{"/google/x/1?coral-format=tflite", WANTED_ARTIFACT, "google/x", 1, FORMAT_CORAL, NULL},
		{"/google/x/1", WANTED_DESCRIPTION, "google/x", 1, FORMAT_COUNT, NULL},
		{"/google/x", WANTED_DESCRIPTION, "google/x", 0, FORMAT_COUNT, NULL},
		{"/google", WANTED_DESCRIPTION, "google", 0, FORMAT_COUNT, NULL},
		{"/google/x/1?other=words", WANTED_DESCRIPTION, "google/x", 1, FORMAT_COUNT, NULL},
		{"/tfhub-modules/google/x/1.tgz?lite-format=tflite", WANTED_ARTIFACT, "google/x", 1,
			FORMAT_TF_HUB, NULL},
		{"/tfhub-lite-models/google/lite-model/x/1.tflite", WANTED_ARTIFACT, "google/lite-model/x", 1,
			FORMAT_TFLITE, NULL},
		{"/tfhub-lite-models/google/lite-model/x/1.tflite?tf-hub-format=compressed", WANTED_ARTIFACT,
			"google/lite-model/x", 1, FORMAT_TFLITE, NULL},
		{"/tfhub-tfjs-modules/google/tfjs-model/x/1.tar.gz", WANTED_ARTIFACT, "google/tfjs-model/x",
			1, FORMAT_TFJS, NULL},
		{"/tfhub-tfjs-modules/google/tfjs-model/x/1/model.json", WANTED_MEMBER, "google/tfjs-model/x",
			1, FORMAT_TFJS, "model.json"},
		{"/tfhub-tfjs-modules/google/tfjs-model/x/1?tfjs-format=compressed", WANTED_ARTIFACT,
			"google/tfjs-model/x", 1, FORMAT_TFJS, NULL},
		{"/google/x/1/default?tfjs-format=compressed", WANTED_ARTIFACT, "google/x/1/default", 0,
			FORMAT_TFJS, NULL},
		{"/google/x/050?tfjs-format=compressed", WANTED_ARTIFACT, "google/x/050", 0, FORMAT_TFJS,
			NULL},
		{"/tfhub-modules/google/x/1", WANTED_DESCRIPTION, "tfhub-modules/google/x", 1, FORMAT_COUNT,
			NULL},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct request request = request_of(cases[i].target);
		struct hub_url hub_url = {0};
		struct err err = {0};

		print_message("%s\n", cases[i].target);
		if (!hub_url_read(&request, NULL, &hub_url, &err))
			fail_msg("%s", err.text);
		assert_int_equal(hub_url.wanted, cases[i].wanted);
		assert_string_equal(hub_url.name.handle, cases[i].handle);
		assert_int_equal(hub_url.name.version, cases[i].version);
		if (cases[i].format != FORMAT_COUNT)
			assert_int_equal(hub_url.name.format, cases[i].format);
		if (cases[i].member)
			assert_string_equal(hub_url.member, cases[i].member);
		else
			assert_null(hub_url.member);
		hub_url_finish(&hub_url);
		request_finish(&request);
	}
}

static void refuses_what_it_cannot_read(void **state)
{
	static const char *const targets[] = {
		"/google/x/1?tf-hub-format=zip",
		"/google/x/1?tf-hub-format=",
		"/google/x/1?tf-hub-format",
		"/google/x/1?lite-format=compressed",
		"/google/x/1?tf-hub-format=file",
		"/google/x/1?tfjs-format=file",
		"/google/x/1/model.json?tfjs-format=compressed",
		"/google/x/1/model.json?tf-hub-format=compressed",
		"/google?tf-hub-format=compressed",
		"/google/x/99999999999999999999?tf-hub-format=compressed",
		"/goo%20gle/x/1",
	};

	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		struct request request = request_of(targets[i]);
		struct hub_url hub_url = {.wanted = WANTED_UNCOMPRESSED};
		struct err err = {0};

		if (hub_url_read(&request, NULL, &hub_url, &err))
			fail_msg("%s is read", targets[i]);
		assert_int_equal(err.code, ERR_BAD_REQUEST);
		assert_true(strlen(err.text) > 10);
		assert_int_equal(hub_url.wanted, WANTED_UNCOMPRESSED);
		assert_null(hub_url.memory);
		request_finish(&request);
	}
}

static void reads_where_to_publish(void **state)
{
	static const struct {
		const char *target;
		int format; /* -1: it is no place to publish to */
	} cases[] = {
		{"/acme/x/1", FORMAT_TF_HUB},
		{"/acme/x/1.tar.gz", FORMAT_TF_HUB},
		{"/acme/x/1?tf-hub-format=compressed", FORMAT_TF_HUB},
		{"/acme/x/1?tfjs-format=compressed", FORMAT_TFJS},
		{"/acme/x/1?lite-format=tflite", FORMAT_TFLITE},
		{"/acme/x/1?coral-format=tflite", FORMAT_CORAL},
		{"/acme/x/1?tf-hub-format=uncompressed", -1},
		{"/acme/x/1/model.json?tfjs-format=file", -1},
		{"/acme/x/1/model.json", -1},
		{"/acme/x?tf-hub-format=compressed", -1},
		{"/acme/x", -1},
		{"/acme", -1},
		{"/acme/1", -1},
		{"/acme/x/1?tf-hub-format=zip", -1},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct request request = request_of(cases[i].target);
		struct name name = {0};
		struct err err = {0};

		print_message("%s\n", cases[i].target);
		assert_int_equal(hub_url_read_upload(&request, &name, &err), cases[i].format >= 0);
		if (cases[i].format >= 0) {
			assert_string_equal(name.handle, "acme/x");
			assert_int_equal(name.version, 1);
			assert_int_equal(name.format, cases[i].format);
		} else {
			assert_int_equal(err.code, ERR_BAD_REQUEST);
		}
		request_finish(&request);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_is_wanted),
		cmocka_unit_test(refuses_what_it_cannot_read),
		cmocka_unit_test(reads_where_to_publish),
	};

	return cmocka_run_group_tests_name("hub_url", tests, NULL, NULL);
}
