/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/app.h"
#include "server/command/bucket_proof.h"
#include "server/command/command.h"
#include "server/command/service_manager.h"
#include "server/config_environment.h"
#include "server/config_files.h"
#include "server/config_settings.h"
#include "server/upstream/s3/bucket.h"

enum { ARENAS = 4, LARGE_BYTES = 128 << 10 };

struct options {
	struct place_options place;
	const char *listen;
	bool offline;
	bool check;
};

/* Whether a daemon can use the files that the configuration names. */
static bool check_files(const struct config *config, struct err *err)
{
	AUTO_BUFFER struct buffer faults = {0};
	bool sound = config_check_files(config, &faults, err);

	log_lines(LOG_LEVEL_ERROR, buffer_string(&faults));
	return sound;
}

/* What the command line says over the file. */
static bool override(struct config *config, const struct options *options, struct err *err)
{
	return (!options->listen || config_set(config, "server", "listen", options->listen, err)) &&
	       (!options->offline || config_set(config, "mirror", "offline", "on", err));
}

/* Faults of the file and of those that it names are told at once. */
static bool check_all(
	const struct config *config, const struct options *options, size_t faults, struct err *err)
{
	struct err file;

	if (faults == 0)
		return check_files(config, err);
	(void)config_refuse(options->place.config, faults, &file);
	return check_files(config, err) ? err_set(err, file.code, "%s", file.text)
					: err_prefix(err, "%s, and ", file.text);
}

/* Where a daemon starts, its faults are told as its configuration wants the log, as far as it could be read.
 */
static bool load(const struct options *options, bool starts, struct config **out, struct err *err)
{
	AUTO_CONFIG struct config *config = NULL;
	AUTO_BUFFER struct buffer faults = {0};
	size_t count = 0;

	if (!command_read_config(&options->place, &config, &faults, &count, err))
		return false;
	if (starts)
		log_configure(config->log.level, config->log.format);
	log_lines(LOG_LEVEL_ERROR, buffer_string(&faults));
	if (!override(config, options, err) || !check_all(config, options, count, err) ||
		!config_read_map(config, err))
		return false;
	*out = TAKE(config);
	return true;
}

static void note_idle_places(const struct config *config)
{
	int64_t connections = 0;

	for (size_t i = 0; i < config->upstream_count; i++)
		connections += config->upstreams[i].max_connections;
	if (connections < config->mirror.max_fills)
		(void)fprintf(stderr,
			"note: mirror.max_fills is %" PRId64 ", but the max_connections of all upstreams are "
			"%" PRId64 ": never more than that are fetched at once; raise the one or lower the "
			"other\n",
			config->mirror.max_fills, connections);
}

/* Whose names are whose, which nobody wants to learn from a refusal. */
static void note_names(const struct config *config)
{
	if (config->publish.namespaces)
		(void)fprintf(stderr, "note: no upstream is asked for %s (publish.namespaces)\n",
			config->publish.namespaces);
	if (config->publish.shadow)
		(void)fprintf(stderr,
			"note: %s may be published although an upstream has it too (publish.shadow)\n",
			config->publish.shadow);
}

static void note_variables(void)
{
	AUTO_BUFFER struct buffer notes = {0};

	environment_note_unknown(&notes);
	(void)fputs(buffer_string(&notes), stderr);
}

/* As the daemon would find it, and what it would only warn of. */
static int check(const struct config *config)
{
	AUTO_BUFFER struct buffer settings = {0};
	struct err err;

	note_idle_places(config);
	note_names(config);
	note_variables();
	settings_write(config, &settings);
	(void)fputs(buffer_string(&settings), stdout);
	if (!config_check_dates(config, &err))
		return command_fail(&err);
	(void)puts("the configuration is sound");
	return COMMAND_DONE;
}

/* The digest of the file as it was read, with what the command line says over it; "" for the defaults. free()
 * it. */
static char *tell_configuration(const struct config *config, const struct options *options)
{
	AUTO_FREE char *listen = options->listen ? mem_printf(", --listen %s", options->listen) : mem_dup("");
	const char *offline = options->offline ? ", --offline" : "";
	AUTO_BUFFER struct buffer variables = {0};

	environment_tell(config, &variables);
	return options->place.config ? mem_printf("sha256:%s%s%s%s", config->file.hex,
					       buffer_string(&variables), offline, listen)
				     : mem_printf("%s%s%s", buffer_string(&variables), offline, listen);
}

static void tell_serving(const struct app *app)
{
	AUTO_FREE char *status = mem_printf("serving on %s", app_url(app));

	service_manager_tell_ready(status);
}

/* The daemon serves on as before, which is why it is ready. */
static void tell_fault(const struct err *why)
{
	AUTO_FREE char *status = mem_printf("the configuration is not reloaded: %s", why->text);

	log_event(LOG_LEVEL_ERROR, "the configuration is not reloaded", "why", why->text, NULL);
	service_manager_tell_ready(status);
}

static void reload(struct app *app, const struct options *options)
{
	AUTO_CONFIG struct config *config = NULL;
	AUTO_FREE char *digest = NULL;
	struct err err;

	service_manager_tell_reloading();
	if (load(options, false, &config, &err)) {
		digest = tell_configuration(config, options);
		if (app_reload(app, config, options->place.config, digest, &err)) {
			log_event(LOG_LEVEL_NOTICE, "reloaded", "offline",
				config->mirror.offline ? "on" : "off", NULL);
			tell_serving(app);
			return;
		}
	}
	tell_fault(&err);
}

/* Signals are taken here, one after the other, and by no other thread. */
static void await_end(struct app *app, const struct options *options, const sigset_t *signals)
{
	int signal = 0;

	while (sigwait(signals, &signal) != 0 || signal == SIGHUP) {
		if (signal == SIGHUP)
			reload(app, options);
	}
	log_event(LOG_LEVEL_NOTICE, "stopping", NULL);
	service_manager_tell_stopping();
}

/* Balancers look at /readyz meanwhile. Whoever asks a second time for the end does not wait for them. */
static void let_balancers_notice(struct app *app, int64_t delay_s, const sigset_t *signals)
{
	int64_t until_ms = clock_monotonic_ms() + 1000 * delay_s;
	int64_t left_ms = 1000 * delay_s;
	int signal = SIGHUP;

	app_announce_end(app);
	for (; left_ms > 0 && signal != SIGTERM && signal != SIGINT;
		left_ms = until_ms - clock_monotonic_ms()) {
		const struct timespec left = {left_ms / 1000, left_ms % 1000 * 1000000};

		signal = sigtimedwait(signals, NULL, &left);
	}
}

static void block_signals(sigset_t *out)
{
	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigemptyset(out);
	(void)sigaddset(out, SIGTERM);
	(void)sigaddset(out, SIGINT);
	(void)sigaddset(out, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, out, NULL);
}

/* Each connection, download and fill takes a descriptor; the usual soft limit of 1024 is for programs that
 * use select. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Freed memory goes back to the system: a burst of large modules is no reason to stay large. Few arenas,
 * since each keeps what its threads once needed; and what is large stands on its own, whatever was freed
 * before. */
static void give_memory_back(void)
{
	(void)mallopt(M_ARENA_MAX, ARENAS);
	(void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	(void)mallopt(M_TRIM_THRESHOLD, LARGE_BYTES);
}

/* Nobody may be there to read it: that is no reason to end in failure. */
static void print_address(const struct app *app)
{
	log_event(LOG_LEVEL_NOTICE, "listening", "url", app_url(app), "version", LARDER_VERSION, NULL);
	(void)printf("listening on %s\n", app_url(app));
	if (fflush(stdout) != 0 && !freopen("/dev/null", "w", stdout))
		log_event(LOG_LEVEL_WARN, "standard output cannot be written", NULL);
}

static int serve(const struct config *config, struct bucket *bucket, const struct options *options)
{
	AUTO_FREE char *digest = tell_configuration(config, options);
	AUTO_APP struct app *app = NULL;
	sigset_t signals;
	struct err err;

	if (!config_check_dates(config, &err))
		log_event(LOG_LEVEL_WARN, "clients will refuse the certificate", "why", err.text, NULL);
	/* Before any thread is made, so that all of them leave the signals to this one. */
	block_signals(&signals);
	raise_descriptor_limit();
	give_memory_back();
	if (!app_open(config, bucket, &app, &err)) {
		(void)command_fail(&err);
		return err.code == ERR_CONFLICT ? COMMAND_MISCONFIGURED : COMMAND_FAILED;
	}
	/* A full disk is no reason not to serve: the next start writes it down. */
	if (!app_note_configuration(app, options->place.config, digest, &err))
		log_event(LOG_LEVEL_WARN, "the configuration is not in the audit log", "why", err.text, NULL);
	tell_serving(app);
	print_address(app);
	await_end(app, options, &signals);
	let_balancers_notice(app, config->server.drain_delay_s, &signals);
	return COMMAND_DONE;
}

static int serve_what_is_configured(const struct config *config, const struct options *options)
{
	AUTO_BUCKET struct bucket *bucket =
		config->store.kind == STORE_S3 ? bucket_create(&config->store.bucket) : NULL;
	int status = bucket ? bucket_proof_run(bucket) : COMMAND_DONE;

	return status == COMMAND_DONE ? serve(config, bucket, options) : status;
}

/* ---- the command ---- */

static int run(void *values, int count, char **words)
{
	const struct options *options = values;
	AUTO_CONFIG struct config *config = NULL;
	struct err err;

	if (count > 0)
		return command_misuse("serve", "serve takes options only, not \"%s\"", *words);
	if (!load(options, !options->check, &config, &err)) {
		(void)command_fail(&err);
		return options->check ? COMMAND_FAILED : COMMAND_MISCONFIGURED;
	}
	return options->check ? check(config) : serve_what_is_configured(config, options);
}

static const struct option_row rows[] = {
	{"config", 0, "FILE", TEXT_INTO(struct options, place.config),
		"read this configuration; without one the defaults count"},
	{"listen", 0, "ADDRESS:PORT", TEXT_INTO(struct options, listen),
		"listen there; port 0 takes a free one (default: 127.0.0.1:8080)"},
	{"data", 0, "DIR", TEXT_INTO(struct options, place.data),
		"keep everything in this folder (default: larder-data)"},
	{"offline", 0, NULL, FLAG_INTO(struct options, offline), "never ask an upstream"},
	{"check", 0, NULL, FLAG_INTO(struct options, check),
		"read the configuration, report all of its faults, and end"},
	{0},
};

const struct command command_serve = {
	.name = "serve",
	.summary = "run the daemon",
	.forms = {""},
	.statuses =
		"78 where the configuration has faults, its bucket cannot be trusted, or the data folder has "
		"modules that the bucket may not have: to start again without a change is in vain.",
	.remarks = "Serves, mirrors and takes modules. Prints \"listening on http://...\" once it is ready.",
	.groups = {{rows, 0}},
	.options_size = sizeof(struct options),
	.run = run,
};
