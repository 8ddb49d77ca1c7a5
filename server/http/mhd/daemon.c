/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/mhd/daemon.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/file.h"
#include "common/log.h"

enum { PEM_MAX = 1 << 20, OPTIONS_MAX = 16 };

/* AES-GCM first, and the server's order: what the processor does fastest. */
static const char tls_priorities[] =
	"NORMAL:%SERVER_PRECEDENCE:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305";

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

static bool read_tls_files(struct daemon *daemon, const struct front_settings *settings, struct err *err)
{
	return !settings->tls_certificate ||
	       (file_read_all(settings->tls_certificate, PEM_MAX, &daemon->certificate, err) &&
		       file_read_all(settings->tls_key, PEM_MAX, &daemon->key, err));
}

/* epoll with TLS would burn a core whenever a client stalls in its handshake. */
static unsigned flags_of(const struct front_settings *settings)
{
	unsigned flags =
		MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET;

	return flags | (settings->tls_certificate ? MHD_USE_TLS | MHD_USE_POLL_INTERNAL_THREAD
						  : MHD_USE_EPOLL_INTERNAL_THREAD);
}

struct options {
	struct MHD_OptionItem items[OPTIONS_MAX];
	size_t count;
};

static void add(struct options *options, enum MHD_OPTION option, intptr_t value, const char *text)
{
	options->items[options->count++] = (struct MHD_OptionItem){option, value, (void *)text};
}

static void add_all(
	struct options *options, const struct daemon *daemon, const struct front_settings *settings)
{
	/* The acceptor counts; libmicrohttpd would divide it by threads. */
	add(options, MHD_OPTION_CONNECTION_LIMIT, (intptr_t)settings->max_connections * settings->threads,
		NULL);
	add(options, MHD_OPTION_CONNECTION_TIMEOUT, settings->idle_timeout_s, NULL);
	/* One thread is no pool, says libmicrohttpd. */
	if (settings->threads > 1)
		add(options, MHD_OPTION_THREAD_POOL_SIZE, settings->threads, NULL);
	if (settings->tls_certificate) {
		add(options, MHD_OPTION_HTTPS_MEM_CERT, 0, buffer_string(&daemon->certificate));
		add(options, MHD_OPTION_HTTPS_MEM_KEY, 0, buffer_string(&daemon->key));
		add(options, MHD_OPTION_HTTPS_PRIORITIES, 0, tls_priorities);
	}
	add(options, MHD_OPTION_END, 0, NULL);
}

bool daemon_start(struct daemon *daemon, const struct front_settings *settings, size_t connection_memory,
	const struct daemon_hooks *hooks, struct err *err)
{
	struct options options = {.count = 0};
	void *context = hooks->context;

	if (!read_tls_files(daemon, settings, err))
		return false;
	add(&options, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)connection_memory, NULL);
	add_all(&options, daemon, settings);
	/* The logger comes first, so that complaints about the other options reach it. */
	daemon->threads = MHD_start_daemon(flags_of(settings), 0, NULL, NULL, hooks->access, context,
		MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_URI_LOG_CALLBACK, hooks->target, context,
		MHD_OPTION_NOTIFY_COMPLETED, hooks->completed, context, MHD_OPTION_NOTIFY_CONNECTION,
		hooks->connection, context, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
		MHD_OPTION_ARRAY, options.items, MHD_OPTION_END);
	return daemon->threads ||
	       err_set(err, ERR_INTERNAL, "the HTTP server does not start at %s%s", settings->listen,
		       settings->tls_certificate ? ": is the certificate for that key?" : "");
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
	buffer_finish(&daemon->certificate);
	buffer_finish(&daemon->key);
	*daemon = (struct daemon){0};
}
