/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/snippets.h"

#include <inttypes.h>
#include <string.h>

#include "common/mem.h"
#include "server/module/name.h"
#include "server/web/facts.h"

/* "{url}" is the version's address, "{file}" a name for what is downloaded, "{digest}" its SHA-256. */
static const struct snippet {
	enum format format;
	const char *id;
	const char *client;
	const char *about;
	const char *code;
} snippets[] = {
	{FORMAT_TF_HUB, "hub-load", "hub.load", "Python, tensorflow_hub: any module",
		"import tensorflow_hub as hub\n\nmodel = hub.load(\"{url}\")"},
	{FORMAT_TF_HUB, "keras-layer", "KerasLayer", "Python, tensorflow_hub: a part of a Keras model",
		"import tensorflow_hub as hub\n\nlayer = hub.KerasLayer(\"{url}\")"},
	{FORMAT_TF_HUB, "kagglehub", "kagglehub",
		"Python: in place of kagglehub.model_download(), which asks kaggle.com; a folder as well",
		"import tensorflow_hub as hub\n\npath = hub.resolve(\"{url}\")"},
	{FORMAT_TFJS, "tfjs", "TF.js", "JavaScript, in a browser or in Node.js",
		"import * as tf from \"@tensorflow/tfjs\";\n\nconst model = await "
		"tf.loadGraphModel(\"{url}\", {fromTFHub: true});"},
	{FORMAT_TFLITE, "tflite", "TF Lite", "Python: the file, then its interpreter",
		"import urllib.request\nimport tensorflow as tf\n\n"
		"path, _ = urllib.request.urlretrieve(\"{url}?lite-format=tflite\", \"{file}.tflite\")\n"
		"interpreter = tf.lite.Interpreter(model_path=path)"},
	{FORMAT_CORAL, "coral", "Coral", "Python: the file for an Edge TPU",
		"import urllib.request\n\n"
		"path, _ = urllib.request.urlretrieve(\"{url}?coral-format=tflite\", "
		"\"{file}_edgetpu.tflite\")"},
	{FORMAT_TF_HUB, "curl", "curl", "The archive as it is",
		"curl -fL -o {file}.tar.gz \"{url}?tf-hub-format=compressed\""},
	{FORMAT_TFJS, "curl-tfjs", "curl (TF.js)", "The archive as it is",
		"curl -fL -o {file}.tar.gz \"{url}?tfjs-format=compressed\""},
	{FORMAT_TFLITE, "curl-tflite", "curl (TF Lite)", "The file as it is",
		"curl -fL -o {file}.tflite \"{url}?lite-format=tflite\""},
	{FORMAT_CORAL, "curl-coral", "curl (Coral)", "The file as it is",
		"curl -fL -o {file}_edgetpu.tflite \"{url}?coral-format=tflite\""},
};

static bool is_listed_as(const json_t *module, const char *format)
{
	const json_t *listed;
	size_t i;

	json_array_foreach(json_object_get(module, "formats"), i, listed)
	{
		if (strcmp(json_string_value(listed), format) == 0)
			return true;
	}
	return false;
}

static const json_t *find_artifact(const json_t *version, const char *format)
{
	const json_t *artifact;
	size_t i;

	json_array_foreach(json_object_get(version, "artifacts"), i, artifact)
	{
		if (strcmp(fact_text(artifact, "format"), format) == 0)
			return artifact;
	}
	return NULL;
}

/* Hexadecimal; "" where it is not known. */
static const char *digest_of(const json_t *artifact)
{
	const char *colon = strchr(fact_text(artifact, "digest"), ':');

	return colon ? colon + 1 : "";
}

static void add_word(struct buffer *out, const char *word, size_t length, const char *url, const char *file)
{
	if (length == strlen("{url}") && strncmp(word, "{url}", length) == 0)
		buffer_add_string(out, url);
	else if (length == strlen("{file}") && strncmp(word, "{file}", length) == 0)
		buffer_add_string(out, file);
	else
		buffer_add(out, word, length);
}

/* Braces of the languages themselves stay as they are. */
static void fill_in(struct buffer *out, const char *code, const char *url, const char *file)
{
	while (*code) {
		size_t plain = strcspn(code, "{");
		size_t word;

		buffer_add(out, code, plain);
		code += plain;
		word = strcspn(code, "}");
		word += code[word] == '}';
		add_word(out, code, word, url, file);
		code += word;
	}
}

static void add_check(struct buffer *out, const char *digest)
{
	const char *line = strstr(buffer_string(out), "-o ");
	const char *file = line ? line + strlen("-o ") : "";
	AUTO_FREE char *name = mem_dup_n(file, strcspn(file, " "));

	buffer_printf(out, "\necho \"%s  %s\" | sha256sum -c", digest, name);
}

static void write_snippet(struct view *view, const struct snippet *snippet, const char *url, const char *file,
	const char *digest)
{
	AUTO_BUFFER struct buffer code = {0};

	fill_in(&code, snippet->code, url, file);
	if (strncmp(snippet->id, "curl", strlen("curl")) == 0 && *digest)
		add_check(&code, digest);
	HTML(&view->html, "<div class=\"panel\" id=\"use-%s\">\n<h3>%s</h3>\n<p class=\"faint\">%s</p>\n",
		snippet->id, snippet->client, snippet->about);
	view_code(view, snippet->client, buffer_string(&code));
	HTML(&view->html, "</div>\n");
}

void snippets_write(struct view *view, const json_t *module, const json_t *version)
{
	const char *handle = fact_text(version, "handle");
	const char *slash = strrchr(handle, '/');
	int64_t number = fact_number(version, "version");
	bool is_listed = json_array_size(json_object_get(version, "artifacts")) == 0;
	AUTO_FREE char *url = mem_printf("%s/%s/%" PRId64, view->url, handle, number);
	AUTO_FREE char *file = mem_printf("%s-%" PRId64, slash ? slash + 1 : handle, number);

	HTML(&view->html, "<section class=\"use\" aria-labelledby=\"use\">\n<h2 id=\"use\">Use it</h2>\n"
			  "<div class=\"panels\" data-tabs=\"Clients\">\n");
	for (size_t i = 0; i < sizeof snippets / sizeof *snippets; i++) {
		const char *format = formats[snippets[i].format].name;
		const json_t *artifact = find_artifact(version, format);

		if (artifact || (is_listed && is_listed_as(module, format)))
			write_snippet(view, &snippets[i], url, file, digest_of(artifact));
	}
	HTML(&view->html, "</div>\n</section>\n");
}
