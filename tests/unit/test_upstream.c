/* SPDX-License-Identifier: Apache-2.0
 *
 * Which upstream may have what, at which URL, and which addresses a redirect must not lead to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/upstream/peer.h"
#include "server/upstream/upstream.h"

/* Upstreams here are made of literals; nobody writes to them. */
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct name nnlm = {"google/nnlm-en-dim50", 2, FORMAT_TF_HUB};
static const struct name movenet = {"google/tfjs-model/movenet", 4, FORMAT_TFJS};
static const struct name yamnet = {"google/lite-model/yamnet", 1, FORMAT_TFLITE};

static void checks_templates(void **state)
{
	static const struct {
		const char *url;
		bool good;
	} cases[] = {
		{"https://tfhub.dev/{path}?{query}", true},
		{"http://origin:8080/{path}?{query}", true},
		{"HTTPS://[::1]:8443/m/{handle}/v{version}.tar.gz", true},
		{"https://user:pass@host/{path}?format={format}", true},
		{"ftp://host/{path}", false},
		{"file:///{path}", false},
		{"host/{path}", false},
		{"", false},
		{"https:///{path}", false},
		{"https://:80/{path}", false},
		{"https://user@/{path}", false},
		{"https://?{path}", false},
		{"https://{handle}.example/{version}", false},
		{"https://host/{paths}", false},
		{"https://host/{path", false},
		{"https://host/{path}}", false},
		{"https://host/{}{path}", false},
		{"https://host/{path} x", false},
		{"https://host/{path}\r\nX: y", false},
		{"https://host/module.tar.gz", false},
		{"https://host/{handle}", false},
		{"https://host/{version}", false},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err err = {0};

		print_message("%s\n", cases[i].url);
		AUTO_FREE char *url = mem_dup(cases[i].url);
		const struct upstream upstream = {.url = url};

		assert_int_equal(
			upstream_check_url(url, &err) && upstream_check(&upstream, &err), cases[i].good);
		assert_int_equal(err.code, cases[i].good ? ERR_NONE : ERR_BAD_REQUEST);
	}
}

static void builds_urls(void **state)
{
	static const struct {
		char *url;
		const struct name *name;
		const char *wanted;
	} cases[] = {
		{"https://tfhub.dev/{path}?{query}", &nnlm,
			"https://tfhub.dev/google/nnlm-en-dim50/2?tf-hub-format=compressed"},
		{"https://tfhub.dev/{path}?{query}", &movenet,
			"https://tfhub.dev/google/tfjs-model/movenet/4?tfjs-format=compressed"},
		{"https://tfhub.dev/{path}?{query}", &yamnet,
			"https://tfhub.dev/google/lite-model/yamnet/1?lite-format=tflite"},
		{"http://h/{format}/{handle}/v{version}.tgz", &nnlm,
			"http://h/tf-hub/google/nnlm-en-dim50/v2.tgz"},
		{"http://h/{path}/{path}", &nnlm, "http://h/google/nnlm-en-dim50/2/google/nnlm-en-dim50/2"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct upstream upstream = {.url = cases[i].url};
		AUTO_FREE char *url = upstream_url(&upstream, cases[i].name);

		assert_string_equal(url, cases[i].wanted);
	}
}

static void encodes_names(void **state)
{
	static const struct name odd = {"a/b c?d#e%f", 1, FORMAT_TF_HUB};
	struct upstream upstream = {.url = "http://h/{path}"};
	AUTO_FREE char *url = upstream_url(&upstream, &odd);

	assert_string_equal(url, "http://h/a/b%20c%3Fd%23e%25f/1");
}

static void builds_urls_of_files(void **state)
{
	static const struct {
		const char *url;
		const char *file;
		const char *wanted;
	} cases[] = {
		{"https://tfhub.dev/{path}?{query}", "model.json",
			"https://tfhub.dev/google/tfjs-model/movenet/4/model.json?tfjs-format=file"},
		{"https://tfhub.dev/{handle}/{version}?key=a&{query}&b=c", "a/b.bin",
			"https://tfhub.dev/google/tfjs-model/movenet/4/a/b.bin?key=a&tfjs-format=file&b=c"},
		{"http://h/-/t/tok3n/{path}?{query}", "a b?.bin",
			"http://h/-/t/tok3n/google/tfjs-model/movenet/4/a%20b%3F.bin?tfjs-format=file"},
		{"http://h/{path}?f={format}", "model.json", NULL},
		{"http://h/{format}/{path}.tar.gz", "model.json", NULL},
		{"http://h/{path}", "model.json", NULL},
		{"http://h/{path}.tar.gz?{query}", "model.json", NULL},
		{"http://h/{path}/?{query}", "model.json", NULL},
		{"http://h/get?of={path}&{query}", "model.json", NULL},
		{"http://h/{handle}?version={version}&{query}", "model.json", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct upstream upstream = {.url = (char *)cases[i].url};

		assert_int_equal(upstream_has_files(&upstream), cases[i].wanted != NULL);
		if (cases[i].wanted) {
			AUTO_FREE char *url = upstream_file_url(&upstream, &movenet, cases[i].file);

			assert_string_equal(url, cases[i].wanted);
		}
	}
}

static void knows_who_may_have_what(void **state)
{
	static const struct {
		struct upstream upstream;
		const struct name *name;
		bool wanted;
	} cases[] = {
		{{.url = "http://h/{path}?{query}"}, &nnlm, true},
		{{.url = "http://h/{path}?{query}"}, &yamnet, true},
		{{.url = "http://h/{format}/{path}"}, &movenet, true},
		{{.url = "http://h/{path}"}, &nnlm, true},
		{{.url = "http://h/{path}"}, &movenet, false},
		{{.url = "http://h/{path}.tflite", .formats = "tflite"}, &yamnet, true},
		{{.url = "http://h/{path}.tflite", .formats = "tflite"}, &nnlm, false},
		{{.url = "http://h/{path}", .formats = "tf-hub, tflite"}, &nnlm, true},
		{{.url = "http://h/{path}", .formats = "tf-hub, tflite"}, &yamnet, false},
		{{.url = "http://h/{path}?{query}", .formats = "tf-hub, tflite"}, &yamnet, true},
		{{.url = "http://h/{path}?{query}", .formats = "tf-hub,tflite"}, &movenet, false},
		{{.url = "http://h/{path}?{query}", .match = "google/*"}, &nnlm, true},
		{{.url = "http://h/{path}?{query}", .match = "acme/*, deepmind/*"}, &nnlm, false},
		{{.url = "http://h/{path}?{query}", .match = ""}, &nnlm, false},
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(upstream_may_have(&cases[i].upstream, cases[i].name), cases[i].wanted);
}

static void knows_who_can_be_asked_without_a_version(void **state)
{
	static const struct name handle = {"google/x", 0, FORMAT_TF_HUB};
	static const struct {
		struct upstream upstream;
		const char *url; /* NULL: cannot be asked */
	} cases[] = {
		{{.url = "http://h/{path}?{query}"}, "http://h/google/x?tf-hub-format=compressed"},
		{{.url = "http://h/{path}"}, "http://h/google/x"},
		{{.url = "http://h/-/t/word/{path}#top"}, "http://h/-/t/word/google/x#top"},
		{{.url = "http://h/{path}.tar.gz"}, NULL},
		{{.url = "http://h/{path}/archive"}, NULL},
		{{.url = "http://h/{handle}/{version}?{query}"}, NULL},
		{{.url = "http://h/{path}?{query}&v={version}"}, NULL},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		AUTO_FREE char *url = upstream_url(&cases[i].upstream, &handle);

		assert_int_equal(upstream_tells_latest(&cases[i].upstream), cases[i].url != NULL);
		if (cases[i].url)
			assert_string_equal(url, cases[i].url);
	}
}

static void knows_addresses_inside(void **state)
{
	static const struct {
		const char *ip;
		bool inside;
	} cases[] = {
		{"8.8.8.8", false},
		{"9.255.255.255", false},
		{"10.0.0.0", true},
		{"10.255.255.255", true},
		{"11.0.0.0", false},
		{"100.63.255.255", false},
		{"100.64.0.1", true},
		{"100.127.255.255", true},
		{"100.128.0.0", false},
		{"127.0.0.1", true},
		{"127.255.0.1", true},
		{"0.0.0.0", true},
		{"169.254.169.254", true},
		{"169.253.0.1", false},
		{"172.15.255.255", false},
		{"172.16.0.1", true},
		{"172.31.255.255", true},
		{"172.32.0.0", false},
		{"192.168.1.1", true},
		{"192.169.0.0", false},
		{"223.255.255.255", false},
		{"224.0.0.1", true},
		{"255.255.255.255", true},
		{"::", true},
		{"::1", true},
		{"fe80::1", true},
		{"febf::1", true},
		{"fec0::1", true},
		{"fc00::1", true},
		{"fdff::1", true},
		{"fe00::1", false},
		{"ff02::1", true},
		{"2001:4860:4860::8888", false},
		{"::ffff:10.0.0.1", true},
		{"::ffff:8.8.8.8", false},
		{"::127.0.0.1", true},
		{"64:ff9b::192.168.0.1", true},
		{"64:ff9b::8.8.8.8", false},
		{"198.17.255.255", false},
		{"198.18.0.1", true},
		{"198.19.255.255", true},
		{"198.20.0.0", false},
		{"191.255.255.255", false},
		{"192.0.0.170", true},
		{"192.0.1.1", false},
		{"2002:808:808::1", true},
		{"2003::1", false},
		{"64:ff9b:1::8.8.8.8", true},
		{"64:ff9b:2::1", false},
		{"2001:0:4136:e378::1", true},
		{"2001:1::1", false},
		{"2001:2::1", true},
		{"2001:2:1::1", false},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		union peer peer;

		print_message("%s\n", cases[i].ip);
		assert_true(peer_parse(cases[i].ip, 443, &peer));
		assert_int_equal(peer_port(&peer), 443);
		assert_int_equal(peer_is_inside(&peer), cases[i].inside);
	}
}

static void takes_the_unknown_for_inside(void **state)
{
	union peer peer = {.any = {.sa_family = AF_UNIX}};

	assert_true(peer_is_inside(&peer));
	assert_int_equal(peer_port(&peer), 0);
	assert_false(peer_parse("localhost", 80, &peer));
}

/* One address in all the spellings that some resolver understands. */
static void check_spellings(unsigned a, unsigned b, unsigned c, unsigned d, bool inside)
{
	static const char *const forms[] = {"%1$u.%2$u.%3$u.%4$u", "%1$u.%2$u.%5$u", "%1$u.%6$u", "%7$u",
		"0x%1$x.0x%2$x.0x%3$x.0x%4$x", "0x%7$x", "0%1$o.0%2$o.0%3$o.0%4$o", "0%7$o",
		"0%1$o.0x%2$x.%5$u", "[::ffff:%1$u.%2$u.%3$u.%4$u]", "::ffff:%1$u.%2$u.%3$u.%4$u",
		"[64:ff9b::%1$u.%2$u.%3$u.%4$u]", "%1$u.%2$u.%3$u.%4$u."};
	unsigned low = c << 8 | d;

	for (size_t i = 0; i < COUNT(forms); i++) {
		char host[80];

		(void)snprintf(
			host, sizeof host, forms[i], a, b, c, d, low, b << 16 | low, a << 24 | b << 16 | low);
		print_message("%s\n", host);
		assert_int_equal(peer_host_is_inside(host), inside);
	}
}

static void knows_hosts_inside(void **state)
{
	static const struct {
		const char *host;
		bool inside;
	} cases[] = {
		{"localhost", true},
		{"LocalHost.", true},
		{"localhost..", true},
		{"a.localhost", true},
		{"localhost.localdomain", true},
		{"ip6-loopback", true},
		{"[::1]", true},
		{"[fe80::1%25eth0]", true},
		{"[2001:4860:4860::8888]", false},
		{"[2002:7f00:1::]", true},
		{"notlocalhost", false},
		{"localhost.example.org", false},
		{".localhost", false},
		{"models.example", false},
		{"10.example", false},
		{"", false},
	};
	char endless[600];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("%s\n", cases[i].host);
		assert_int_equal(peer_host_is_inside(cases[i].host), cases[i].inside);
	}
	check_spellings(127, 0, 0, 1, true);
	check_spellings(10, 1, 2, 3, true);
	check_spellings(169, 254, 169, 254, true);
	check_spellings(192, 168, 0, 9, true);
	check_spellings(198, 18, 77, 1, true);
	check_spellings(8, 8, 4, 4, false);
	check_spellings(93, 184, 216, 34, false);
	memset(endless, 'a', sizeof endless - 1);
	endless[sizeof endless - 1] = '\0';
	assert_true(peer_host_is_inside(endless));
}

static void keeps_its_credentials(void **state)
{
	static const struct {
		const char *url;
		const char *text;
		bool betrayed;
	} cases[] = {
		{"https://hub.example/{path}?{query}", "google/x/1 is not at hub.example", false},
		{"https://ci:se%40cret@hub.example/{path}?{query}", "hub.example wants more of ci", false},
		{"https://ci:se%40cret@hub.example/{path}?{query}", "at ci:se%40cret@hub.example", true},
		{"https://ci:se%40cret@hub.example/{path}?{query}", "is 'se@cret' a password?", true},
		{"https://ci:a@hub.example/{path}?{query}", "a", true},
		{"https://ci:se%40cret@hub.example/{path}?{query}", "authorization: BASIC Y2k6", true},
		{"https://key@hub.example/{path}?{query}", "no such key", true},
		{"https://hub.example/-/t/tok3n/{path}?{query}", "/-/t/tok3n/google/x/1 is not here", true},
		{"https://hub.example/-/t/tok3n/{path}?{query}", "/-/t/ is not here", false},
		{"https://hub.example/%2D/t/tok3n/{path}?{query}", "/-/t/tok3n/google/x/1 is not here", true},
		{"https://hub.example/-%2ft%2ftok%33n/{path}?{query}", "who is tok3n?", true},
		{"https://hub.example/-/t/one/-/t/tok3n/{path}?{query}", "who is tok3n?", true},
		{"https://hub.example/{path}?sig=abcd&{query}", "the signature abcd is too old", true},
		{"https://hub.example/{path}?{query}&sig=ab%63d", "the signature abcd is too old", true},
		{"https://hub.example/{path}?v=2&{query}", "2 things are wrong", false},
		{"https://hub.example/{path}?tf-hub-format=compressed", "a compressed one is not here",
			false},
		{"https://hub.example/{path}?name={handle}", "google/x is not here", false},
		{"https://hub.example/{path}?", "google/x is not here", false},
		{"https://hub.example/{path}?&=&", "google/x is not here", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct upstream upstream = {.url = cases[i].url};

		print_message("%s: %s\n", cases[i].url, cases[i].text);
		assert_int_equal(upstream_is_betrayed_by(&upstream, cases[i].text), cases[i].betrayed);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(checks_templates),
		cmocka_unit_test(builds_urls),
		cmocka_unit_test(encodes_names),
		cmocka_unit_test(builds_urls_of_files),
		cmocka_unit_test(knows_who_may_have_what),
		cmocka_unit_test(knows_who_can_be_asked_without_a_version),
		cmocka_unit_test(keeps_its_credentials),
		cmocka_unit_test(knows_addresses_inside),
		cmocka_unit_test(takes_the_unknown_for_inside),
		cmocka_unit_test(knows_hosts_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
