/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/network.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void reads_lists(void **state)
{
	static const struct {
		const char *list;
		const char *wrong; /* NULL: none is */
	} cases[] = {
		{"", NULL},
		{" ,\t", NULL},
		{"127.0.0.1", NULL},
		{"10.0.0.0/8,::1 , fe80::/10", NULL},
		{"0.0.0.0/0 ::/0", NULL},
		{"10.0.0.0/33", "10.0.0.0/33"},
		{"10.0.0.0/-1", "10.0.0.0/-1"},
		{"10.0.0.0/", "10.0.0.0/"},
		{"::1/129", "::1/129"},
		{"10.0.0/8", "10.0.0/8"},
		{"127.0.0.1 localhost", "localhost"},
		{"10.0.0.0/8/8", "10.0.0.0/8/8"},
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool sound = network_check_list(cases[i].list, &err);

		print_message("\"%s\"\n", cases[i].list);
		assert_int_equal(sound, cases[i].wrong == NULL);
		if (!sound)
			assert_non_null(strstr(err.text, cases[i].wrong));
	}
}

/* All prefixes of one address, and an address that differs in each of the bits. */
static void covers_by_bits(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits <= 32; bits++) {
		for (unsigned flipped = 0; flipped < 32; flipped++) {
			uint32_t address = 0xc0a85aa5 ^ 1U << (31 - flipped);
			char list[40], text[40];

			(void)snprintf(list, sizeof list, "8.8.8.8 192.168.90.165/%u", bits);
			(void)snprintf(text, sizeof text, "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
				address >> 8 & 255, address & 255);
			assert_int_equal(network_list_has(list, text), flipped >= bits);
		}
	}
}

static void finds_addresses(void **state)
{
	static const struct {
		const char *list;
		const char *address;
		bool found;
	} cases[] = {
		{NULL, "127.0.0.1", false},
		{"", "127.0.0.1", false},
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "::ffff:127.0.0.1", true},
		{"::ffff:127.0.0.0/104", "127.9.9.9", true},
		{"0.0.0.0/0", "::1", false},
		{"::/0", "127.0.0.1", true},
		{"2001:db8::/32", "2001:db8:1::1", true},
		{"2001:db8::/32", "2001:db9::", false},
		{"nonsense, 10.1.0.0/16", "10.1.2.3", true},
		{"10.1.0.0/16", "unix", false},
		{"10.1.0.0/16", "", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("%s in %s\n", cases[i].address, cases[i].list ? cases[i].list : "NULL");
		assert_int_equal(network_list_has(cases[i].list, cases[i].address), cases[i].found);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_lists),
		cmocka_unit_test(covers_by_bits),
		cmocka_unit_test(finds_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
