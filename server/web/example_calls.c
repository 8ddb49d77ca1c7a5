/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/example_calls.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/web/facts.h"

/* Examples are to be read: of more inputs nobody writes them by hand. */
enum { INPUTS_MAX = 32, PIXELS = 224, SERVING_ELEMENTS_MAX = 16 };

static const json_t *first_graph(const json_t *model)
{
	return json_array_get(json_object_get(model, "meta_graphs"), 0);
}

static const json_t *find_named(const json_t *functions, const char *name)
{
	const json_t *function;
	size_t i;

	json_array_foreach((json_t *)functions, i, function)
	{
		if (strcmp(fact_text(function, "name"), name) == 0)
			return function;
	}
	return NULL;
}

const json_t *example_calls_default(const json_t *functions)
{
	static const char *const names[] = {"serving_default", "default", "predict", "main"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const json_t *found = find_named(functions, names[i]);

		if (found)
			return found;
	}
	return json_array_get(functions, 0);
}

/* NULL where it has more inputs than an example should. */
static const json_t *default_signature(const json_t *model)
{
	const json_t *signature = example_calls_default(json_object_get(first_graph(model), "signatures"));

	return json_array_size(json_object_get(signature, "inputs")) > INPUTS_MAX ? NULL : signature;
}

/* ---- words ---- */

/* As JSON writes it, which Python and JavaScript read the same. */
static void add_text(struct buffer *out, const char *text)
{
	json_auto_t *value = json_string(text);
	AUTO_FREE char *quoted = json_dumps(value, JSON_ENCODE_ANY);

	buffer_add_string(out, quoted ? quoted : "\"\"");
}

static bool is_keyword(const char *name)
{
	static const char *const words[] = {"False", "None", "True", "and", "as", "assert", "async", "await",
		"break", "class", "continue", "def", "del", "elif", "else", "except", "finally", "for",
		"from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass",
		"raise", "return", "try", "while", "with", "yield"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcmp(words[i], name) == 0)
			return true;
	}
	return false;
}

static bool is_identifier(const char *name)
{
	if (!isalpha((unsigned char)*name) && *name != '_')
		return false;
	for (const char *at = name; *at; at++) {
		if ((unsigned char)*at >= 0x80 || (!isalnum((unsigned char)*at) && *at != '_'))
			return false;
	}
	return !is_keyword(name);
}

/* ---- shapes ---- */

/* What stands for an unknown size: one of a batch, or of an image as models were often made for. */
static int64_t example_size(const json_t *shape, size_t i)
{
	int64_t size = json_integer_value(json_array_get(shape, i));
	size_t rank = json_array_size(shape);
	int64_t channels = json_integer_value(json_array_get(shape, rank - 1));

	if (size >= 0)
		return size;
	return rank == 4 && i > 0 && i < 3 && (channels == 1 || channels == 3) ? PIXELS : 1;
}

/* "[1, 784]"; of unknown rank one of each. */
static void add_shape(struct buffer *out, const json_t *shape)
{
	if (!json_is_array(shape)) {
		buffer_add_string(out, "[1]");
		return;
	}
	buffer_add_string(out, "[");
	for (size_t i = 0; i < json_array_size(shape); i++)
		buffer_printf(out, "%s%" PRId64, i > 0 ? ", " : "", example_size(shape, i));
	buffer_add_string(out, "]");
}

static bool has_open_size(const json_t *tensor)
{
	const json_t *size;
	size_t i;

	json_array_foreach(json_object_get(tensor, "shape"), i, size)
	{
		if (json_integer_value(size) < 0)
			return true;
	}
	return false;
}

/* ---- tensors ---- */

enum language { TENSORFLOW, NUMPY, JAVASCRIPT, LANGUAGE_COUNT };

/* What each language calls a dtype of zeros; NULL: it has none. */
static const struct dtype_words {
	const char *dtype;
	const char *words[LANGUAGE_COUNT];
} dtype_words[] = {
	{"float32", {"tf.float32", "np.float32", "float32"}},
	{"float64", {"tf.float64", "np.float64", "float32"}},
	{"float16", {"tf.float16", "np.float16", "float32"}},
	{"bfloat16", {"tf.bfloat16", NULL, "float32"}},
	{"int8", {"tf.int8", "np.int8", "int32"}},
	{"int16", {"tf.int16", "np.int16", "int32"}},
	{"int32", {"tf.int32", "np.int32", "int32"}},
	{"int64", {"tf.int64", "np.int64", "int32"}},
	{"uint8", {"tf.uint8", "np.uint8", "int32"}},
	{"uint16", {"tf.uint16", "np.uint16", "int32"}},
	{"uint32", {"tf.uint32", "np.uint32", "int32"}},
	{"uint64", {"tf.uint64", "np.uint64", "int32"}},
	{"bool", {"tf.bool", "np.bool_", "bool"}},
	{"complex64", {"tf.complex64", "np.complex64", "complex64"}},
	{"complex128", {"tf.complex128", "np.complex128", NULL}},
};

static const char *word_of(const char *dtype, enum language language)
{
	size_t length = strlen(dtype);

	if (length > 4 && strcmp(dtype + length - 4, "_ref") == 0)
		length -= 4;
	for (size_t i = 0; i < sizeof dtype_words / sizeof *dtype_words; i++) {
		if (strlen(dtype_words[i].dtype) == length &&
			strncmp(dtype_words[i].dtype, dtype, length) == 0)
			return dtype_words[i].words[language];
	}
	return NULL;
}

static const struct {
	const char *zeros; /* up to the shape */
	const char *texts;
	const char *text; /* behind the shape */
	const char *none; /* for what cannot be written down */
} makers[] = {
	[TENSORFLOW] = {"tf.zeros(", "tf.fill(", ", \"text\")", "..."},
	[NUMPY] = {"np.zeros(", "np.full(", ", b\"text\", np.object_)", "..."},
	[JAVASCRIPT] = {"tf.zeros(", "tf.fill(", ", \"text\", \"string\")", "undefined"},
};

static void add_tensor(struct buffer *out, const json_t *tensor, enum language language)
{
	const char *dtype = fact_text(tensor, "dtype");
	const char *word = word_of(dtype, language);
	bool is_text = strncmp(dtype, "string", strlen("string")) == 0;

	if (*fact_text(tensor, "encoding") || (!word && !is_text)) {
		buffer_add_string(out, makers[language].none);
		return;
	}
	buffer_add_string(out, is_text ? makers[language].texts : makers[language].zeros);
	add_shape(out, json_object_get(tensor, "shape"));
	if (is_text)
		buffer_add_string(out, makers[language].text);
	else
		buffer_printf(out, language == JAVASCRIPT ? ", \"%s\")" : ", %s)", word);
}

/* {"x": …, "y": …} */
static void add_map(struct buffer *out, const json_t *tensors, enum language language)
{
	const json_t *tensor;
	size_t i;

	buffer_add_string(out, "{");
	json_array_foreach((json_t *)tensors, i, tensor)
	{
		buffer_add_string(out, i > 0 ? ", " : "");
		add_text(out, fact_text(tensor, "name"));
		buffer_add_string(out, ": ");
		add_tensor(out, tensor, language);
	}
	buffer_add_string(out, "}");
}

static bool are_identifiers(const json_t *tensors)
{
	const json_t *tensor;
	size_t i;

	json_array_foreach((json_t *)tensors, i, tensor)
	{
		if (!is_identifier(fact_text(tensor, "name")))
			return false;
	}
	return true;
}

/* (x=…, y=…), or where a name is no word of Python (**{"x:0": …}) */
static void add_arguments(struct buffer *out, const json_t *tensors, enum language language)
{
	const json_t *tensor;
	size_t i;

	buffer_add_string(out, "(");
	if (!are_identifiers(tensors)) {
		buffer_add_string(out, "**");
		add_map(out, tensors, language);
	} else {
		json_array_foreach((json_t *)tensors, i, tensor)
		{
			buffer_printf(out, "%s%s=", i > 0 ? ", " : "", fact_text(tensor, "name"));
			add_tensor(out, tensor, language);
		}
	}
	buffer_add_string(out, ")");
}

/* ---- calls ---- */

void example_calls_hub(struct buffer *out, const json_t *model)
{
	const json_t *signature = default_signature(model);

	if (!signature)
		return;
	buffer_add_string(out, "\noutputs = model.signatures[");
	add_text(out, fact_text(signature, "name"));
	buffer_add_string(out, "]");
	add_arguments(out, json_object_get(signature, "inputs"), TENSORFLOW);
}

/* The layer is made here too: how depends on what the model offers. A TF1 Hub module has its signature by
 * itself. */
void example_calls_keras(struct buffer *out, const json_t *model)
{
	const json_t *call = find_named(json_object_get(first_graph(model), "callables"), "__call__");
	const json_t *signature = default_signature(model);
	const json_t *argument = json_array_get(json_object_get(call, "inputs"), 0);

	if (argument || !signature) {
		buffer_add_string(out, ")");
		if (argument) {
			buffer_add_string(out, "\noutputs = layer(");
			add_tensor(out, argument, TENSORFLOW);
			buffer_add_string(out, ")");
		}
		return;
	}
	buffer_add_string(out, ", signature=");
	add_text(out, fact_text(signature, "name"));
	buffer_add_string(out, ", signature_outputs_as_dict=True)\noutputs = layer(");
	add_map(out, json_object_get(signature, "inputs"), TENSORFLOW);
	buffer_add_string(out, ")");
}

/* Operations that TF.js runs in executeAsync() only (tfjs-converter, operations/executors). */
static bool is_asynchronous(const json_t *model)
{
	static const char *const ops[] = {"Switch", "Merge", "Enter", "Exit", "NextIteration", "StatelessIf",
		"StatelessWhile", "If", "While", "NonMaxSuppressionV2", "NonMaxSuppressionV3",
		"NonMaxSuppressionV4", "NonMaxSuppressionV5", "Where", "HashTable", "HashTableV2",
		"LookupTableImport", "LookupTableImportV2", "LookupTableFind", "LookupTableFindV2",
		"LookupTableSize", "LookupTableSizeV2"};
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(first_graph(model), "ops"), i, row)
	{
		for (size_t j = 0; j < sizeof ops / sizeof *ops; j++) {
			if (strcmp(fact_text(row, "op"), ops[j]) == 0)
				return true;
		}
	}
	return false;
}

void example_calls_graph(struct buffer *out, const json_t *model)
{
	const json_t *signature = default_signature(model);

	if (!signature)
		return;
	buffer_add_string(out, is_asynchronous(model) ? "\nconst outputs = await model.executeAsync("
						      : "\nconst outputs = model.predict(");
	add_map(out, json_object_get(signature, "inputs"), JAVASCRIPT);
	buffer_add_string(out, ");");
}

void example_calls_layers(struct buffer *out, const json_t *model)
{
	const json_t *inputs = json_object_get(default_signature(model), "inputs");
	bool several = json_array_size(inputs) > 1;
	const json_t *tensor;
	size_t i;

	if (json_array_size(inputs) == 0)
		return;
	buffer_add_string(
		out, several ? "\nconst outputs = model.predict([" : "\nconst outputs = model.predict(");
	json_array_foreach((json_t *)inputs, i, tensor)
	{
		buffer_add_string(out, i > 0 ? ", " : "");
		add_tensor(out, tensor, JAVASCRIPT);
	}
	buffer_add_string(out, several ? "]);" : ");");
}

static void call_subgraph(struct buffer *out, const json_t *signature)
{
	const json_t *inputs = json_object_get(signature, "inputs");
	const json_t *tensor;
	size_t i;

	buffer_add_string(out, "\ninputs = interpreter.get_input_details()");
	json_array_foreach((json_t *)inputs, i, tensor)
	{
		if (!has_open_size(tensor))
			continue;
		buffer_printf(out, "\ninterpreter.resize_tensor_input(inputs[%zu][\"index\"], ", i);
		add_shape(out, json_object_get(tensor, "shape"));
		buffer_add_string(out, ")");
	}
	buffer_add_string(out, "\ninterpreter.allocate_tensors()");
	json_array_foreach((json_t *)inputs, i, tensor)
	{
		buffer_printf(out, "\ninterpreter.set_tensor(inputs[%zu][\"index\"], ", i);
		add_tensor(out, tensor, NUMPY);
		buffer_add_string(out, ")");
	}
	buffer_add_string(out,
		"\ninterpreter.invoke()\noutputs = [interpreter.get_tensor(one[\"index\"]) for one in "
		"interpreter.get_output_details()]");
}

void example_calls_tflite(struct buffer *out, const json_t *model)
{
	const json_t *signature = default_signature(model);

	if (!signature)
		return;
	if (strcmp(fact_text(model, "kind"), "tflite") != 0) {
		call_subgraph(out, signature);
		return;
	}
	buffer_add_string(out, "\nrunner = interpreter.get_signature_runner(");
	add_text(out, fact_text(signature, "name"));
	buffer_add_string(out, ")\noutputs = runner");
	add_arguments(out, json_object_get(signature, "inputs"), NUMPY);
}

/* ---- TensorFlow Serving ---- */

static int64_t count_elements(const json_t *shape)
{
	int64_t count = 1;

	for (size_t i = 0; i < json_array_size(shape); i++) {
		if (__builtin_mul_overflow(count, example_size(shape, i), &count))
			return INT64_MAX;
	}
	return count;
}

static bool is_short(const json_t *tensors)
{
	const json_t *tensor;
	size_t i;

	json_array_foreach((json_t *)tensors, i, tensor)
	{
		const char *dtype = fact_text(tensor, "dtype");

		if (*fact_text(tensor, "encoding") ||
			(!word_of(dtype, TENSORFLOW) && strcmp(dtype, "string") != 0) ||
			count_elements(json_object_get(tensor, "shape")) > SERVING_ELEMENTS_MAX)
			return false;
	}
	return json_array_size(tensors) > 0;
}

static void add_value(struct buffer *out, const char *dtype)
{
	if (strcmp(dtype, "string") == 0)
		buffer_add_string(out, "\"text\"");
	else if (strcmp(dtype, "bool") == 0)
		buffer_add_string(out, "false");
	else
		buffer_add_string(out, strchr(dtype, 'f') ? "0.0" : "0");
}

/* Nested arrays, a dimension of the shape from this one on at each level: few, since all elements are. */
static void add_values(struct buffer *out, const json_t *tensor, size_t from)
{
	const json_t *shape = json_object_get(tensor, "shape");

	if (from >= json_array_size(shape)) {
		add_value(out, fact_text(tensor, "dtype"));
		return;
	}
	buffer_add_string(out, "[");
	for (int64_t i = 0; i < example_size(shape, from); i++) {
		buffer_add_string(out, i > 0 ? ", " : "");
		add_values(out, tensor, from + 1);
	}
	buffer_add_string(out, "]");
}

/* The shell's single quotes end at the next. */
static void add_shell_text(struct buffer *out, const char *text)
{
	buffer_add_string(out, "'");
	for (; *text; text++) {
		if (*text == '\'')
			buffer_add_string(out, "'\\''");
		else
			buffer_add(out, text, 1);
	}
	buffer_add_string(out, "'");
}

void example_calls_serving(struct buffer *out, const json_t *model)
{
	const json_t *signature = default_signature(model);
	const json_t *inputs = json_object_get(signature, "inputs");
	AUTO_BUFFER struct buffer body = {0};
	const json_t *tensor;
	size_t i;

	if (!signature || !is_short(inputs))
		return;
	buffer_add_string(&body, "{\"signature_name\": ");
	add_text(&body, fact_text(signature, "name"));
	buffer_add_string(&body, ", \"inputs\": {");
	json_array_foreach((json_t *)inputs, i, tensor)
	{
		buffer_add_string(&body, i > 0 ? ", " : "");
		add_text(&body, fact_text(tensor, "name"));
		buffer_add_string(&body, ": ");
		add_values(&body, tensor, 0);
	}
	buffer_add_string(&body, "}}");
	add_shell_text(out, buffer_string(&body));
}
