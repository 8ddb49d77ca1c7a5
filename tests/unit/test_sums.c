/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/sums.h"

static void knows_the_check_values(void **state)
{
	static const uint8_t crc32c[] = {0xe3, 0x06, 0x92, 0x83};
	static const uint8_t crc64nvme[] = {0xae, 0x8b, 0x14, 0x86, 0x0a, 0x79, 0x98, 0x88};
	static const uint8_t crc64xz[] = {0x99, 0x5d, 0xc9, 0xbb, 0xdf, 0x19, 0x39, 0xfa};
	static const uint8_t crc32[] = {0xcb, 0xf4, 0x39, 0x26};
	static const uint8_t md5[] = {0x25, 0xf9, 0xe7, 0x94, 0x32, 0x3b, 0x45, 0x38};
	static const uint8_t length[] = {0, 0, 0, 0, 0, 0, 0, 9};
	uint8_t out[SUM_COUNT][SUM_BYTES_MAX] = {0};
	struct sums *sums = sums_create(~0u);

	sums_add(sums, "123456789", 9);
	sums_result(sums, out);
	sums_destroy(sums);
	assert_memory_equal(out[SUM_CRC32C], crc32c, sizeof crc32c);
	assert_memory_equal(out[SUM_CRC64NVME], crc64nvme, sizeof crc64nvme);
	assert_memory_equal(out[SUM_CRC64XZ], crc64xz, sizeof crc64xz);
	assert_memory_equal(out[SUM_CRC32], crc32, sizeof crc32);
	assert_memory_equal(out[SUM_MD5], md5, sizeof md5);
	assert_memory_equal(out[SUM_LENGTH], length, sizeof length);
}

/* Pieces of every length up to some that is longer than what is taken at once. */
static void pieces_make_no_difference(void **state)
{
	char bytes[300];
	uint8_t whole[SUM_COUNT][SUM_BYTES_MAX] = {0};
	uint8_t pieces[SUM_COUNT][SUM_BYTES_MAX] = {0};
	struct sums *one = sums_create(~0u);
	struct sums *many = sums_create(~0u);

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 7 + i / 5);
	sums_add(one, bytes, sizeof bytes);
	for (size_t at = 0, length = 0; at < sizeof bytes; at += length, length++) {
		if (length > sizeof bytes - at)
			length = sizeof bytes - at;
		sums_add(many, bytes + at, length);
	}
	sums_result(one, whole);
	sums_result(many, pieces);
	sums_destroy(one);
	sums_destroy(many);
	assert_memory_equal(whole, pieces, sizeof whole);
}

static void leaves_out_what_is_not_wanted(void **state)
{
	uint8_t out[SUM_COUNT][SUM_BYTES_MAX] = {0};
	const uint8_t nothing[SUM_BYTES_MAX] = {0};
	struct sums *sums = sums_create(1u << SUM_CRC32);

	sums_add(sums, "x", 1);
	sums_result(sums, out);
	sums_destroy(sums);
	assert_memory_equal(out[SUM_SHA256], nothing, sizeof nothing);
	assert_memory_not_equal(out[SUM_CRC32], nothing, sizeof nothing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_the_check_values),
		cmocka_unit_test(pieces_make_no_difference),
		cmocka_unit_test(leaves_out_what_is_not_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
