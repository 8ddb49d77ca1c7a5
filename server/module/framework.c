/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/framework.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *word;
	enum format format;
} rows[] = {
	{"tensorFlow1", FORMAT_TF_HUB},
	{"tensorFlow2", FORMAT_TF_HUB},
	{"tfJs", FORMAT_TFJS},
	{"tfLite", FORMAT_TFLITE},
	{"coral", FORMAT_CORAL},
	{"pyTorch", FORMAT_ARCHIVE},
	{"jax", FORMAT_ARCHIVE},
	{"flax", FORMAT_ARCHIVE},
	{"pax", FORMAT_ARCHIVE},
	{"maxText", FORMAT_ARCHIVE},
	{"gemmaCpp", FORMAT_ARCHIVE},
	{"ggml", FORMAT_ARCHIVE},
	{"gguf", FORMAT_ARCHIVE},
	{"scikitLearn", FORMAT_ARCHIVE},
	{"mxnet", FORMAT_ARCHIVE},
	{"onnx", FORMAT_ARCHIVE},
	{"keras", FORMAT_ARCHIVE},
	{"transformers", FORMAT_ARCHIVE},
	{"api", FORMAT_ARCHIVE},
	{"other", FORMAT_ARCHIVE},
	{"tensorRtLlm", FORMAT_ARCHIVE},
	{"triton", FORMAT_ARCHIVE},
};

static const char enum_prefix[] = "MODEL_FRAMEWORK_";

static size_t skip_underscores(const char *word, size_t at, size_t length)
{
	while (at < length && word[at] == '_')
		at++;
	return at;
}

/* Whether two words differ in case and underscores only. */
static bool is_same(const char *one, size_t length, const char *other)
{
	size_t other_length = strlen(other);
	size_t a = 0, b = 0;

	for (;;) {
		a = skip_underscores(one, a, length);
		b = skip_underscores(other, b, other_length);
		if (a == length || b == other_length)
			return a == length && b == other_length;
		if (tolower((unsigned char)one[a++]) != tolower((unsigned char)other[b++]))
			return false;
	}
}

static bool is_segment(const char *word)
{
	static const char characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t length = strlen(word);

	return length > 0 && length <= FRAMEWORK_WORD_MAX && strspn(word, characters) == length;
}

bool framework_read(const char *word, struct framework *out)
{
	if (strncmp(word, enum_prefix, strlen(enum_prefix)) == 0)
		word += strlen(enum_prefix);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (!is_same(word, strlen(word), rows[i].word))
			continue;
		(void)snprintf(out->word, sizeof out->word, "%s", rows[i].word);
		out->format = rows[i].format;
		out->known = true;
		return true;
	}
	if (!is_segment(word))
		return false;
	(void)snprintf(out->word, sizeof out->word, "%s", word);
	out->format = FORMAT_ARCHIVE;
	out->known = false;
	return true;
}

bool framework_of_handle(const char *handle, struct framework *out, size_t *at)
{
	char word[FRAMEWORK_WORD_MAX + 1] = "";
	const char *part = handle;

	for (int i = 0; i < 4; i++) {
		size_t length = strcspn(part, "/");

		if (length == 0 || (part[length] == '/') != (i < 3) || (i == 2 && length >= sizeof word))
			return false;
		if (i == 2) {
			memcpy(word, part, length);
			*at = (size_t)(part - handle);
		}
		part += length + (i < 3);
	}
	return framework_read(word, out) && out->known;
}

bool framework_has_handle(const char *handle)
{
	struct framework framework;
	size_t at;

	return framework_of_handle(handle, &framework, &at);
}

bool framework_is(const struct framework *framework, const char *word, size_t length)
{
	return is_same(word, length, framework->word);
}

void framework_order(const struct framework *framework, enum format out[FORMAT_COUNT])
{
	size_t count = 0;

	out[count++] = framework->format;
	if (framework->format != FORMAT_ARCHIVE)
		out[count++] = FORMAT_ARCHIVE;
	for (int format = 0; format < FORMAT_COUNT; format++) {
		if ((enum format)format != framework->format && (enum format)format != FORMAT_ARCHIVE)
			out[count++] = (enum format)format;
	}
}
