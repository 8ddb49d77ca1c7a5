/* SPDX-License-Identifier: Apache-2.0
 *
 * An HTTP server for tests, a thread a connection, that says whatever its script says: it can stall, cut and
 * lie. Include after cmocka.h. */
#ifndef TESTS_UNIT_SCRIPTED_SERVER_H
#define TESTS_UNIT_SCRIPTED_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/own.h"
#include "tests/unit/held.h"

enum { CONNECTIONS_MAX = 128 };

struct server;

/* Answers one request on its connection's own thread; tells whether the connection lives on. */
typedef bool server_answer(struct server *server, int fd, const char *request);

struct server {
	pthread_mutex_t mutex; /* guards everything below up to the blank line */
	int listener;
	int port;
	int accepted;
	int requests;
	int fds[CONNECTIONS_MAX];
	pthread_t threads[CONNECTIONS_MAX];
	char last_request[4096];

	pthread_t thread;
	server_answer *answer;
	void *context;
};

struct connection {
	struct server *server;
	int fd;
};

static void send_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		bytes += sent;
		length -= (size_t)sent;
	}
}

static void say(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(int fd, const char *format, ...)
{
	char text[2048];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	send_all(fd, text, strlen(text));
}

static void note_request(struct server *server, const char *request)
{
	HELD(&server->mutex);

	(void)snprintf(server->last_request, sizeof server->last_request, "%s", request);
	server->requests++;
}

static void *serve_connection(void *argument)
{
	struct connection connection = *(struct connection *)argument;
	char request[4096];
	size_t length = 0;
	bool alive = true;

	free(argument);
	while (alive) {
		ssize_t got = recv(connection.fd, request + length, sizeof request - 1 - length, 0);

		if (got <= 0)
			break;
		length += (size_t)got;
		request[length] = '\0';
		if (strstr(request, "\r\n\r\n")) {
			note_request(connection.server, request);
			alive = connection.server->answer(connection.server, connection.fd, request);
			length = 0;
		}
	}
	(void)shutdown(connection.fd, SHUT_RDWR);
	return NULL;
}

static void *serve(void *argument)
{
	struct server *server = argument;

	for (;;) {
		int fd = accept(server->listener, NULL, NULL);
		struct connection *connection;

		/* A test may take all descriptors of this process for a while. */
		if (fd < 0 && errno == EMFILE)
			continue;
		if (fd < 0)
			return NULL;
		connection = mem_zero(1, sizeof *connection);
		*connection = (struct connection){.server = server, .fd = fd};
		HELD(&server->mutex);
		assert_true(server->accepted < CONNECTIONS_MAX);
		server->fds[server->accepted] = fd;
		assert_int_equal(pthread_create(&server->threads[server->accepted], NULL, serve_connection,
					 connection),
			0);
		server->accepted++;
	}
}

static struct server *start_server(server_answer *answer, void *context)
{
	struct server *server = mem_zero(1, sizeof *server);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;

	(void)pthread_mutex_init(&server->mutex, NULL);
	server->answer = answer;
	server->context = context;
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(server->listener, 128), 0);
	assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
	server->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
	return server;
}

static void stop_server(struct server *server)
{
	(void)shutdown(server->listener, SHUT_RDWR);
	(void)pthread_join(server->thread, NULL);
	for (int i = 0; i < server->accepted; i++) {
		(void)shutdown(server->fds[i], SHUT_RDWR);
		(void)pthread_join(server->threads[i], NULL);
		(void)close(server->fds[i]);
	}
	(void)close(server->listener);
	(void)pthread_mutex_destroy(&server->mutex);
	free(server);
}

static inline int requests_to(struct server *server)
{
	HELD(&server->mutex);
	return server->requests;
}

static inline int accepted_by(struct server *server)
{
	HELD(&server->mutex);
	return server->accepted;
}

static inline bool last_request_has(struct server *server, const char *text)
{
	HELD(&server->mutex);
	return strcasestr(server->last_request, text) != NULL;
}

#endif
