/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/api/api.h"
#include "server/config.h"
#include "server/module/documents/renderings.h"
#include "server/registry/checkpoints.h"
#include "server/registry/fill_tools.h"
#include "server/registry/mirror.h"
#include "server/registry/services.h"
#include "server/registry/space.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_withdraw.h"
#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_documentation.h"
#include "server/store/catalog/catalog_keep.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/upstream/client.h"
#include "server/vault/vault_alone.h"

enum { NOW = 1700000000 };

typedef void handler(void *services, struct request *request, struct reply *reply);

/* ---- services over a folder of their own ---- */

struct place {
	char *folder;
	struct config config;
	struct committer *committer;
	struct client *client;
	struct checkpoints *checkpoints;
	struct services services;
};

/* One without upstreams. */
static void make_mirror(struct place *place)
{
	static const struct client_settings settings = {
		.connect_timeout_s = 300, .stall_timeout_s = 300, .user_agent = "larder/test"};
	static const struct mirror_policy policy = {.max_fills = 1};
	struct services *services = &place->services;

	place->client = client_create(&settings);
	place->checkpoints = checkpoints_create(services->catalog, services->blobs);
	const struct fill_tools tools = {.client = place->client,
		.catalog = services->catalog,
		.blobs = services->blobs,
		.committer = place->committer,
		.space = services->space,
		.vault = vault_alone(),
		.checkpoints = place->checkpoints};

	services->mirror = mirror_create(&tools, &policy);
}

static int set_up(void **state)
{
	const struct space_limits no_limits = {0};
	struct place *place = mem_zero(1, sizeof *place);
	struct services *services = &place->services;
	struct err err = {0};

	place->folder = mem_dup("/tmp/test_api.XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	place->services = (struct services){
		.config = &place->config, .url = "http://127.0.0.1:8080", .started_at = NOW};
	if (!catalog_open(place->folder, &place->services.catalog, &err) ||
		!blobs_open(place->folder, &place->services.blobs, &err))
		fail_msg("%s", err.text);
	services->renderings = renderings_create(NULL, 1 << 20);
	services->vault = vault_alone();
	place->committer = committer_create(services->catalog, services->blobs, NULL, vault_alone());
	services->space =
		space_create(&no_limits, services->catalog, services->blobs, place->committer, NULL, 0);
	make_mirror(place);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	AUTO_FREE char *command = mem_printf("rm -rf '%s'", place->folder);

	mirror_destroy(place->services.mirror);
	checkpoints_destroy(place->checkpoints);
	client_destroy(place->client);
	renderings_destroy(place->services.renderings);
	space_destroy(place->services.space);
	committer_destroy(place->committer);
	catalog_close(place->services.catalog);
	blobs_close(place->services.blobs);
	assert_int_equal(system(command), 0);
	free(place->folder);
	free(place);
	return 0;
}

static struct name named(const char *path, enum format format)
{
	struct name name = {.format = format};
	struct err err;

	assert_true(name_parse_versioned(path, &name, &err));
	return name;
}

static void add_tensor(struct tensors *tensors, struct tensor tensor)
{
	MEM_GROW(tensors->items, tensors->count, tensors->capacity);
	tensors->items[tensors->count++] = tensor;
}

static struct tensor tensor_of(const char *name, enum tensor_encoding encoding, struct shape shape)
{
	struct tensor tensor = {.name = mem_dup(name), .encoding = encoding, .dtype = 1, .shape = shape};

	if (encoding == TENSOR_DENSE)
		tensor.tensor = mem_printf("%s:0", name);
	if (encoding == TENSOR_COO) {
		tensor.values = mem_dup("v:0");
		tensor.indices = mem_dup("i:0");
		tensor.dense_shape = mem_dup("d:0");
	}
	if (encoding == TENSOR_LITERAL)
		tensor.type = mem_dup("False");
	return tensor;
}

static struct shape matrix(int64_t columns)
{
	struct shape shape = {SHAPE_KNOWN, 2, mem_zero(2, sizeof(int64_t))};

	shape.dimensions[0] = -1;
	shape.dimensions[1] = columns;
	return shape;
}

static struct saved_model *model_of_all_kinds(void)
{
	struct saved_model *model = mem_zero(1, sizeof *model);
	struct meta_graph *graph = mem_zero(1, sizeof *graph);
	struct signature *signature = mem_zero(1, sizeof *signature);
	struct callable *callable = mem_zero(1, sizeof *callable);

	model->meta_graphs = graph;
	model->meta_graph_count = model->meta_graph_capacity = 1;
	graph->tensorflow_version = mem_dup("2.14.0");
	graph->tags = mem_zero(1, sizeof *graph->tags);
	graph->tags[0] = mem_dup("serve");
	graph->tag_count = graph->tag_capacity = 1;
	graph->signatures = signature;
	graph->signature_count = graph->signature_capacity = 1;
	graph->callables = callable;
	graph->callable_count = graph->callable_capacity = 1;
	signature->name = mem_dup("serving_default");
	signature->method = mem_dup("");
	add_tensor(&signature->inputs, tensor_of("a", TENSOR_DENSE, matrix(784)));
	add_tensor(&signature->inputs, tensor_of("b", TENSOR_COO, matrix(5)));
	add_tensor(&signature->outputs,
		tensor_of("y", TENSOR_DENSE, (struct shape){SHAPE_UNKNOWN_RANK, 0, NULL}));
	add_tensor(&signature->outputs, tensor_of("z", TENSOR_DENSE, (struct shape){SHAPE_UNSET, 0, NULL}));
	callable->name = mem_dup("__call__");
	add_tensor(&callable->inputs,
		tensor_of("training", TENSOR_LITERAL, (struct shape){SHAPE_UNSET, 0, NULL}));
	return model;
}

static struct examination *examination_of(enum format format, const char *warning_path)
{
	struct examination *examination = mem_zero(1, sizeof *examination);

	examination->format = format;
	examination->unpacked_bytes = 30;
	examination->file_count = 2;
	examination->member_count = examination->member_capacity = 2;
	examination->members = mem_zero(2, sizeof *examination->members);
	examination->members[0] = (struct examined_member){mem_dup("saved_model.pb"), false, 10};
	examination->members[1] = (struct examined_member){mem_dup("variables/z"), false, 20};
	examination->finding_count = examination->finding_capacity = 1;
	examination->findings = mem_zero(1, sizeof *examination->findings);
	examination->findings[0] = (struct finding){
		SEVERITY_WARNING, true, "folder-missing", mem_dup(warning_path), mem_dup("Put it first.")};
	if (format == FORMAT_TF_HUB)
		examination->saved_model = model_of_all_kinds();
	return examination;
}

static void keep(void **state, const char *path, enum format format)
{
	struct place *place = *state;
	struct name name = named(path, format);
	AUTO_FREE char *bytes = mem_printf("%s %d", path, format);
	struct checksums checksums = {.sha256 = digest_of(bytes, strlen(bytes))};
	struct examination *examination = examination_of(format, "variables");
	struct err err = {0};
	enum kept kept;

	if (!catalog_keep(place->services.catalog,
		    &(struct keeping){.name = &name,
			    .source = SOURCE_PUBLISHED,
			    .published_by = "ci",
			    .checksums = &checksums,
			    .size_bytes = 1365,
			    .examination = examination,
			    .now_s = NOW},
		    &kept, &err))
		fail_msg("%s", err.text);
	examination_destroy(examination);
}

static void ignore_orphan(void *context, const struct digest *digest)
{
	(void)context;
	(void)digest;
}

static void withdraw(void **state, const char *path)
{
	struct place *place = *state;
	struct name name = named(path, FORMAT_TF_HUB);
	struct err err = {0};

	if (!catalog_withdraw(place->services.catalog, &(struct withdrawal){&name, "ci", NOW}, ignore_orphan,
		    NULL, &err))
		fail_msg("%s", err.text);
}

/* ---- requests ---- */

struct sent {
	const char *host;
	const char *accept;
};

static const char *find_header(const void *headers, const char *name)
{
	const struct sent *sent = headers;

	if (strcasecmp(name, "Host") == 0)
		return sent->host;
	return strcasecmp(name, "Accept") == 0 ? sent->accept : NULL;
}

/* Asks as the front would; prefix is what the route's "*" stands behind. */
static void ask(void **state, handler *handle, const char *target, const char *prefix,
	const struct sent *sent, struct reply *reply)
{
	struct place *place = *state;
	struct request request = {.find_header = find_header, .headers = sent};
	struct err err = {0};

	if (!request_set_target(&request, target, NULL, &err))
		fail_msg("%s", err.text);
	request.rest = request.path + strlen(prefix);
	reply_init(reply);
	handle(&place->services, &request, reply);
	request_finish(&request);
}

static const struct sent here = {"larder.test:8080", NULL};

static json_t *get(void **state, handler *handle, const char *target, const char *prefix, int status)
{
	struct reply reply;
	json_t *json;

	ask(state, handle, target, prefix, &here, &reply);
	assert_int_equal(reply.kind, REPLY_BYTES);
	if (reply.status != status)
		fail_msg("%s: %d %.*s", target, reply.status, (int)reply.length, reply.bytes);
	json = json_loadb(reply.bytes, reply.length, 0, NULL);
	assert_non_null(json);
	reply_finish(&reply);
	return json;
}

/* Fails unless the JSON is exactly what the text says; lets go of it. */
static void assert_json(json_t *json, const char *expected_text)
{
	json_t *expected = json_loads(expected_text, JSON_DECODE_ANY, NULL);
	AUTO_FREE char *text = json_dumps(json, JSON_DECODE_ANY | JSON_SORT_KEYS | JSON_ENCODE_ANY);

	assert_non_null(expected);
	if (!json_equal(json, expected))
		fail_msg("got %s\nnot %s", text, expected_text);
	json_decref(expected);
	json_decref(json);
}

static void assert_member(json_t *object, const char *key, const char *expected_text)
{
	assert_json(json_incref(json_object_get(object, key)), expected_text);
}

static json_t *modules(void **state, const char *query, int status)
{
	AUTO_FREE char *target = mem_printf("/api/v1/modules%s", query);

	return get(state, api_modules, target, "", status);
}

static json_t *module(void **state, const char *path, int status)
{
	AUTO_FREE char *target = mem_printf("/api/v1/modules/%s", path);

	return get(state, api_module, target, "/api/v1/modules/", status);
}

/* ---- lists ---- */

static void test_list(void **state)
{
	assert_json(modules(state, "", 200), "{\"modules\":[],\"total\":0,\"next\":null}");
	keep(state, "zoo/tiger/1", FORMAT_TF_HUB);
	keep(state, "zoo/tiger/4", FORMAT_TF_HUB);
	assert_json(modules(state, "?sort=relevance", 200),
		"{\"modules\":[{\"handle\":\"zoo/"
		"tiger\",\"publisher\":\"zoo\",\"name\":\"tiger\",\"latest_version\":4,"
		"\"versions\":[1,4],\"version_count\":2,\"description\":\"\",\"tags\":{},\"formats\":[\"tf-"
		"hub\"],\"source\":"
		"\"published\","
		"\"cached\":true,\"size_bytes\":1365,\"downloads\":0,\"updated_at\":\"2023-11-14T22:13:20Z\"}"
		"],"
		"\"total\":1,\"next\":null}");
}

static void test_refused_queries(void **state)
{
	static const char *const queries[] = {"limit=0", "limit=201", "limit=-1", "limit=x",
		"limit=", "cursor=", "cursor=nonsense", "cursor=%ff%fe", "cursor=YQ==", "cursor=A",
		"format=zip", "source=stolen", "cached=1", "sort=colour", "facets=1", "fine_tunable=x",
		"input_dtype=float"};

	for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
		AUTO_FREE char *query = mem_printf("?%s", queries[i]);
		json_t *problem = modules(state, query, 400);

		assert_member(problem, "code", "\"bad-request\"");
		json_decref(problem);
	}
}

/* Follows next from page to page and counts the items. */
static size_t walk(void **state, handler *handle, const char *things, const char *first, const char *prefix)
{
	AUTO_FREE char *target = mem_dup(first);
	size_t seen = 0;

	while (target) {
		json_t *page = get(state, handle, target, prefix, 200);
		const char *next = json_string_value(json_object_get(page, "next"));

		seen += json_array_size(json_object_get(page, things));
		free(target);
		target = next ? mem_dup(next + strlen("http://larder.test:8080")) : NULL;
		if (next)
			assert_ptr_equal(strstr(next, "http://larder.test:8080/api/v1/"), next);
		json_decref(page);
		assert_true(seen < 100);
	}
	return seen;
}

static void test_pages(void **state)
{
	for (int i = 0; i < 7; i++) {
		/* Long enough for a cursor of several pieces. */
		AUTO_FREE char *path = mem_printf("acme-%d/model-%090d/1", i, i);

		keep(state, path, FORMAT_TF_HUB);
	}
	assert_int_equal(walk(state, api_modules, "modules", "/api/v1/modules?limit=1", ""), 7);
	assert_int_equal(walk(state, api_modules, "modules", "/api/v1/modules?limit=3&q=model+acme", ""), 7);
	assert_int_equal(
		walk(state, api_modules, "modules", "/api/v1/modules?limit=2&publisher=acme-3", ""), 1);
	assert_int_equal(walk(state, api_publishers, "publishers", "/api/v1/publishers?limit=2", ""), 7);
}

/* ---- one module, one version ---- */

static void test_module(void **state)
{
	json_t *json;

	keep(state, "zoo/cat/0zoo/tiger/1", FORMAT_TF_HUB);
	keep(state, "zoo/tiger/1", FORMAT_TF_HUB);
	keep(state, "zoo/tiger/4", FORMAT_TFLITE);
	json = module(state, "zoo/tiger", 200);
	assert_member(json, "handle", "\"zoo/tiger\"");
	assert_member(json, "versions", "[1,4]");
	assert_member(json, "version_list",
		"[{\"version\":1,\"source\":\"published\",\"state\":\"active\",\"created_at\":\"2023-11-"
		"14T22:13:20Z\","
		"\"url\":\"http://larder.test:8080/zoo/tiger/1\"},"
		"{\"version\":4,\"source\":\"published\",\"state\":\"active\",\"created_at\":\"2023-11-14T22:"
		"13:20Z\","
		"\"url\":\"http://larder.test:8080/zoo/tiger/4\"}]");
	json_decref(json);
	json_decref(module(state, "zoo/cat/0zoo/tiger", 200));
	json_decref(module(state, "zoo/lion", 404));
	json_decref(module(state, "zoo", 404));
	json_decref(module(state, "zoo/tiger/3", 404));
}

static void test_withdrawn(void **state)
{
	json_t *json;

	keep(state, "zoo/tiger/1", FORMAT_TF_HUB);
	withdraw(state, "zoo/tiger/1");
	json = module(state, "zoo/tiger/1", 200);
	assert_member(json, "state", "\"withdrawn\"");
	json_decref(json);
	json_decref(get(state, api_signatures, "/s/zoo/tiger/1", "/s/", 410));
	json_decref(get(state, api_files, "/f/zoo/tiger/1", "/f/", 410));
	json_decref(get(state, api_documentation, "/d/zoo/tiger/1", "/d/", 410));
	json = module(state, "zoo/tiger", 200);
	assert_member(json, "versions", "[]");
	assert_member(json, "latest_version", "null");
	assert_int_equal(json_array_size(json_object_get(json, "version_list")), 1);
	json_decref(json);
}

static const char meta_graph_text[] =
	"\"tags\":[\"serve\"],\"signatures\":[{\"name\":\"serving_default\",\"method\":\"\","
	"\"inputs\":[{\"name\":\"a\",\"tensor\":\"a:0\",\"dtype\":\"float32\",\"shape\":[-1,784]},"
	"{\"name\":\"b\",\"encoding\":\"coo\",\"values\":\"v:0\",\"indices\":\"i:0\",\"dense_shape\":\"d:0\","
	"\"dtype\":\"float32\",\"shape\":[-1,5]}],"
	"\"outputs\":[{\"name\":\"y\",\"tensor\":\"y:0\",\"dtype\":\"float32\",\"shape\":null},"
	"{\"name\":\"z\",\"tensor\":\"z:0\",\"dtype\":\"float32\"}]}],"
	"\"callables\":[{\"name\":\"__call__\",\"outputs\":[],"
	"\"inputs\":[{\"name\":\"training\",\"encoding\":\"literal\",\"value\":\"False\"}]}]";

static void test_version(void **state)
{
	AUTO_FREE char *model =
		mem_printf("{\"kind\":\"saved-model\",\"format\":\"pb\",\"tensorflow_version\":\"2.14.0\","
			   "\"meta_graphs\":[{%s,\"tensorflow_version\":\"2.14.0\",\"ops\":[]}]}",
			meta_graph_text);
	json_t *json, *artifact;

	keep(state, "zoo/tiger/4", FORMAT_TF_HUB);
	json = module(state, "zoo/tiger/4", 200);
	assert_member(json, "saved_model", model);
	assert_member(json, "url", "\"http://larder.test:8080/zoo/tiger/4\"");
	assert_member(json, "published_by", "\"ci\"");
	assert_member(json, "upstream", "null");
	assert_member(json, "state", "\"active\"");
	artifact = json_array_get(json_object_get(json, "artifacts"), 0);
	assert_member(artifact, "url", "\"http://larder.test:8080/zoo/tiger/4?tf-hub-format=compressed\"");
	assert_member(artifact, "media_type", "\"application/gzip\"");
	assert_member(artifact, "files", "2");
	assert_member(artifact, "warnings",
		"[{\"rule\":\"folder-missing\",\"path\":\"variables\",\"message\":\"Put it first.\"}]");
	json_decref(json);
}

static void test_signatures(void **state)
{
	AUTO_FREE char *listing = mem_printf(
		"{\"handle\":\"zoo/tiger\",\"version\":4,\"format\":\"tf-hub\",\"meta_graphs\":[{%s}]}",
		meta_graph_text);

	keep(state, "zoo/tiger/4", FORMAT_TF_HUB);
	keep(state, "zoo/lite/1", FORMAT_TFLITE);
	assert_json(get(state, api_signatures, "/s/zoo/tiger/4", "/s/", 200), listing);
	json_decref(get(state, api_signatures, "/s/zoo/lite/1", "/s/", 404));
	json_decref(get(state, api_signatures, "/s/zoo/tiger", "/s/", 400));
}

static void test_files(void **state)
{
	keep(state, "zoo/tiger/4", FORMAT_TFJS);
	assert_json(get(state, api_files, "/api/v1/files/zoo/tiger/4", "/api/v1/files/", 200),
		"{\"files\":[{\"path\":\"saved_model.pb\",\"size_bytes\":10},{\"path\":\"variables/"
		"z\",\"size_bytes\":20}],"
		"\"total\":2,\"next\":null}");
	assert_int_equal(
		walk(state, api_files, "files", "/api/v1/files/zoo/tiger/4?limit=1", "/api/v1/files/"), 2);
	json_decref(get(state, api_files, "/f/zoo/tiger/4?format=tf-hub", "/f/", 404));
	json_decref(get(state, api_files, "/f/zoo/tiger/4?format=zip", "/f/", 400));
	json_decref(get(state, api_files, "/f/zoo/tiger/4?cursor=bm9uZQ", "/f/", 400));
	json_decref(get(state, api_files, "/f/zoo/tiger/5", "/f/", 404));
}

static void test_hosts(void **state)
{
	static const struct {
		const char *host;
		const char *url;
	} cases[] = {
		{"a.b:1", "http://a.b:1/zoo/x/1"},
		{"[::1]:80", "http://[::1]:80/zoo/x/1"},
		{NULL, "http://127.0.0.1:8080/zoo/x/1"},
		{"", "http://127.0.0.1:8080/zoo/x/1"},
		{"a\"b", "http://127.0.0.1:8080/zoo/x/1"},
		{"a/b", "http://127.0.0.1:8080/zoo/x/1"},
		{"u@h", "http://127.0.0.1:8080/zoo/x/1"},
	};

	keep(state, "zoo/x/1", FORMAT_TF_HUB);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sent sent = {cases[i].host, NULL};
		struct reply reply;
		json_t *json;

		ask(state, api_module, "/m/zoo/x/1", "/m/", &sent, &reply);
		json = json_loadb(reply.bytes, reply.length, 0, NULL);
		assert_string_equal(json_string_value(json_object_get(json, "url")), cases[i].url);
		json_decref(json);
		reply_finish(&reply);
	}
}

/* ---- documentation ---- */

static void assert_document(void **state, const char *accept, const char *media_type, const char *text)
{
	struct sent sent = {NULL, accept};
	struct reply reply;

	ask(state, api_documentation, "/d/zoo/x/1", "/d/", &sent, &reply);
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.headers[0].name, "Content-Type");
	assert_string_equal(reply.headers[0].value, media_type);
	assert_int_equal(reply.length, strlen(text));
	assert_memory_equal(reply.bytes, text, reply.length);
	reply_finish(&reply);
}

static void test_documentation(void **state)
{
	struct place *place = *state;
	struct name name = named("zoo/x/1", FORMAT_TF_HUB);
	struct err err = {0};
	bool created;

	keep(state, "zoo/x/1", FORMAT_TF_HUB);
	json_decref(get(state, api_documentation, "/d/zoo/x/1", "/d/", 404));
	json_decref(get(state, api_documentation, "/d/zoo/x/2", "/d/", 404));
	const struct documentation documentation = {"# A\n<script>", NULL, "ci", NOW};
	if (!catalog_set_documentation(place->services.catalog, &name, &documentation, &created, &err))
		fail_msg("%s", err.text);
	assert_document(state, NULL, "text/html; charset=utf-8", "<h1>A</h1>\n<!-- raw HTML omitted -->\n");
	assert_document(state, "text/markdown", "text/markdown; charset=utf-8", "# A\n<script>");
}

/* ---- the rest ---- */

static void test_describe(void **state)
{
	static const struct {
		const char *path;
		enum err_code problem;
		const char *key;
		const char *value;
	} cases[] = {
		{"zoo", ERR_NONE, "modules_url", "\"http://larder.test:8080/api/v1/modules?publisher=zoo\""},
		{"zoo/x", ERR_NONE, "latest_version", "1"},
		{"zoo/x/1", ERR_NONE, "version", "1"},
		{"nobody", ERR_NOT_FOUND, "status", "404"},
		{"zoo/y", ERR_NOT_FOUND, "status", "404"},
		{"zoo/x/2", ERR_NOT_FOUND, "status", "404"},
	};
	struct place *place = *state;

	keep(state, "zoo/x/1", FORMAT_TF_HUB);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct request request = {.find_header = find_header, .headers = &here};
		struct name name = {0};
		const char *member;
		struct reply reply;
		struct err err;
		json_t *json;

		assert_true(name_parse_path(cases[i].path, &name, &member, &err));
		reply_init(&reply);
		api_describe(&place->services, &request, &name, &reply);
		assert_int_equal(reply.problem, cases[i].problem);
		json = json_loadb(reply.bytes, reply.length, 0, NULL);
		assert_member(json, cases[i].key, cases[i].value);
		json_decref(json);
		reply_finish(&reply);
	}
}

static void test_status(void **state)
{
	struct reply reply;
	json_t *json;

	keep(state, "zoo/x/1", FORMAT_TF_HUB);
	json = get(state, api_stats, "/stats", "", 200);
	assert_member(json, "modules", "1");
	assert_member(json, "saved_bytes", "0");
	assert_member(json, "started_at", "\"2023-11-14T22:13:20Z\"");
	json_decref(json);
	json = get(state, api_readyz, "/readyz", "", 200);
	assert_member(json, "ready", "true");
	assert_member(json, "full", "false");
	json_decref(json);
	ask(state, api_healthz, "/healthz", "", &here, &reply);
	assert_memory_equal(reply.bytes, "ok\n", 3);
	reply_finish(&reply);
	ask(state, api_metrics, "/metrics", "", &here, &reply);
	assert_non_null(strstr(reply.bytes, "# TYPE larder_requests_total counter"));
	reply_finish(&reply);
	ask(state, api_openapi, "/openapi", "", &here, &reply);
	assert_non_null(strstr(reply.bytes, "openapi: 3.1.0"));
	reply_finish(&reply);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {CASE(test_list), CASE(test_refused_queries), CASE(test_pages),
		CASE(test_module), CASE(test_withdrawn), CASE(test_version), CASE(test_signatures),
		CASE(test_files), CASE(test_hosts), CASE(test_documentation), CASE(test_describe),
		CASE(test_status)};

	return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
