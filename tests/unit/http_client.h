/* SPDX-License-Identifier: Apache-2.0
 *
 * A plain HTTP client over a socket for tests: it shows what was really on the wire. Include after cmocka.h.
 */
#ifndef TESTS_UNIT_HTTP_CLIENT_H
#define TESTS_UNIT_HTTP_CLIENT_H

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/buffer.h"

struct client {
	int fd;
	struct buffer in; /* received, not yet understood */
	size_t used;
};

struct answer {
	int status;
	char head[4096];
	struct buffer body;
	bool complete; /* the body ended as its head promised */
};

static struct client client_open(const char *url)
{
	const struct timeval patience = {.tv_sec = 300};
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct client client = {.fd = socket(AF_INET, SOCK_STREAM, 0)};

	address.sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1));
	(void)setsockopt(client.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (connect(client.fd, (struct sockaddr *)&address, sizeof address) != 0) {
		(void)close(client.fd);
		client.fd = -1;
	}
	return client;
}

static void client_close(struct client *client)
{
	if (client->fd >= 0)
		(void)close(client->fd);
	buffer_finish(&client->in);
}

static void client_send(struct client *client, const char *text)
{
	size_t length = strlen(text);

	assert_int_equal(send(client->fd, text, length, MSG_NOSIGNAL), (ssize_t)length);
}

/* Receives some more; false at the end, with errno 0 for an orderly one. */
static bool client_receive(struct client *client)
{
	char bytes[16 << 10];
	ssize_t got = recv(client->fd, bytes, sizeof bytes, 0);

	if (got > 0)
		buffer_add(&client->in, bytes, (size_t)got);
	else if (got == 0)
		errno = 0;
	return got > 0;
}

/* Waits until this text has come and steps over it; what stood before it is copied to out. */
static bool client_read_until(struct client *client, const char *end, char *out, size_t size)
{
	const char *found;

	while (!(found = strstr(buffer_string(&client->in) + client->used, end))) {
		if (!client_receive(client))
			return false;
	}
	(void)snprintf(out, size, "%.*s", (int)(found - (client->in.data + client->used)),
		client->in.data + client->used);
	client->used = (size_t)(found - client->in.data) + strlen(end);
	return true;
}

static bool client_read_bytes(struct client *client, size_t length, struct buffer *out)
{
	while (client->in.length - client->used < length) {
		if (!client_receive(client))
			return false;
	}
	buffer_add(out, client->in.data ? client->in.data + client->used : "", length);
	client->used += length;
	return true;
}

static bool client_read_chunks(struct client *client, struct buffer *out)
{
	char line[64];
	size_t length;

	do {
		if (!client_read_until(client, "\r\n", line, sizeof line))
			return false;
		length = strtoul(line, NULL, 16);
		if (!client_read_bytes(client, length, out) ||
			!client_read_until(client, "\r\n", line, sizeof line))
			return false;
	} while (length > 0);
	return true;
}

/* A header's value, or NULL. */
static const char *answer_header(const struct answer *answer, const char *name)
{
	static char value[512];

	for (const char *line = strchr(answer->head, '\n'); line; line = strchr(line + 1, '\n')) {
		if (strncasecmp(line + 1, name, strlen(name)) == 0 && line[1 + strlen(name)] == ':') {
			line += strlen(name) + 3;
			(void)snprintf(value, sizeof value, "%.*s", (int)strcspn(line, "\r\n"), line);
			return value;
		}
	}
	return NULL;
}

static bool answer_has(const struct answer *answer, const char *name, const char *value)
{
	const char *found = answer_header(answer, name);

	return found && strcmp(found, value) == 0;
}

/* Reads one answer; body tells whether one is due (not to HEAD). */
static struct answer client_read(struct client *client, bool body)
{
	struct answer answer = {0};
	const char *length;

	/* A long body on a kept connection would be copied again and again. */
	if (client->used == client->in.length)
		buffer_finish(&client->in), client->used = 0;
	if (!client_read_until(client, "\r\n\r\n", answer.head, sizeof answer.head))
		return answer;
	answer.status = atoi(answer.head + strlen("HTTP/1.1 "));
	if (!body || answer.status == 304 || answer.status == 204 || answer.status < 200) {
		answer.complete = true;
	} else if (answer_header(&answer, "Transfer-Encoding")) {
		answer.complete = client_read_chunks(client, &answer.body);
	} else if ((length = answer_header(&answer, "Content-Length"))) {
		answer.complete = client_read_bytes(client, strtoul(length, NULL, 10), &answer.body);
	}
	return answer;
}

static void answer_finish(struct answer *answer)
{
	buffer_finish(&answer->body);
}

/* Sends one request and reads its status; the rest is let go. */
static int client_ask(struct client *client, const char *request)
{
	struct answer answer;
	int status;

	client_send(client, request);
	answer = client_read(client, strncmp(request, "HEAD ", 5) != 0);
	status = answer.complete ? answer.status : -1;
	answer_finish(&answer);
	return status;
}

#endif
