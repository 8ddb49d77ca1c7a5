/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/savedmodel/callables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/savedmodel/tensor.h"

enum { CALLABLE_COST = 512, KEY_BYTES = 64 };

/* Entries that no function has named yet are kept up to here: a later one still may. */
enum { SPARE_ENTRIES_MAX = 64 };

/* One concrete function on its way to a callable. */
struct trace {
	struct pool *pool;
	struct callable callable;
	struct tensors *into; /* the inputs or the outputs */
	struct buffer path;   /* where in the structure of arguments or results we are */
	size_t anonymous;     /* length of a path that is a mere position, for want of the argument's name */
	struct buffer key;    /* all but the tensors' own names: traces with the same key are one callable */
};

struct traces {
	struct trace *items;
	size_t count;
	size_t capacity;
};

/* A small file could name one large function a million times. */
static bool visit(struct pool *pool)
{
	if (pool->visits_left == 0) {
		pool->truncated = true;
		return false;
	}
	pool->visits_left--;
	return true;
}

static bool is_public(const char *name)
{
	return *name && (*name != '_' || strcmp(name, "__call__") == 0);
}

static int by_number(const void *left, const void *right)
{
	int64_t a = *(const int64_t *)left;
	int64_t b = *(const int64_t *)right;

	return (a > b) - (a < b);
}

static void set_root(struct objects *objects, const struct message *root)
{
	objects->root = root;
	for (const struct item *child = message_items(root, OBJECT_CHILDREN); child; child = child->next) {
		if (!is_public(message_string(child->message, CHILD_NAME)))
			continue;
		MEM_GROW(objects->wanted, objects->wanted_count, objects->wanted_capacity);
		objects->wanted[objects->wanted_count++] = message_integer(child->message, CHILD_NODE);
	}
	if (objects->wanted_count > 0)
		qsort(objects->wanted, objects->wanted_count, sizeof *objects->wanted, by_number);
}

static bool is_wanted(const struct objects *objects, int64_t id)
{
	return objects->wanted_count > 0 &&
	       bsearch(&id, objects->wanted, objects->wanted_count, sizeof *objects->wanted, by_number);
}

bool objects_add(struct objects *objects, const struct message *object)
{
	int64_t id = objects->next_id++;
	bool is_function;

	if (id == 0)
		set_root(objects, object);
	is_function = message_has(object, OBJECT_FUNCTION) && is_wanted(objects, id);
	if (is_function) {
		objects->is_disordered |= objects->is_collected;
		MEM_GROW(objects->functions, objects->function_count, objects->function_capacity);
		objects->functions[objects->function_count++] =
			(struct function_object){id, message_inner(object, OBJECT_FUNCTION)};
	}
	return id == 0 || is_function;
}

static int by_text(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void collect_names(struct objects *objects)
{
	objects->is_collected = true;
	for (size_t i = 0; i < objects->function_count; i++) {
		const struct item *name = message_items(objects->functions[i].function, FUNCTION_CONCRETE);

		for (; name; name = name->next) {
			MEM_GROW(objects->traces, objects->trace_count, objects->trace_capacity);
			objects->traces[objects->trace_count++] = name->string;
		}
	}
	if (objects->trace_count > 0)
		qsort(objects->traces, objects->trace_count, sizeof *objects->traces, by_text);
}

bool objects_want(struct objects *objects, const struct message *entry)
{
	const char *key = message_string(entry, ENTRY_KEY);

	/* Nobody writes them before the objects, or among them; whoever does has them kept. */
	if (objects->next_id == 0 || objects->is_disordered)
		return true;
	if (!objects->is_collected)
		collect_names(objects);
	if (entry && objects->trace_count > 0 &&
		bsearch(&key, objects->traces, objects->trace_count, sizeof *objects->traces, by_text))
		return true;
	objects->has_dropped |= objects->spare_count == SPARE_ENTRIES_MAX;
	return entry && objects->spare_count < SPARE_ENTRIES_MAX && ++objects->spare_count;
}

void objects_finish(struct objects *objects)
{
	free(objects->wanted);
	free(objects->traces);
	free(objects->functions);
	*objects = (struct objects){0};
}

static int by_id(const void *key, const void *row)
{
	int64_t id = *(const int64_t *)key;
	const struct function_object *function = row;

	return (id > function->id) - (id < function->id);
}

static const struct message *find_function(const struct objects *objects, int64_t id)
{
	const struct function_object *found = NULL;

	if (objects->function_count > 0)
		found = bsearch(
			&id, objects->functions, objects->function_count, sizeof *objects->functions, by_id);
	return found ? found->function : NULL;
}

static int by_entry_key(const void *key, const void *row)
{
	return strcmp(key, message_string(*(const struct message *const *)row, ENTRY_KEY));
}

static void cut_path(struct trace *trace, size_t length)
{
	trace->path.length = length;
	if (trace->path.data)
		trace->path.data[length] = '\0';
}

static bool add_to_key(struct trace *trace, const struct tensor *tensor)
{
	if (!pool_charge(trace->pool, KEY_BYTES + trace->path.length + tensor->shape.rank * sizeof(int64_t)))
		return false;
	buffer_printf(&trace->key, "%s\n%d %lld %s %d", buffer_string(&trace->path), (int)tensor->encoding,
		(long long)tensor->dtype, tensor->type ? tensor->type : "", (int)tensor->shape.kind);
	for (size_t i = 0; i < tensor->shape.rank; i++)
		buffer_printf(&trace->key, " %lld", (long long)tensor->shape.dimensions[i]);
	buffer_add_string(&trace->key, "\n");
	return true;
}

static bool add_leaf(struct trace *trace, const struct message *value)
{
	const char *spec_name = message_string(message_inner(value, VALUE_TENSOR_SPEC), TENSOR_SPEC_NAME);
	const char *path = trace->path.length > 0 ? buffer_string(&trace->path) : "output_0";
	struct tensor tensor = {0};

	tensor_from_value(&tensor, value);
	tensor.name = mem_dup(trace->path.length == trace->anonymous && *spec_name ? spec_name : path);
	return tensors_add(trace->into, &tensor, trace->pool) &&
	       add_to_key(trace, &trace->into->items[trace->into->count - 1]);
}

static bool flatten(struct trace *trace, const struct message *value);

static bool flatten_at(struct trace *trace, const char *step, const struct message *value)
{
	size_t before = trace->path.length;
	bool done;

	if (before + strlen(step) >= SAVED_MODEL_STRING_MAX) {
		trace->pool->truncated = true;
		return false;
	}
	buffer_printf(&trace->path, "%s%s", before > 0 ? "/" : "", step);
	done = flatten(trace, value);
	cut_path(trace, before);
	return done;
}

static bool flatten_sequence(struct trace *trace, const struct message *list)
{
	char step[32];
	size_t position = 0;

	for (const struct item *item = message_items(list, VALUES); item; item = item->next) {
		(void)snprintf(step, sizeof step, trace->path.length > 0 ? "%zu" : "output_%zu", position++);
		if (!flatten_at(trace, step, item->message))
			return false;
	}
	return true;
}

static bool flatten_dict(struct trace *trace, const struct message *dict)
{
	size_t count;
	AUTO_FREE const struct message **entries = message_map(dict, VALUES, &count);

	for (size_t i = 0; i < count; i++) {
		if (!flatten_at(trace, message_string(entries[i], ENTRY_KEY),
			    message_inner(entries[i], ENTRY_VALUE)))
			return false;
	}
	return true;
}

static bool flatten_named_tuple(struct trace *trace, const struct message *tuple)
{
	for (const struct item *pair = message_items(tuple, NAMED_TUPLE_VALUES); pair; pair = pair->next) {
		if (!flatten_at(trace, message_string(pair->message, ENTRY_KEY),
			    message_inner(pair->message, ENTRY_VALUE)))
			return false;
	}
	return true;
}

static bool flatten(struct trace *trace, const struct message *value)
{
	uint32_t which = message_oneof(value);

	if (!visit(trace->pool))
		return false;
	switch (which) {
	case VALUE_LIST:
	case VALUE_TUPLE:
		return flatten_sequence(trace, message_inner(value, which));
	case VALUE_DICT:
		return flatten_dict(trace, message_inner(value, which));
	case VALUE_NAMED_TUPLE:
		return flatten_named_tuple(trace, message_inner(value, which));
	default:
		return add_leaf(trace, value);
	}
}

/* A member of the named tuple in which Python describes a function's arguments. */
static const struct message *argspec_member(const struct message *function, const char *name)
{
	const struct message *fullargspec =
		message_inner(message_inner(function, FUNCTION_SPEC), SPEC_FULLARGSPEC);
	const struct message *tuple = message_inner(fullargspec, VALUE_NAMED_TUPLE);

	for (const struct item *pair = message_items(tuple, NAMED_TUPLE_VALUES); pair; pair = pair->next) {
		if (strcmp(message_string(pair->message, ENTRY_KEY), name) == 0)
			return message_inner(pair->message, ENTRY_VALUE);
	}
	return NULL;
}

static const struct item *argument_names(const struct message *function)
{
	const struct item *names =
		message_items(message_inner(argspec_member(function, "args"), VALUE_LIST), VALUES);
	bool is_method = message_integer(message_inner(function, FUNCTION_SPEC), SPEC_IS_METHOD);

	return names && is_method ? names->next : names;
}

static bool flatten_argument(
	struct trace *trace, const char *name, const char *rest, size_t position, const struct message *value)
{
	char step[SAVED_MODEL_STRING_MAX + 32];

	if (*name) {
		trace->anonymous = 0;
		return flatten_at(trace, name, value);
	}
	(void)snprintf(step, sizeof step, "%s_%zu", *rest ? rest : "arg", position);
	trace->anonymous = strlen(step);
	return flatten_at(trace, step, value);
}

/* The canonical signature is a pair: the tuple of positional arguments and the dict of the others. */
static bool flatten_arguments(
	struct trace *trace, const struct message *function, const struct message *signature)
{
	const struct item *name = argument_names(function);
	const char *rest = message_string(argspec_member(function, "varargs"), VALUE_STRING);
	const struct item *pair = message_items(message_inner(signature, VALUE_TUPLE), VALUES);
	const struct item *argument = NULL;

	if (pair)
		argument = message_items(message_inner(pair->message, VALUE_TUPLE), VALUES);
	for (size_t position = 0; argument; argument = argument->next, position++) {
		const char *known = name ? message_string(name->message, VALUE_STRING) : "";

		if (!flatten_argument(trace, known, rest, position, argument->message))
			return false;
		name = name ? name->next : NULL;
	}
	trace->anonymous = 0;
	return !pair || !pair->next || flatten_dict(trace, message_inner(pair->next->message, VALUE_DICT));
}

static void trace_finish(struct trace *trace)
{
	callable_finish(&trace->callable);
	buffer_finish(&trace->path);
	buffer_finish(&trace->key);
}

static bool fill_trace(struct trace *trace, const struct message *function, const struct message *concrete)
{
	const struct message *results = message_inner(concrete, CONCRETE_OUTPUT);

	trace->into = &trace->callable.inputs;
	if (!flatten_arguments(trace, function, message_inner(concrete, CONCRETE_INPUT)))
		return false;
	buffer_add_string(&trace->key, "->\n");
	trace->into = &trace->callable.outputs;
	trace->anonymous = SIZE_MAX;
	/* A function without results returns None, which is nothing to show. */
	return !results || message_oneof(results) == VALUE_NONE || flatten(trace, results);
}

static void add_trace(struct traces *traces, struct pool *pool, const char *name,
	const struct message *function, const struct message *concrete)
{
	struct trace trace = {.pool = pool};

	if (!pool_charge(pool, sizeof trace + strlen(name)))
		return;
	trace.callable.name = mem_dup(name);
	if (!fill_trace(&trace, function, concrete)) {
		trace_finish(&trace);
		return;
	}
	buffer_finish(&trace.path);
	MEM_GROW(traces->items, traces->count, traces->capacity);
	traces->items[traces->count++] = trace;
}

/* Every trace of every public function of the root; concrete functions are looked up by name in the sorted
 * entries. Gives how many traces there are. */
static int64_t collect_traces(struct traces *traces, struct pool *pool, const struct objects *objects,
	const struct message **concrete, size_t concrete_count)
{
	int64_t named = 0;

	for (const struct item *child = message_items(objects->root, OBJECT_CHILDREN); child;
		child = child->next) {
		const char *name = message_string(child->message, CHILD_NAME);
		const struct message *function =
			find_function(objects, message_integer(child->message, CHILD_NODE));
		const struct item *wanted =
			is_public(name) ? message_items(function, FUNCTION_CONCRETE) : NULL;

		for (; wanted && visit(pool); wanted = wanted->next) {
			const struct message **entry = bsearch(
				wanted->string, concrete, concrete_count, sizeof *concrete, by_entry_key);

			if (!entry)
				continue;
			named++;
			add_trace(traces, pool, name, function, message_inner(*entry, ENTRY_VALUE));
		}
	}
	return named;
}

static int by_name_and_key(const void *left, const void *right)
{
	const struct trace *a = left;
	const struct trace *b = right;
	int order = strcmp(a->callable.name, b->callable.name);

	return order ? order : strcmp(buffer_string(&a->key), buffer_string(&b->key));
}

static size_t callable_cost(const struct callable *callable)
{
	return CALLABLE_COST + text_cost(callable->name) + tensors_cost(&callable->inputs) +
	       tensors_cost(&callable->outputs);
}

static void keep_distinct(
	struct traces *traces, struct pool *pool, struct meta_graph *graph, size_t *listed_left)
{
	for (size_t i = 0; i < traces->count; i++) {
		struct trace *trace = &traces->items[i];
		size_t cost = callable_cost(&trace->callable);

		/* Equal traces are neighbours now: the last of them stays. */
		if (i + 1 < traces->count && by_name_and_key(trace, trace + 1) == 0)
			continue;
		if (cost > *listed_left) {
			pool->truncated = true;
			continue;
		}
		*listed_left -= cost;
		MEM_GROW(graph->callables, graph->callable_count, graph->callable_capacity);
		graph->callables[graph->callable_count++] = trace->callable;
		trace->callable = (struct callable){0};
	}
}

int64_t callables_find(struct pool *pool, const struct objects *objects, const struct message *object_graph,
	struct meta_graph *graph, size_t *listed_left)
{
	struct traces traces = {0};
	int64_t named = 0;
	size_t count;
	AUTO_FREE const struct message **concrete =
		message_map(object_graph, OBJECTS_CONCRETE_FUNCTIONS, &count);

	if (count > 0)
		named = collect_traces(&traces, pool, objects, concrete, count);
	pool->truncated |= objects->is_disordered && objects->has_dropped;
	if (traces.count > 0)
		qsort(traces.items, traces.count, sizeof *traces.items, by_name_and_key);
	keep_distinct(&traces, pool, graph, listed_left);
	for (size_t i = 0; i < traces.count; i++)
		trace_finish(&traces.items[i]);
	free(traces.items);
	return named;
}

void callable_finish(struct callable *callable)
{
	free(callable->name);
	tensors_finish(&callable->inputs);
	tensors_finish(&callable->outputs);
}
