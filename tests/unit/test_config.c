/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration: each kind of value, every fault with its line, and the example that documents it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/own.h"
#include "server/config.h"
#include "server/config_example.h"
#include "server/config_keys.h"

/* Loads a text through a file; the faults come without the file's name, which is a random one. */
static bool load(const char *text, struct config **out, struct buffer *faults, struct err *err)
{
	char path[] = "/tmp/larder-test-config-XXXXXX";
	AUTO_FD int fd = mkstemp(path);
	AUTO_BUFFER struct buffer raw = {0};
	bool ok;

	assert_true(fd >= 0);
	assert_true(file_write_at(fd, text, strlen(text), 0, err));
	ok = config_load(path, out, &raw, err);
	(void)unlink(path);
	for (const char *line = buffer_string(&raw); *line; line = strchr(line, '\n') + 1) {
		size_t skipped = strncmp(line, path, strlen(path)) == 0 ? strlen(path) + 1 : 0;

		assert_true(skipped > 0 || strncmp(line, "LARDER_", 7) == 0);
		buffer_printf(faults, "%.*s", (int)(strcspn(line, "\n") + 1 - skipped), line + skipped);
	}
	return ok;
}

static struct config *must_load(const char *text)
{
	AUTO_BUFFER struct buffer faults = {0};
	struct config *config = NULL;
	struct err err;

	if (!load(text, &config, &faults, &err))
		fail_msg("%s\n%s", err.text, buffer_string(&faults));
	return config;
}

static void assert_same_text(const char *a, const char *b)
{
	if (a && b)
		assert_string_equal(a, b);
	else
		assert_ptr_equal(a, b);
}

static void assert_same_upstream(const struct upstream *a, const struct upstream *b)
{
	assert_same_text(a->name, b->name);
	assert_same_text(a->url, b->url);
	assert_same_text(a->match, b->match);
	assert_same_text(a->formats, b->formats);
	assert_same_text(a->ca_file, b->ca_file);
	assert_same_text(a->bearer_token_file, b->bearer_token_file);
	assert_same_text(a->basic_file, b->basic_file);
	assert_same_text(a->header_file, b->header_file);
	assert_int_equal(a->kind, b->kind);
	assert_same_text(a->credentials_file, b->credentials_file);
	assert_same_text(a->proxy, b->proxy);
	assert_int_equal(a->rate_bytes_per_s, b->rate_bytes_per_s);
	assert_int_equal(a->max_connections, b->max_connections);
}

static void assert_same_config(const struct config *a, const struct config *b)
{
	assert_same_text(a->server.listen, b->server.listen);
	assert_same_text(a->server.public_url, b->server.public_url);
	assert_same_text(a->server.trusted_proxies, b->server.trusted_proxies);
	assert_int_equal(a->server.reads_forwarded, b->server.reads_forwarded);
	assert_int_equal(a->mirror.hold_until_verified, b->mirror.hold_until_verified);
	assert_same_text(a->server.tls_certificate, b->server.tls_certificate);
	assert_same_text(a->server.tls_key, b->server.tls_key);
	assert_same_text(a->storage.data_dir, b->storage.data_dir);
	assert_same_text(a->mirror.allow, b->mirror.allow);
	assert_same_text(a->mirror.deny, b->mirror.deny);
	assert_same_text(a->hub.hosts, b->hub.hosts);
	assert_same_text(a->hub.uncompressed_root, b->hub.uncompressed_root);
	assert_same_text(a->hub.kaggle_map, b->hub.kaggle_map);
	assert_memory_equal(&a->server.threads, &b->server.threads, 5 * sizeof(int64_t));
	assert_memory_equal(&a->storage.max_bytes, &b->storage.max_bytes, 2 * sizeof(int64_t));
	assert_memory_equal(&a->publish, &b->publish, sizeof a->publish);
	assert_memory_equal(&a->mirror.negative_ttl_s, &b->mirror.negative_ttl_s, 5 * sizeof(int64_t));
	assert_int_equal(a->mirror.offline, b->mirror.offline);
	assert_int_equal(a->mirror.private_upstreams, b->mirror.private_upstreams);
	assert_int_equal(a->auth.read_needs_token, b->auth.read_needs_token);
	assert_int_equal(a->store.kind, b->store.kind);
	assert_same_text(a->store.bucket.endpoint, b->store.bucket.endpoint);
	assert_same_text(a->store.bucket.name, b->store.bucket.name);
	assert_same_text(a->store.bucket.prefix, b->store.bucket.prefix);
	assert_same_text(a->store.bucket.region, b->store.bucket.region);
	assert_same_text(a->store.bucket.credentials_file, b->store.bucket.credentials_file);
	assert_same_text(a->store.bucket.ca_file, b->store.bucket.ca_file);
	assert_int_equal(a->store.bucket.path_style, b->store.bucket.path_style);
	assert_int_equal(a->store.bucket.connect_timeout_s, b->store.bucket.connect_timeout_s);
	assert_int_equal(a->store.bucket.timeout_s, b->store.bucket.timeout_s);
	assert_same_text(a->store.node_url, b->store.node_url);
	assert_memory_equal(&a->store.poll_interval_s, &b->store.poll_interval_s, 3 * sizeof(int64_t));
	assert_int_equal(a->store.strict, b->store.strict);
	assert_int_equal(a->log.level, b->log.level);
	assert_int_equal(a->log.format, b->log.format);
	assert_int_equal(a->upstream_count, b->upstream_count);
	for (size_t i = 0; i < a->upstream_count; i++)
		assert_same_upstream(&a->upstreams[i], &b->upstreams[i]);
}

static void test_defaults(void **state)
{
	AUTO_CONFIG struct config *config = config_create();
	AUTO_CONFIG struct config *empty = must_load("");

	assert_same_config(config, empty);
	assert_string_equal(config->server.listen, "127.0.0.1:8080");
	assert_null(config->server.public_url);
	assert_int_equal(config->storage.keep_free_bytes, 1 << 30);
	assert_false(config->auth.read_needs_token);
	assert_null(config->mirror.allow);
	assert_int_equal(config->log.level, LOG_LEVEL_INFO);
	assert_int_equal(config->upstream_count, 2);
	assert_string_equal(config->upstreams[0].name, "tfhub");
	assert_string_equal(
		config->upstreams[1].url, "https://storage.googleapis.com/tfhub-modules/{path}.tar.gz");
}

static void test_every_kind_of_value(void **state)
{
	AUTO_CONFIG
	struct config *config = must_load("\xEF\xBB\xBF[server]\r\n"
					  "listen = [::1]:0 ; loopback\r\n"
					  "public_url=https://models.example.org/\n"
					  "threads: 3\n"
					  "[storage]\n"
					  "max_bytes = 2T\n"
					  "[auth]\n"
					  "read = token\n"
					  "[mirror]\n"
					  "allow = google/*,\n"
					  "# between\n"
					  "  tensorflow/*\n"
					  "\n"
					  "\tacme/*\n"
					  "offline = yes\n"
					  "private_upstreams = 0\n"
					  "[hub]\n"
					  "hosts =\n"
					  "[log]\n"
					  "level = debug\n"
					  "format = json\n"
					  "[server]\n"
					  "workers = 9");

	assert_string_equal(config->server.listen, "[::1]:0");
	assert_string_equal(config->server.public_url, "https://models.example.org");
	assert_int_equal(config->server.threads, 3);
	assert_int_equal(config->server.workers, 9);
	assert_int_equal(config->storage.max_bytes, INT64_C(2) << 40);
	assert_true(config->auth.read_needs_token);
	assert_string_equal(config->mirror.allow, "google/*, tensorflow/* acme/*");
	assert_true(config->mirror.offline);
	assert_false(config->mirror.private_upstreams);
	assert_null(config->hub.hosts);
	assert_int_equal(config->log.level, LOG_LEVEL_DEBUG);
	assert_int_equal(config->log.format, LOG_FORMAT_JSON);
}

static void test_upstreams_replace_the_defaults(void **state)
{
	AUTO_CONFIG
	struct config *config = must_load("[upstream origin]\n"
					  "url = http://origin:8080/{path}?{query}\n"
					  "match = acme/* beta/*\n"
					  "formats = tf-hub, tfjs\n"
					  "bearer_token_file = /etc/larder/origin.token\n"
					  "rate_bytes_per_s = 10M\n"
					  "[log]\nlevel = warn\n"
					  "[upstream  tfhub]\n"
					  "url = https://tfhub.dev/{path}?{query}\n"
					  "max_connections = 2\n");

	assert_int_equal(config->upstream_count, 2);
	assert_string_equal(config->upstreams[0].name, "origin");
	assert_string_equal(config->upstreams[0].match, "acme/* beta/*");
	assert_string_equal(config->upstreams[0].formats, "tf-hub, tfjs");
	assert_string_equal(config->upstreams[0].bearer_token_file, "/etc/larder/origin.token");
	assert_int_equal(config->upstreams[0].rate_bytes_per_s, 10 << 20);
	assert_int_equal(config->upstreams[0].max_connections, 32);
	assert_string_equal(config->upstreams[1].name, "tfhub");
	assert_null(config->upstreams[1].match);
	assert_int_equal(config->upstreams[1].max_connections, 2);
}

static const struct {
	const char *text;
	const char *fault;
} faulty[] = {
	{"[serve]\nlisten = x\n", "1: there is no section [serve]\n"},
	{"[server\nlisten = x\n", "1: a section's name ends with \"]\"\n"},
	{"\n    [server]\n    listen = 127.0.0.1:1\n\n    [log]\n    level = info\n",
		"2: a [section] is not indented, nor are its keys\n"
		"5: an indented line continues the one above it, but listen is no list\n"
		"6: an indented line continues the one above it, but listen is no list\n"},
	{"listen = x\n", "1: \"listen\" stands before the first [section]\n"},
	{"\n[server]\nlisten_on = x\n", "3: there is no key \"listen_on\" in [server]\n"},
	{"[server]\nlisten\n", "2: this is neither a [section] nor \"key = value\" nor a # comment\n"},
	{"[server]\nlisten = 8080\n",
		"2: listen: \"8080\" is no address with a port, such as 127.0.0.1:8080 or [::]:8080\n"},
	{"[server]\nlisten = ::1:80\n",
		"2: listen: \"::1:80\" is no address with a port, such as 127.0.0.1:8080 or [::]:8080\n"},
	{"[server]\nlisten = a:65536\n",
		"2: listen: \"a:65536\" is no address with a port, such as 127.0.0.1:8080 or [::]:8080\n"},
	{"[server]\nlisten =\n", "2: listen cannot be empty\n"},
	{"[server]\nthreads = many\n", "2: threads takes a whole number from 0 to 1024, not \"many\"\n"},
	{"[server]\nthreads = -1\n", "2: threads takes a whole number from 0 to 1024, not \"-1\"\n"},
	{"[server]\nthreads = 1025\n", "2: threads takes a whole number from 0 to 1024, not \"1025\"\n"},
	{"[server]\nthreads = 1\nthreads = 2\n", "3: threads was already set in line 2\n"},
	{"[server]\nthreads = 1\n[log]\n[server]\nthreads = 2\n", "5: threads was already set in line 2\n"},
	{"[server]\nthreads = 1\n  workers = 2\n",
		"3: an indented line continues the one above it, but threads is no list\n"},
	{"[hub]\nhosts = a\n  uncompressed_root = gs://b\n",
		"2: hosts has an \"=\" in its list: is the next key indented?\n"},
	{"[server]\npublic_url = example.org\n", "2: public_url: \"example.org\" is no URL that paths can be "
						 "appended to, such as https://models.example.org\n"},
	{"[server]\npublic_url = https:///x\n", "2: public_url: \"https:///x\" is no URL that paths can be "
						"appended to, such as https://models.example.org\n"},
	{"[server]\ntls_certificate = a.pem\n", "2: tls_certificate needs tls_key as well\n"},
	{"[server]\n\ntls_key = a.pem\n", "3: tls_key needs tls_certificate as well\n"},
	{"[server]\ntrusted_proxies = 10.0.0.0/8 proxy\n", "2: trusted_proxies: \"proxy\" is no network such "
							   "as 10.0.0.0/8, 2001:db8::/32 or 127.0.0.1\n"},
	{"[mirror]\nhold_until_verified = on\n",
		"2: hold_until_verified takes one of never, proxied, always, not \"on\"\n"},
	{"[storage]\nmax_bytes = 1 G\n",
		"2: max_bytes takes a size of at least 0 bytes such as 512M or 16G, not \"1 G\"\n"},
	{"[publish]\nmax_upload_bytes = 0\n",
		"2: max_upload_bytes takes a size of at least 1 bytes such as 512M or 16G, not \"0\"\n"},
	{"[auth]\nread = all\n", "2: read takes one of anyone, token, not \"all\"\n"},
	{"[log]\nlevel = loud\n", "2: level takes one of error, warn, notice, info, debug, not \"loud\"\n"},
	{"[mirror]\noffline = maybe\n",
		"2: offline takes one of off, on, false, true, no, yes, 0, 1, not \"maybe\"\n"},
	{"[upstream]\n",
		"1: an upstream's name has 1 to 32 letters, digits and ._-, as in [upstream tfhub]\n"},
	{"[upstream a b]\n",
		"1: an upstream's name has 1 to 32 letters, digits and ._-, as in [upstream tfhub]\n"},
	{"[upstream a]\n", "1: [upstream a] has no url\n"},
	{"[upstream a]\nmatch = x\n[log]\n", "1: [upstream a] has no url\n"},
	{"[upstream a]\nurl = http://a/{path}\nproxy = socks5://u:s3cret@p\n",
		"3: proxy: A proxy is http:// or https://, a host and a port, such as "
		"http://proxy.example:3128, or none.\n"},
	{"[upstream a]\nurl = http://a/{path}\nlisten = x\n",
		"3: there is no key \"listen\" in [upstream]\n"},
	{"[upstream a]\nurl = http://a/{path}\nformats = tf-hub onnx\n",
		"3: formats: \"onnx\" is no format; it must be tf-hub, tfjs, tflite, coral or archive\n"},
	{"[upstream a]\nurl = http://a/{path}\n[upstream a]\nurl = http://b/{path}\n",
		"3: there is more than one upstream named \"a\"\n"},
	{"[store]\nkind = nfs\n", "2: kind takes one of folder, s3, not \"nfs\"\n"},
	{"[store]\n\nkind = s3\n", "3: kind = s3 needs bucket as well\n"},
	{"[store]\nendpoint = s3.example.org\n",
		"2: endpoint: \"s3.example.org\" is no URL that paths can be appended to, such as "
		"https://models.example.org\n"},
	{"[store]\nendpoint = https://s3.example.org/models\n",
		"2: endpoint: \"https://s3.example.org/models\" is more than a host and a port, such as "
		"https://s3.example.org:9000; the bucket has a key of its own\n"},
	{"[store]\nbucket = My_Models\n",
		"2: bucket: \"My_Models\" is no bucket's name: 3 to 63 of a-z, 0-9, \".\" and \"-\", which "
		"begin and end with a letter or digit\n"},
	{"[store]\nprefix = /models\n",
		"2: prefix: \"/models\" is no prefix: at most 128 of a-z, 0-9, \".\", \"_\", \"-\" and \"/\" "
		"between names, such as larder/prod\n"},
	{"[store]\nregion = eu central\n", "2: region: \"eu central\" is no region, such as eu-central-1\n"},
	{"[store]\nkind = s3\nbucket = a.b.c\npath_style = off\n",
		"4: a bucket with a \".\" in its name cannot stand before a host's name: path_style = on\n"},
	/* All of them, in the order of their lines. */
	{"[server]\nthreads = x\nworkers\n[log]\nlevel = x\ncolour = red\n",
		"2: threads takes a whole number from 0 to 1024, not \"x\"\n"
		"3: this is neither a [section] nor \"key = value\" nor a # comment\n"
		"5: level takes one of error, warn, notice, info, debug, not \"x\"\n"
		"6: there is no key \"colour\" in [log]\n"},
};

static void test_faults_name_their_lines(void **state)
{
	for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++) {
		AUTO_BUFFER struct buffer faults = {0};
		struct config *config = NULL;
		struct err err;

		if (load(faulty[i].text, &config, &faults, &err))
			fail_msg("loads: %s", faulty[i].text);
		assert_string_equal(buffer_string(&faults), faulty[i].fault);
		assert_int_equal(err.code, ERR_BAD_REQUEST);
		assert_null(config);
	}
}

static void test_wrong_templates_are_faults(void **state)
{
	AUTO_BUFFER struct buffer faults = {0};
	struct config *config = NULL;
	struct err err;

	assert_false(load("[upstream a]\nurl = ftp://a/{path}\n", &config, &faults, &err));
	assert_int_equal(strncmp(buffer_string(&faults), "2: url: ", 8), 0);
}

static void test_long_lines(void **state)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_BUFFER struct buffer faults = {0};
	struct config *config = NULL;
	struct err err;

	buffer_add_string(&text, "[mirror]\nallow = ");
	for (int i = 0; i < 400; i++)
		buffer_add_string(&text, "google/*,");
	buffer_add_string(&text, "\noffline = on\n");
	assert_false(load(buffer_string(&text), &config, &faults, &err));
	assert_int_equal(strncmp(buffer_string(&faults), "2: this line has more than ", 27), 0);
	assert_null(strstr(buffer_string(&faults), "3:"));
}

static void test_missing_file(void **state)
{
	AUTO_BUFFER struct buffer faults = {0};
	struct config *config = NULL;
	struct err err;

	assert_false(config_load("/nonexistent/larder.ini", &config, &faults, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_string_equal(buffer_string(&faults), "");
}

static void test_set_for_the_command_line(void **state)
{
	AUTO_CONFIG struct config *config = config_create();
	struct err err;

	assert_true(config_set(config, "server", "listen", "0.0.0.0:0", &err));
	assert_string_equal(config->server.listen, "0.0.0.0:0");
	assert_false(config_set(config, "server", "listen", "nowhere", &err));
	assert_string_equal(config->server.listen, "0.0.0.0:0");
	assert_false(config_set(config, "server", "liste", "x:1", &err));
	assert_false(config_set(config, "upstream", "url", "http://a/{path}", &err));
}

/* ---- the environment ---- */

/* LARDER_SECTION_KEY, with the name of a section in between. */
static void spell(const char *section, const char *name, const char *key, char *out, size_t size)
{
	(void)snprintf(out, size, "LARDER_%s%s%s_%s", section, *name ? "_" : "", name, key);
	for (char *c = out; *c; c++)
		*c = (char)toupper((unsigned char)*c);
}

/* A value that it takes, another than its default where there is one. */
static const char *value_for(const struct key *key, char *number, size_t size)
{
	if (strcmp(key->name, "kind") == 0)
		return key->initial;
	if (key->choices)
		return key->choices[1];
	if (key->max <= key->min)
		return key->initial;
	(void)snprintf(number, size, "%lld", (long long)key->min + 1);
	return number;
}

static struct config *must_read_environment(void)
{
	AUTO_BUFFER struct buffer faults = {0};
	struct config *config = NULL;
	size_t count = 0;
	struct err err;

	assert_true(config_read(NULL, &config, &faults, &count, &err));
	if (count)
		fail_msg("%s", buffer_string(&faults));
	return config;
}

static bool is_set_by(const struct config *config, const char *by)
{
	for (size_t i = 0; i < config->setting_count; i++) {
		if (strcmp(config->settings[i].by, by) == 0)
			return true;
	}
	return false;
}

static void check_key(const struct key *key, const char *name, const char *rest)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_CONFIG struct config *by_file = NULL;
	AUTO_CONFIG struct config *by_variable = NULL;
	AUTO_CONFIG struct config *over_file = NULL;
	char variable[128], number[32];
	const char *value = value_for(key, number, sizeof number);

	buffer_printf(
		&text, "[%s%s%s]\n%s = %s\n%s", key->section, *name ? " " : "", name, key->name, value, rest);
	by_file = must_load(buffer_string(&text));
	spell(key->section, name, key->name, variable, sizeof variable);
	assert_int_equal(setenv(variable, value, 1), 0);
	by_variable = must_read_environment();
	assert_same_config(by_file, by_variable);
	assert_true(is_set_by(by_variable, variable));
	buffer_finish(&text);
	buffer_printf(&text, "[%s%s%s]\n%s = %s\n%s", key->section, *name ? " " : "", name, key->name,
		key->initial, rest);
	over_file = must_load(buffer_string(&text));
	assert_same_config(by_file, over_file);
	assert_int_equal(unsetenv(variable), 0);
}

static void test_every_key_by_environment(void **state)
{
	for (size_t i = 0; i < CONFIG_KEY_COUNT; i++)
		check_key(&config_keys[i], "", "");
	assert_int_equal(setenv("LARDER_UPSTREAM_A_URL", "https://a.example/{path}?{query}", 1), 0);
	for (size_t i = 1; i < UPSTREAM_KEY_COUNT; i++)
		check_key(&upstream_keys[i], "a", "url = https://a.example/{path}?{query}\n");
	assert_int_equal(unsetenv("LARDER_UPSTREAM_A_URL"), 0);
}

static void test_variables_that_are_none(void **state)
{
	static const struct {
		const char *name;
		const char *value;
		const char *fault; /* "": it is passed over */
	} cases[] = {
		{"LARDER_SERVER", "http://x", ""},
		{"LARDER_TOKEN", "x", ""},
		{"LARDER_PORT", "tcp://10.0.0.1:80", ""},
		{"LARDER_STORE_SERVICE_HOST", "10.0.0.1", ""},
		{"LARDER_STORE_PORT_80_TCP_ADDR", "10.0.0.1", ""},
		{"LARDER_UPSTREAM_SERVICE_HOST", "10.0.0.1", ""},
		{"LARDER_UPSTREAM_PORT", "tcp://10.0.0.1:80", ""},
		{"LARDER_SOMETHING_ELSE", "x", ""},
		{"larder_log_level", "x", ""},
		{"LARDER_LOG_LEVELS", "debug",
			"LARDER_LOG_LEVELS: no key of the configuration is called so; did you mean "
			"LARDER_LOG_LEVEL?\n"},
		{"LARDER_OFFLINE", "on",
			"LARDER_OFFLINE: no key of the configuration is called so; did you mean "
			"LARDER_MIRROR_OFFLINE?\n"},
		{"LARDER_SERVR_LISTEN", "x",
			"LARDER_SERVR_LISTEN: no key of the configuration is called so; did you mean "
			"LARDER_SERVER_LISTEN?\n"},
		{"LARDER_UPSTREAM_URL", "x",
			"LARDER_UPSTREAM_URL: no key of the configuration is called so (LARDER_SECTION_KEY, "
			"LARDER_UPSTREAM_NAME_KEY)\n"},
		{"LARDER_UPSTREAM_A_MATCH", "x", "LARDER_UPSTREAM_A_URL: [upstream a] has no url\n"},
		{"LARDER_WEBHOOK_A_B_URL", "http://x/",
			"LARDER_WEBHOOK_A_B_SECRET_FILE: [webhook a_b] has no secret_file\n"},
		{"LARDER_upstream_a_match", "x", "LARDER_UPSTREAM_A_URL: [upstream a] has no url\n"},
		{"LARDER_webhook_a_url", "http://x/",
			"LARDER_WEBHOOK_A_SECRET_FILE: [webhook a] has no secret_file\n"},
		{"LARDER_UPSTREAM_A_B_URL", "http://x/",
			"LARDER_UPSTREAM_A_B_URL: An upstream's url names {path}, or {handle} and {version}: "
			"else all modules would be one.\n"},
		{"LARDER_SERVER_TLS_KEY", "k.pem",
			"LARDER_SERVER_TLS_KEY: tls_key needs tls_certificate as well\n"},
		{"LARDER_SERVER_TLS_CERTIFICATE", "c.pem",
			"LARDER_SERVER_TLS_CERTIFICATE: tls_certificate needs tls_key as well\n"},
		{"LARDER_STORE_KIND", "s3", "LARDER_STORE_KIND: kind = s3 needs bucket as well\n"},
		{"LARDER_LOG_LEVEL", "a\nb", "LARDER_LOG_LEVEL: level is one line\n"},
		{"LARDER_LOG_LEVEL", "loud",
			"LARDER_LOG_LEVEL: level takes one of error, warn, notice, info, debug, not "
			"\"loud\"\n"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_BUFFER struct buffer faults = {0};
		AUTO_CONFIG struct config *config = NULL;
		size_t count = 0;
		struct err err;

		assert_int_equal(setenv(cases[i].name, cases[i].value, 1), 0);
		assert_true(config_read(NULL, &config, &faults, &count, &err));
		assert_string_equal(buffer_string(&faults), cases[i].fault);
		assert_int_equal(count, *cases[i].fault != '\0');
		if (!*cases[i].fault)
			assert_int_equal(config->upstream_count, 2); /* the defaults */
		assert_int_equal(unsetenv(cases[i].name), 0);
	}
}

/* As if it stood behind the file. */
static void test_upstreams_by_environment(void **state)
{
	AUTO_CONFIG struct config *alone = NULL;
	AUTO_CONFIG struct config *both = NULL;

	assert_int_equal(setenv("LARDER_UPSTREAM_TF_HUB_URL", "https://a.example/{path}?{query}", 1), 0);
	alone = must_read_environment();
	assert_int_equal(alone->upstream_count, 1);
	assert_string_equal(alone->upstreams[0].name, "tf_hub");
	assert_int_equal(setenv("LARDER_UPSTREAM_Z_KIND", "kaggle", 1), 0);
	both = must_load("[upstream tf.hub]\nurl = https://b.example/{path}?{query}\n");
	assert_int_equal(both->upstream_count, 2);
	assert_string_equal(both->upstreams[0].name, "tf.hub");
	assert_string_equal(both->upstreams[0].url, "https://a.example/{path}?{query}");
	assert_string_equal(both->upstreams[1].name, "z");
	assert_non_null(both->upstreams[1].url);
	assert_int_equal(unsetenv("LARDER_UPSTREAM_TF_HUB_URL") + unsetenv("LARDER_UPSTREAM_Z_KIND"), 0);
}

/* What belongs together may come from both; what is wrong in one alone is told once. */
static void test_the_whole_is_judged_with_the_environment(void **state)
{
	static const struct {
		const char *text;
		const char *name;
		const char *value;
		const char *faults;
	} cases[] = {
		{"[webhook c.i]\nurl = http://x.example/\n", "LARDER_WEBHOOK_C_I_SECRET_FILE", "/s", ""},
		{"[upstream a]\nmatch = x/*\n", "LARDER_UPSTREAM_A_URL", "http://x.example/{path}", ""},
		{"[upstream a]\nmatch = x/*\n", "LARDER_UPSTREAM_A_KIND", "kaggle", ""},
		{"[upstream a]\nmatch = x/*\n", "LARDER_UPSTREAM_A_PROXY", "none",
			"LARDER_UPSTREAM_A_URL: [upstream a] has no url\n"},
		{"[upstream a]\nmatch = x/*\n", "LARDER_UPSTREAM_B_URL", "http://x.example/{path}",
			"1: [upstream a] has no url\n"},
		{"[store]\nbucket = a.b.c\npath_style = off\n", "LARDER_STORE_KIND", "s3",
			"3: a bucket with a \".\" in its name cannot stand before a host's name: path_style "
			"= "
			"on\n"},
	};
	AUTO_CONFIG struct config *config = NULL;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_BUFFER struct buffer faults = {0};
		AUTO_CONFIG struct config *loaded = NULL;
		struct err err;

		assert_int_equal(setenv(cases[i].name, cases[i].value, 1), 0);
		assert_int_equal(load(cases[i].text, &loaded, &faults, &err), !*cases[i].faults);
		assert_string_equal(buffer_string(&faults), cases[i].faults);
		assert_int_equal(unsetenv(cases[i].name), 0);
	}
	assert_int_equal(setenv("LARDER_SERVER_TLS_KEY", "/k.pem", 1), 0);
	config = must_load("[server]\ntls_certificate = /c.pem\n");
	assert_string_equal(config->server.tls_key, "/k.pem");
	assert_int_equal(unsetenv("LARDER_SERVER_TLS_KEY"), 0);
}

/* Takes the "#" from every line that is a key or a section when it is left out. */
static void uncomment(const char *text, struct buffer *out)
{
	for (; *text; text += strcspn(text, "\n") + 1) {
		const char *line = text[0] == '#' && (islower((unsigned char)text[1]) || text[1] == '[')
					   ? text + 1
					   : text;

		buffer_add(out, line, strcspn(line, "\n") + 1);
	}
}

static void test_example_shows_the_defaults(void **state)
{
	AUTO_BUFFER struct buffer example = {0};
	AUTO_BUFFER struct buffer uncommented = {0};
	AUTO_CONFIG struct config *defaults = config_create();
	AUTO_CONFIG struct config *loaded = NULL;
	AUTO_CONFIG struct config *as_it_is = NULL;

	config_write_example(&example);
	as_it_is = must_load(buffer_string(&example));
	assert_same_config(defaults, as_it_is);
	uncomment(buffer_string(&example), &uncommented);
	loaded = must_load(buffer_string(&uncommented));
	assert_same_config(defaults, loaded);
	for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		assert_non_null(config_keys[i].name);
		assert_non_null(strstr(buffer_string(&example), config_keys[i].purpose));
	}
}

/* The file in the root is the function's text: tests run there. LARDER_WRITE_EXAMPLE=1 writes it anew. */
static void test_example_file_is_current(void **state)
{
	AUTO_BUFFER struct buffer example = {0};
	AUTO_BUFFER struct buffer file = {0};
	const char *path = getenv("LARDER_EXAMPLE") ? getenv("LARDER_EXAMPLE") : "config.example.ini";
	struct err err;

	config_write_example(&example);
	if (getenv("LARDER_WRITE_EXAMPLE")) {
		FILE *out = fopen(path, "w");

		assert_non_null(out);
		assert_true(fputs(buffer_string(&example), out) >= 0);
		assert_int_equal(fclose(out), 0);
	}
	assert_true(file_read_all(path, 1 << 20, &file, &err));
	assert_string_equal(buffer_string(&example), buffer_string(&file));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_kind_of_value),
		cmocka_unit_test(test_upstreams_replace_the_defaults),
		cmocka_unit_test(test_faults_name_their_lines),
		cmocka_unit_test(test_wrong_templates_are_faults),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_missing_file),
		cmocka_unit_test(test_set_for_the_command_line),
		cmocka_unit_test(test_every_key_by_environment),
		cmocka_unit_test(test_variables_that_are_none),
		cmocka_unit_test(test_upstreams_by_environment),
		cmocka_unit_test(test_the_whole_is_judged_with_the_environment),
		cmocka_unit_test(test_example_shows_the_defaults),
		cmocka_unit_test(test_example_file_is_current),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
