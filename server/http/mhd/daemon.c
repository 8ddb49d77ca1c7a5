/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/mhd/daemon.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

enum {
	OPTIONS_MAX = 8,
	FLAGS = MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET |
		MHD_USE_EPOLL_INTERNAL_THREAD
};

/* request_set_target decodes, since it must see what was sent. */
static size_t keep_escapes(void *argument, struct MHD_Connection *connection, char *text)
{
	return strlen(text);
}

static void on_log(void *argument, const char *format, va_list args)
{
	char text[240];

	if (!log_enabled(LOG_LEVEL_DEBUG))
		return;
	(void)vsnprintf(text, sizeof text, format, args);
	text[strcspn(text, "\r\n")] = '\0';
	log_event(LOG_LEVEL_DEBUG, "connection", "text", text, NULL);
}

/* Whatever it is, the library cannot go on. */
static void on_panic(void *argument, const char *file, unsigned line, const char *reason)
{
	char place[160];

	(void)snprintf(place, sizeof place, "%s:%u", file ? file : "?", line);
	log_event(LOG_LEVEL_ERROR, "libmicrohttpd cannot go on", "why", reason, "place", place, NULL);
	abort();
}

struct options {
	struct MHD_OptionItem items[OPTIONS_MAX];
	size_t count;
};

static void add(struct options *options, enum MHD_OPTION option, intptr_t value, const char *text)
{
	options->items[options->count++] = (struct MHD_OptionItem){option, value, (void *)text};
}

static void add_all(struct options *options, const struct front_settings *settings)
{
	/* The acceptor counts; libmicrohttpd would divide it by threads. */
	add(options, MHD_OPTION_CONNECTION_LIMIT, (intptr_t)settings->max_connections * settings->threads,
		NULL);
	add(options, MHD_OPTION_CONNECTION_TIMEOUT, settings->idle_timeout_s, NULL);
	/* One thread is no pool, says libmicrohttpd. */
	if (settings->threads > 1)
		add(options, MHD_OPTION_THREAD_POOL_SIZE, settings->threads, NULL);
	add(options, MHD_OPTION_END, 0, NULL);
}

bool daemon_start(struct daemon *daemon, const struct front_settings *settings, size_t connection_memory,
	const struct daemon_hooks *hooks, struct err *err)
{
	struct options options = {.count = 0};
	void *context = hooks->context;

	MHD_set_panic_func(on_panic, NULL);
	add(&options, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)connection_memory, NULL);
	add_all(&options, settings);
	/* The logger comes first, so that complaints about the other options reach it. */
	daemon->threads = MHD_start_daemon(FLAGS, 0, NULL, NULL, hooks->access, context,
		MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_URI_LOG_CALLBACK, hooks->target, context,
		MHD_OPTION_NOTIFY_COMPLETED, hooks->completed, context, MHD_OPTION_NOTIFY_CONNECTION,
		hooks->connection, context, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
		MHD_OPTION_ARRAY, options.items, MHD_OPTION_END);
	return daemon->threads ||
	       err_set(err, ERR_INTERNAL, "the HTTP server does not start at %s", settings->listen);
}

bool daemon_take(struct daemon *daemon, int fd, const struct sockaddr_storage *address)
{
	return MHD_add_connection(daemon->threads, fd, (const struct sockaddr *)address, sizeof *address) ==
	       MHD_YES;
}

void daemon_stop(struct daemon *daemon)
{
	if (daemon->threads)
		MHD_stop_daemon(daemon->threads);
	*daemon = (struct daemon){0};
}
