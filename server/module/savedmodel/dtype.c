/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/savedmodel/dtype.h"

#include <stdio.h>
#include <string.h>

#include "common/number.h"

enum { REFERENCE_OFFSET = 100, OTHERS_OFFSET = 1000 };

/* Indexed by DataType number; the name in Python and the one in the enum behind "DT_". */
static const struct {
	const char *name;
	const char *symbol;
} dtypes[] = {
	{"invalid", "INVALID"},
	{"float32", "FLOAT"},
	{"float64", "DOUBLE"},
	{"int32", "INT32"},
	{"uint8", "UINT8"},
	{"int16", "INT16"},
	{"int8", "INT8"},
	{"string", "STRING"},
	{"complex64", "COMPLEX64"},
	{"int64", "INT64"},
	{"bool", "BOOL"},
	{"qint8", "QINT8"},
	{"quint8", "QUINT8"},
	{"qint32", "QINT32"},
	{"bfloat16", "BFLOAT16"},
	{"qint16", "QINT16"},
	{"quint16", "QUINT16"},
	{"uint16", "UINT16"},
	{"complex128", "COMPLEX128"},
	{"float16", "HALF"},
	{"resource", "RESOURCE"},
	{"variant", "VARIANT"},
	{"uint32", "UINT32"},
	{"uint64", "UINT64"},
	{"float8_e5m2", "FLOAT8_E5M2"},
	{"float8_e4m3fn", "FLOAT8_E4M3FN"},
	{"float8_e4m3fnuz", "FLOAT8_E4M3FNUZ"},
	{"float8_e4m3b11fnuz", "FLOAT8_E4M3B11FNUZ"},
	{"float8_e5m2fnuz", "FLOAT8_E5M2FNUZ"},
	{"int4", "INT4"},
	{"uint4", "UINT4"},
	{"int2", "INT2"},
	{"uint2", "UINT2"},
	{"float4_e2m1fn", "FLOAT4_E2M1FN"},
};
enum { DTYPE_COUNT = sizeof dtypes / sizeof dtypes[0] };

/* From OTHERS_OFFSET on: ggml's blocks of quantized weights, and floats of few bits. The numbers are in
 * databases: append only. */
static const char *const others[] = {"q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q8_1", "q2_k", "q3_k", "q4_k",
	"q5_k", "q6_k", "q8_k", "iq2_xxs", "iq2_xs", "iq3_xxs", "iq1_s", "iq4_nl", "iq3_s", "iq2_s", "iq4_xs",
	"iq1_m", "tq1_0", "tq2_0", "mxfp4", "float8_e8m0fnu", "float6_e2m3fn", "float6_e3m2fn"};
enum { OTHER_COUNT = sizeof others / sizeof *others };

struct dtype_name dtype_name(int64_t dtype)
{
	struct dtype_name name;
	bool is_reference = dtype > REFERENCE_OFFSET && dtype < REFERENCE_OFFSET + DTYPE_COUNT;
	int64_t plain = is_reference ? dtype - REFERENCE_OFFSET : dtype;

	if (plain >= 0 && plain < DTYPE_COUNT)
		(void)snprintf(
			name.text, sizeof name.text, "%s%s", dtypes[plain].name, is_reference ? "_ref" : "");
	else if (dtype >= OTHERS_OFFSET && dtype < OTHERS_OFFSET + OTHER_COUNT)
		(void)snprintf(name.text, sizeof name.text, "%s", others[dtype - OTHERS_OFFSET]);
	else
		(void)snprintf(name.text, sizeof name.text, "dtype_%lld", (long long)dtype);
	return name;
}

/* Whether text is word, or word followed by suffix. */
static bool is_word(const char *text, const char *word, const char *suffix, bool *has_suffix)
{
	size_t length = strlen(word);

	if (strncmp(text, word, length) != 0)
		return false;
	*has_suffix = strcmp(text + length, suffix) == 0;
	return *has_suffix || text[length] == '\0';
}

bool dtype_parse(const char *name, int64_t *out)
{
	bool is_reference;

	for (int64_t i = 0; i < DTYPE_COUNT; i++) {
		if (is_word(name, dtypes[i].name, "_ref", &is_reference) && !(i == 0 && is_reference)) {
			*out = i + (is_reference ? REFERENCE_OFFSET : 0);
			return true;
		}
	}
	for (int64_t i = 0; i < OTHER_COUNT; i++) {
		if (strcmp(name, others[i]) == 0) {
			*out = OTHERS_OFFSET + i;
			return true;
		}
	}
	return strncmp(name, "dtype_", 6) == 0 && number_parse(name + 6, out);
}

bool dtype_parse_symbol(const char *symbol, int64_t *out)
{
	bool is_reference;

	if (strncmp(symbol, "DT_", 3) != 0)
		return false;
	for (int64_t i = 0; i < DTYPE_COUNT; i++) {
		if (is_word(symbol + 3, dtypes[i].symbol, "_REF", &is_reference) &&
			!(i == 0 && is_reference)) {
			*out = i + (is_reference ? REFERENCE_OFFSET : 0);
			return true;
		}
	}
	return false;
}
