/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/snippets.h"

#include <inttypes.h>
#include <string.h>

#include "common/mem.h"
#include "server/module/framework.h"
#include "server/module/name.h"
#include "server/web/example_calls.h"
#include "server/web/facts.h"

static void call_serving(struct buffer *out, const json_t *model);

/* "{url}" is the version's address, "{path}" the same without the server, which is "{server}"; "{file}" is a
 * name for what is downloaded, "{name}" the module's. What call appends follows. */
static const struct snippet {
	enum format format;
	const char *kind; /* of the model that it is for; NULL: any */
	const char *id;
	const char *client;
	const char *about;
	const char *code;
	void (*call)(struct buffer *out, const json_t *model);
} snippets[] = {
	{FORMAT_TF_HUB, NULL, "hub-load", "hub.load", "Python, tensorflow_hub: any module",
		"import tensorflow as tf\nimport tensorflow_hub as hub\n\nmodel = hub.load(\"{url}\")",
		example_calls_hub},
	{FORMAT_TF_HUB, NULL, "keras-layer", "KerasLayer", "Python, tensorflow_hub: a part of a Keras model",
		"import tensorflow as tf\nimport tensorflow_hub as hub\n\nlayer = hub.KerasLayer(\"{url}\"",
		example_calls_keras},
	{FORMAT_TF_HUB, NULL, "kagglehub", "kagglehub",
		"Python: in place of kagglehub.model_download(), which asks kaggle.com; a folder as well",
		"import tensorflow_hub as hub\n\npath = hub.resolve(\"{url}\")", NULL},
	{FORMAT_TF_HUB, NULL, "serving", "TF Serving", "The shell: a folder that it serves, and a request",
		"MODEL={name}\nmkdir -p models/$MODEL\n"
		"larder pull --server {server} --unpack models/$MODEL/{version} '{path}'\n"
		"docker run -d -p 8501:8501 -v \"$PWD/models/$MODEL:/models/$MODEL\" -e MODEL_NAME=$MODEL "
		"tensorflow/serving\n"
		"curl http://localhost:8501/v1/models/$MODEL/metadata",
		call_serving},
	{FORMAT_TFJS, "layers-model", "tfjs", "TF.js", "JavaScript, in a browser or in Node.js",
		"import * as tf from \"@tensorflow/tfjs\";\n\nconst model = await "
		"tf.loadLayersModel(\"{url}/model.json\");",
		example_calls_layers},
	{FORMAT_TFJS, "graph-model", "tfjs", "TF.js", "JavaScript, in a browser or in Node.js",
		"import * as tf from \"@tensorflow/tfjs\";\n\nconst model = await "
		"tf.loadGraphModel(\"{url}\", {fromTFHub: true});",
		example_calls_graph},
	{FORMAT_TFLITE, NULL, "tflite", "TF Lite", "Python: the file, then its interpreter",
		"import urllib.request\nimport numpy as np\nimport tensorflow as tf\n\n"
		"path, _ = urllib.request.urlretrieve(\"{url}?lite-format=tflite\", \"{file}.tflite\")\n"
		"interpreter = tf.lite.Interpreter(model_path=path)",
		example_calls_tflite},
	{FORMAT_CORAL, NULL, "coral", "Coral", "Python: the file for an Edge TPU",
		"import urllib.request\nimport numpy as np\nimport tflite_runtime.interpreter as tflite\n\n"
		"path, _ = urllib.request.urlretrieve(\"{url}?coral-format=tflite\", "
		"\"{file}_edgetpu.tflite\")\n"
		"interpreter = tflite.Interpreter(path, "
		"experimental_delegates=[tflite.load_delegate(\"libedgetpu.so.1\")])",
		example_calls_tflite},
	{FORMAT_ARCHIVE, NULL, "archive", "Archive", "Python: a folder with its files",
		"import tarfile\nimport urllib.request\n\n"
		"with urllib.request.urlopen(\"{url}?archive-format=compressed\") as answer:\n"
		"    with tarfile.open(fileobj=answer, mode=\"r|gz\") as archive:\n"
		"        archive.extractall(\"{file}\")",
		NULL},
	{FORMAT_TF_HUB, NULL, "pull", "larder pull", "The shell: the archive, proved, or a folder",
		"larder pull --server {server} '{path}'\nlarder pull --server {server} --unpack {file} "
		"'{path}'",
		NULL},
	{FORMAT_TFJS, NULL, "pull-tfjs", "larder pull (TF.js)", "The shell: the archive, proved, or a folder",
		"larder pull --server {server} --unpack {file} '{path}?tfjs-format=compressed'", NULL},
	{FORMAT_TFLITE, NULL, "pull-tflite", "larder pull (TF Lite)", "The shell: the file, proved",
		"larder pull --server {server} '{path}?lite-format=tflite'", NULL},
	{FORMAT_ARCHIVE, NULL, "pull-archive", "larder pull (archive)",
		"The shell: the archive, proved, or a folder",
		"larder pull --server {server} --unpack {file} '{path}?archive-format=compressed'", NULL},
	{FORMAT_TF_HUB, NULL, "curl", "curl", "The archive as it is",
		"curl -fL -o {file}.tar.gz \"{url}?tf-hub-format=compressed\"", NULL},
	{FORMAT_TFJS, NULL, "curl-tfjs", "curl (TF.js)", "The archive as it is",
		"curl -fL -o {file}.tar.gz \"{url}?tfjs-format=compressed\"", NULL},
	{FORMAT_TFLITE, NULL, "curl-tflite", "curl (TF Lite)", "The file as it is",
		"curl -fL -o {file}.tflite \"{url}?lite-format=tflite\"", NULL},
	{FORMAT_CORAL, NULL, "curl-coral", "curl (Coral)", "The file as it is",
		"curl -fL -o {file}_edgetpu.tflite \"{url}?coral-format=tflite\"", NULL},
	{FORMAT_ARCHIVE, NULL, "curl-archive", "curl (archive)", "The archive as it is",
		"curl -fL -o {file}.tar.gz \"{url}?archive-format=compressed\"", NULL},
};

/* What Kaggle's client can name is loaded by it as it is, in whatever format. */
static const struct snippet kagglehub = {FORMAT_TF_HUB, NULL, "kagglehub-model", "kagglehub",
	"Python: kagglehub as it is, from 0.4 on; up to 0.3 with the other variable alone",
	"import os\n\nos.environ[\"KAGGLE_API_ENVIRONMENT\"] = \"LOCALHOST\"\n"
	"os.environ[\"http_proxy\"] = \"{server}\"\n"
	"# up to 0.3: os.environ[\"KAGGLE_API_ENDPOINT\"] = \"{server}\"\n\n"
	"import kagglehub\n\npath = kagglehub.model_download(\"{path}\")",
	NULL};

/* … in place of what does the same for others. */
static bool is_stand_in(const struct snippet *snippet)
{
	return strcmp(snippet->id, "kagglehub") == 0;
}

static void call_serving(struct buffer *out, const json_t *model)
{
	AUTO_BUFFER struct buffer body = {0};

	example_calls_serving(&body, model);
	if (body.length > 0)
		buffer_printf(out, "\ncurl -d %s http://localhost:8501/v1/models/${MODEL}:predict",
			buffer_string(&body));
}

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

/* What the words in braces stand for. */
struct words {
	const char *url;
	const char *server;
	char *path;
	char *file;
	char *version;
	const char *name;
};

static const char *find_word(const struct words *words, const char *word, size_t length)
{
	const struct {
		const char *word;
		const char *meaning;
	} rows[] = {{"{url}", words->url}, {"{server}", words->server}, {"{path}", words->path},
		{"{file}", words->file}, {"{version}", words->version}, {"{name}", words->name}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (strlen(rows[i].word) == length && strncmp(rows[i].word, word, length) == 0)
			return rows[i].meaning;
	}
	return NULL;
}

/* Braces of the languages themselves stay as they are. */
static void fill_in(struct buffer *out, const char *code, const struct words *words)
{
	while (*code) {
		size_t plain = strcspn(code, "{");
		const char *meaning;
		size_t word;

		buffer_add(out, code, plain);
		code += plain;
		word = strcspn(code, "}");
		word += code[word] == '}';
		meaning = find_word(words, code, word);
		if (meaning)
			buffer_add_string(out, meaning);
		else
			buffer_add(out, code, word);
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

/* What the artifact of this format lists; NULL where nothing is known. */
static const json_t *find_model(const json_t *version, enum format format)
{
	const json_t *model =
		format == FORMAT_TF_HUB
			? json_object_get(version, "saved_model")
			: json_object_get(find_artifact(version, formats[format].name), "model");

	return json_is_object(model) ? model : NULL;
}

/* What nobody knows yet is taken for a graph, as most are. */
static bool is_for(const struct snippet *snippet, const json_t *model)
{
	const char *kind = model ? fact_text(model, "kind") : "graph-model";

	return !snippet->kind || strcmp(snippet->kind, kind) == 0;
}

static void write_snippet(struct view *view, const struct snippet *snippet, const struct words *words,
	const json_t *model, const char *digest, bool open)
{
	AUTO_BUFFER struct buffer code = {0};

	fill_in(&code, snippet->code, words);
	if (snippet->call)
		snippet->call(&code, model);
	if (strncmp(snippet->id, "curl", strlen("curl")) == 0 && *digest)
		add_check(&code, digest);
	HTML(&view->html, "<div class=\"panel%s\" id=\"use-%s\">\n<h3>%s</h3>\n<p class=\"faint\">%s</p>\n",
		open ? " open" : "", snippet->id, snippet->client, snippet->about);
	view_code(view, snippet->client, buffer_string(&code));
	HTML(&view->html, "</div>\n");
}

static bool is_wanted(const struct snippet *snippet, const json_t *module, const json_t *version)
{
	bool is_listed = json_array_size(json_object_get(version, "artifacts")) == 0;
	const char *format = formats[snippet->format].name;

	if (is_stand_in(snippet) && framework_has_handle(fact_text(version, "handle")))
		return false;
	return (find_artifact(version, format) || (is_listed && is_listed_as(module, format))) &&
	       is_for(snippet, find_model(version, snippet->format));
}

/* A reader finds the first one open. */
static void write_panels(
	struct view *view, const json_t *module, const json_t *version, const struct words *words)
{
	bool open = true;

	if (framework_has_handle(fact_text(version, "handle"))) {
		write_snippet(view, &kagglehub, words, NULL, "", open);
		open = false;
	}
	for (size_t i = 0; i < sizeof snippets / sizeof *snippets; i++) {
		const json_t *artifact = find_artifact(version, formats[snippets[i].format].name);

		if (!is_wanted(&snippets[i], module, version))
			continue;
		write_snippet(view, &snippets[i], words, find_model(version, snippets[i].format),
			digest_of(artifact), open);
		open = false;
	}
}

bool snippets_have_any(const json_t *module, const json_t *version)
{
	for (size_t i = 0; i < sizeof snippets / sizeof *snippets; i++) {
		if (is_wanted(&snippets[i], module, version))
			return true;
	}
	return false;
}

void snippets_write(struct view *view, const json_t *module, const json_t *version)
{
	const char *handle = fact_text(version, "handle");
	const char *slash = strrchr(handle, '/');
	const char *name = slash ? slash + 1 : handle;
	int64_t number = fact_number(version, "version");
	AUTO_FREE char *path = mem_printf("%s/%" PRId64, handle, number);
	/* Whoever it is shared with has a token of his own. */
	AUTO_FREE char *url =
		mem_printf("%s%s/%s", view->url, view->request->by_session ? "/-/t/$LARDER_TOKEN" : "", path);
	AUTO_FREE char *file = mem_printf("%s-%" PRId64, name, number);
	AUTO_FREE char *digits = mem_printf("%" PRId64, number);

	HTML(&view->html, "<section class=\"use\" aria-labelledby=\"use\">\n<h2 id=\"use\">Use it</h2>\n"
			  "<div class=\"panels\" data-tabs=\"Clients\">\n");
	write_panels(view, module, version, &(struct words){url, view->url, path, file, digits, name});
	HTML(&view->html, "</div>\n</section>\n");
}
