/* SPDX-License-Identifier: Apache-2.0 */
#include "common/names.h"
#include "server/module/savedmodel/savedmodel.h"
#include "server/store/catalog/catalog_rows.h"

#include <inttypes.h>

#include "common/buffer.h"
#include "common/mem.h"

enum statement {
	ADD_MODEL,
	ADD_GRAPH,
	ADD_TAG,
	ADD_FUNCTION,
	ADD_TENSOR,
	ADD_OP,
	FIND_MODEL,
	LIST_GRAPHS,
	LIST_TAGS,
	LIST_FUNCTIONS,
	LIST_TENSORS,
	LIST_OPS
};

static const char *const sql[] = {
	[ADD_MODEL] = "INSERT INTO saved_models (inspection_id, tf1_hub, is_text, truncated, schema_version,"
		      " meta_graphs, tags, signatures, tensors, callables, nodes, kind)"
		      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
	[ADD_GRAPH] =
		"INSERT INTO meta_graphs (inspection_id, position, tensorflow_version) VALUES (?1, ?2, ?3)",
	[ADD_TAG] = "INSERT INTO meta_graph_tags (meta_graph_id, position, tag) VALUES (?1, ?2, ?3)",
	[ADD_FUNCTION] = "INSERT INTO functions (meta_graph_id, kind, position, name, method)"
			 " VALUES (?1, ?2, ?3, ?4, ?5)",
	[ADD_TENSOR] = "INSERT INTO tensors (function_id, direction, position, name, encoding, tensor, "
		       "values_tensor,"
		       " indices_tensor, dense_shape_tensor, type, dtype, shape, quantization)"
		       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
	[ADD_OP] = "INSERT INTO op_counts (meta_graph_id, position, op, count) VALUES (?1, ?2, ?3, ?4)",
	[FIND_MODEL] =
		"SELECT tf1_hub, is_text, truncated, schema_version, meta_graphs, tags, signatures, tensors,"
		" callables, nodes, kind FROM saved_models WHERE inspection_id = ?1",
	[LIST_GRAPHS] =
		"SELECT id, tensorflow_version FROM meta_graphs WHERE inspection_id = ?1 ORDER BY position",
	[LIST_TAGS] = "SELECT tag FROM meta_graph_tags WHERE meta_graph_id = ?1 ORDER BY position",
	[LIST_FUNCTIONS] = "SELECT id, name, method FROM functions WHERE meta_graph_id = ?1 AND kind = ?2"
			   " ORDER BY position",
	[LIST_TENSORS] = "SELECT name, encoding, tensor, values_tensor, indices_tensor, dense_shape_tensor, "
			 "type, dtype,"
			 " shape, quantization FROM tensors WHERE function_id = ?1 AND direction = ?2 ORDER "
			 "BY position",
	[LIST_OPS] = "SELECT op, count FROM op_counts WHERE meta_graph_id = ?1 ORDER BY position",
};

static const char *const encoding_names[] = {[TENSOR_DENSE] = "dense",
	[TENSOR_COO] = "coo",
	[TENSOR_COMPOSITE] = "composite",
	[TENSOR_LITERAL] = "literal"};
enum { ENCODING_COUNT = sizeof encoding_names / sizeof *encoding_names };

static const char *const kind_names[] = {[MODEL_SAVED_MODEL] = "saved-model",
	[MODEL_TFLITE] = "tflite",
	[MODEL_SUBGRAPH] = "tflite-subgraph",
	[MODEL_GRAPH] = "graph-model",
	[MODEL_LAYERS] = "layers-model",
	[MODEL_FILES] = "files"};

static const char signature_kind[] = "signature";
static const char callable_kind[] = "callable";
static const char input_direction[] = "input";
static const char output_direction[] = "output";

/* ---- shapes as text ---- */

/* NULL where there is no shape message; free() it. */
static char *shape_text(const struct shape *shape)
{
	AUTO_BUFFER struct buffer text = {0};

	if (shape->kind == SHAPE_UNSET)
		return NULL;
	if (shape->kind == SHAPE_UNKNOWN_RANK)
		return mem_dup("null");
	buffer_add_string(&text, "[");
	for (size_t i = 0; i < shape->rank; i++)
		buffer_printf(&text, "%s%" PRId64, i ? "," : "", shape->dimensions[i]);
	buffer_add_string(&text, "]");
	return buffer_take(&text);
}

/* Reads what shape_text() wrote. */
static struct shape shape_read(const char *text)
{
	struct shape shape = {.kind = SHAPE_UNSET};
	size_t capacity = 0;
	char *end;

	if (!text)
		return shape;
	if (text[0] != '[') {
		shape.kind = SHAPE_UNKNOWN_RANK;
		return shape;
	}
	shape.kind = SHAPE_KNOWN;
	for (const char *at = text + 1; *at && *at != ']'; at = *end == ',' ? end + 1 : end) {
		int64_t dimension = strtoll(at, &end, 10);

		if (end == at)
			break;
		MEM_GROW(shape.dimensions, shape.rank, capacity);
		shape.dimensions[shape.rank++] = dimension;
	}
	return shape;
}

/* ---- quantisation as text ---- */

/* NULL where there is none; free() it. */
static char *quantization_text(const struct quantization *quantization)
{
	return quantization->is_known ? mem_printf("%.9g %" PRId64 " %" PRId64, quantization->scale,
						quantization->zero_point, quantization->channels)
				      : NULL;
}

static struct quantization quantization_read(const char *text)
{
	struct quantization quantization = {0};
	char *end;

	if (!text)
		return quantization;
	quantization.is_known = true;
	quantization.scale = strtod(text, &end);
	quantization.zero_point = strtoll(end, &end, 10);
	quantization.channels = strtoll(end, &end, 10);
	return quantization;
}

/* ---- writing ---- */

static bool record_tensors(struct txn *txn, int64_t function_id, const char *direction,
	const struct tensors *tensors, struct err *err)
{
	for (size_t i = 0; i < tensors->count; i++) {
		const struct tensor *tensor = &tensors->items[i];
		AUTO_FREE char *shape = shape_text(&tensor->shape);
		AUTO_FREE char *quantization = quantization_text(&tensor->quantization);

		if (!txn_run(txn, sql[ADD_TENSOR],
			    VALUES(v_int(function_id), v_text(direction), v_int((int64_t)i),
				    v_text(tensor->name), v_text(encoding_names[tensor->encoding]),
				    v_text(tensor->tensor), v_text(tensor->values), v_text(tensor->indices),
				    v_text(tensor->dense_shape), v_text(tensor->type), v_int(tensor->dtype),
				    v_text(shape), v_text(quantization)),
			    err))
			return false;
	}
	return true;
}

struct function {
	const char *kind;
	const char *name;
	const char *method; /* NULL for callables */
	const struct tensors *inputs;
	const struct tensors *outputs;
};

static bool record_function(
	struct txn *txn, int64_t graph_id, size_t position, const struct function *function, struct err *err)
{
	int64_t id;

	if (!txn_run(txn, sql[ADD_FUNCTION],
		    VALUES(v_int(graph_id), v_text(function->kind), v_int((int64_t)position),
			    v_text(function->name), v_text(function->method)),
		    err))
		return false;
	id = txn_last_id(txn);
	return record_tensors(txn, id, input_direction, function->inputs, err) &&
	       record_tensors(txn, id, output_direction, function->outputs, err);
}

static bool record_functions(
	struct txn *txn, int64_t graph_id, const struct meta_graph *graph, struct err *err)
{
	for (size_t i = 0; i < graph->signature_count; i++) {
		const struct signature *signature = &graph->signatures[i];
		struct function function = {signature_kind, signature->name, signature->method,
			&signature->inputs, &signature->outputs};

		if (!record_function(txn, graph_id, i, &function, err))
			return false;
	}
	for (size_t i = 0; i < graph->callable_count; i++) {
		const struct callable *callable = &graph->callables[i];
		struct function function = {
			callable_kind, callable->name, NULL, &callable->inputs, &callable->outputs};

		if (!record_function(txn, graph_id, i, &function, err))
			return false;
	}
	return true;
}

static bool record_words(struct txn *txn, int64_t graph_id, const struct meta_graph *graph, struct err *err)
{
	for (size_t i = 0; i < graph->tag_count; i++) {
		if (!txn_run(txn, sql[ADD_TAG],
			    VALUES(v_int(graph_id), v_int((int64_t)i), v_text(graph->tags[i])), err))
			return false;
	}
	for (size_t i = 0; i < graph->op_count; i++) {
		if (!txn_run(txn, sql[ADD_OP],
			    VALUES(v_int(graph_id), v_int((int64_t)i), v_text(graph->ops[i].op),
				    v_int(graph->ops[i].count)),
			    err))
			return false;
	}
	return true;
}

bool saved_model_record(
	struct txn *txn, int64_t inspection_id, const struct saved_model *model, struct err *err)
{
	const struct saved_model_counts *counts = &model->counts;

	if (!txn_run(txn, sql[ADD_MODEL],
		    VALUES(v_int(inspection_id), v_int(model->tf1_hub), v_int(model->is_text),
			    v_int(model->truncated), v_int(model->schema_version), v_int(counts->meta_graphs),
			    v_int(counts->tags), v_int(counts->signatures), v_int(counts->tensors),
			    v_int(counts->callables), v_int(counts->nodes), v_text(kind_names[model->kind])),
		    err))
		return false;
	for (size_t i = 0; i < model->meta_graph_count; i++) {
		const struct meta_graph *graph = &model->meta_graphs[i];
		int64_t id;

		if (!txn_run(txn, sql[ADD_GRAPH],
			    VALUES(v_int(inspection_id), v_int((int64_t)i),
				    v_text(graph->tensorflow_version)),
			    err))
			return false;
		id = txn_last_id(txn);
		if (!record_words(txn, id, graph, err) || !record_functions(txn, id, graph, err))
			return false;
	}
	return true;
}

/* ---- reading ---- */

/* Everything is hung on the model as soon as it is made, so that destroying the model frees it. */

static bool load_tensors(
	struct txn *txn, int64_t function_id, const char *direction, struct tensors *tensors, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[LIST_TENSORS], VALUES(v_int(function_id), v_text(direction)));

	while (rows_next(rows)) {
		size_t encoding = names_find(encoding_names, ENCODING_COUNT, rows_text(rows, 1));

		MEM_GROW(tensors->items, tensors->count, tensors->capacity);
		tensors->items[tensors->count++] = (struct tensor){.name = rows_dup(rows, 0),
			.encoding =
				encoding == ENCODING_COUNT ? TENSOR_DENSE : (enum tensor_encoding)encoding,
			.tensor = rows_dup(rows, 2),
			.values = rows_dup(rows, 3),
			.indices = rows_dup(rows, 4),
			.dense_shape = rows_dup(rows, 5),
			.type = rows_dup(rows, 6),
			.dtype = rows_int(rows, 7),
			.shape = shape_read(rows_text(rows, 8)),
			.quantization = quantization_read(rows_text(rows, 9))};
	}
	return rows_done(rows, err);
}

static bool load_signatures(struct txn *txn, int64_t graph_id, struct meta_graph *graph, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[LIST_FUNCTIONS], VALUES(v_int(graph_id), v_text(signature_kind)));

	while (rows_next(rows)) {
		int64_t id = rows_int(rows, 0);
		struct signature *signature;

		MEM_GROW(graph->signatures, graph->signature_count, graph->signature_capacity);
		signature = &graph->signatures[graph->signature_count++];
		*signature = (struct signature){.name = rows_dup(rows, 1), .method = rows_dup(rows, 2)};
		if (!load_tensors(txn, id, input_direction, &signature->inputs, err) ||
			!load_tensors(txn, id, output_direction, &signature->outputs, err))
			return false;
	}
	return rows_done(rows, err);
}

static bool load_callables(struct txn *txn, int64_t graph_id, struct meta_graph *graph, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[LIST_FUNCTIONS], VALUES(v_int(graph_id), v_text(callable_kind)));

	while (rows_next(rows)) {
		int64_t id = rows_int(rows, 0);
		struct callable *callable;

		MEM_GROW(graph->callables, graph->callable_count, graph->callable_capacity);
		callable = &graph->callables[graph->callable_count++];
		*callable = (struct callable){.name = rows_dup(rows, 1)};
		if (!load_tensors(txn, id, input_direction, &callable->inputs, err) ||
			!load_tensors(txn, id, output_direction, &callable->outputs, err))
			return false;
	}
	return rows_done(rows, err);
}

static bool load_tags(struct txn *txn, int64_t graph_id, struct meta_graph *graph, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_TAGS], VALUES(v_int(graph_id)));

	while (rows_next(rows)) {
		MEM_GROW(graph->tags, graph->tag_count, graph->tag_capacity);
		graph->tags[graph->tag_count++] = rows_dup(rows, 0);
	}
	return rows_done(rows, err);
}

static bool load_ops(struct txn *txn, int64_t graph_id, struct meta_graph *graph, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_OPS], VALUES(v_int(graph_id)));

	while (rows_next(rows)) {
		MEM_GROW(graph->ops, graph->op_count, graph->op_capacity);
		graph->ops[graph->op_count++] = (struct op_count){rows_dup(rows, 0), rows_int(rows, 1)};
	}
	return rows_done(rows, err);
}

static bool load_graphs(struct txn *txn, int64_t inspection_id, struct saved_model *model, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_GRAPHS], VALUES(v_int(inspection_id)));

	while (rows_next(rows)) {
		int64_t id = rows_int(rows, 0);
		struct meta_graph *graph;

		MEM_GROW(model->meta_graphs, model->meta_graph_count, model->meta_graph_capacity);
		graph = &model->meta_graphs[model->meta_graph_count++];
		*graph = (struct meta_graph){.tensorflow_version = rows_dup(rows, 1)};
		if (!load_tags(txn, id, graph, err) || !load_signatures(txn, id, graph, err) ||
			!load_callables(txn, id, graph, err) || !load_ops(txn, id, graph, err))
			return false;
	}
	return rows_done(rows, err);
}

bool saved_model_load(struct txn *txn, int64_t inspection_id, struct saved_model **out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_MODEL], VALUES(v_int(inspection_id)));
	AUTO_SAVED_MODEL struct saved_model *model = NULL;

	if (rows_next(rows)) {
		size_t kind = names_find(kind_names, MODEL_KIND_COUNT, rows_text(rows, 10));

		model = mem_zero(1, sizeof *model);
		model->kind = kind == MODEL_KIND_COUNT ? MODEL_SAVED_MODEL : (enum model_kind)kind;
		model->tf1_hub = rows_int(rows, 0) != 0;
		model->is_text = rows_int(rows, 1) != 0;
		model->truncated = rows_int(rows, 2) != 0;
		model->schema_version = rows_int(rows, 3);
		model->counts = (struct saved_model_counts){rows_int(rows, 4), rows_int(rows, 5),
			rows_int(rows, 6), rows_int(rows, 7), rows_int(rows, 8), rows_int(rows, 9)};
	}
	if (!rows_done(rows, err) || (model && !load_graphs(txn, inspection_id, model, err)))
		return false;
	*out = TAKE(model);
	return true;
}
