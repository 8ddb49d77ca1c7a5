/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/invalidation.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "server/module/name.h"

enum { WAITING_MAX = 64, RINGER_PATIENCE_S = 10, HEARER_PATIENCE_S = 1, SHORTAGE_PAUSE_MS = 100 };

static const char file_name[] = "bell";

struct invalidation {
	void (*heard)(void *context, const char *label);
	void *context;
	int folder_fd;
	int listen_fd;
	int end_fd; /* an eventfd */
	pthread_t thread;
	bool running;
};

/* By way of the folder's descriptor: a socket's own path may have 107 bytes only. */
static struct sockaddr_un address_in(int folder_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	(void)snprintf(
		address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", folder_fd, file_name);
	return address;
}

static bool open_folder(const char *data_dir, int *out_fd, struct err *err)
{
	int fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "open folder %s", data_dir);
	*out_fd = fd;
	return true;
}

/* Packets, so that a label is whole or not there. */
static int make_socket(int seconds)
{
	const struct timeval patience = {.tv_sec = seconds};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd >= 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	}
	return fd;
}

/* ---- the daemon's side ---- */

static void hear(struct invalidation *invalidation, int fd)
{
	const struct timeval patience = {.tv_sec = HEARER_PATIENCE_S};
	char label[sizeof(struct name_path)];
	ssize_t length;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	length = recv(fd, label, sizeof label - 1, 0);
	if (length <= 0)
		return;
	label[length] = '\0';
	invalidation->heard(invalidation->context, label);
	(void)send(fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void *run(void *argument)
{
	struct invalidation *invalidation = argument;
	struct pollfd events[] = {{.fd = invalidation->end_fd, .events = POLLIN},
		{.fd = invalidation->listen_fd, .events = POLLIN}};

	while (poll(events, 2, -1) < 0 || events[0].revents == 0) {
		AUTO_FD int fd = accept4(invalidation->listen_fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0)
			hear(invalidation, fd);
		else /* for want of descriptors, most likely: it waits */
			(void)poll(events, 1, SHORTAGE_PAUSE_MS);
	}
	return NULL;
}

static bool listen_in(struct invalidation *invalidation, struct err *err)
{
	const struct sockaddr_un address = address_in(invalidation->folder_fd);

	/* What a killed daemon has left. */
	(void)unlinkat(invalidation->folder_fd, file_name, 0);
	if (bind(invalidation->listen_fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
		listen(invalidation->listen_fd, WAITING_MAX) < 0)
		return err_errno(err, errno, "listen at the data folder's socket \"%s\"", file_name);
	return true;
}

static bool start(struct invalidation *invalidation, struct err *err)
{
	const struct thread_plan plan = {.name = "invalidation", .run = run, .context = invalidation};

	invalidation->listen_fd = make_socket(HEARER_PATIENCE_S);
	invalidation->end_fd = eventfd(0, EFD_CLOEXEC);
	if (invalidation->listen_fd < 0 || invalidation->end_fd < 0)
		return err_errno(err, errno, "make a socket");
	if (!listen_in(invalidation, err))
		return false;
	invalidation->running = thread_start(&invalidation->thread, &plan, err);
	return invalidation->running;
}

bool invalidation_open(const char *data_dir, void (*heard)(void *context, const char *label), void *context,
	struct invalidation **out, struct err *err)
{
	AUTO_INVALIDATION struct invalidation *invalidation = mem_zero(1, sizeof *invalidation);

	*invalidation = (struct invalidation){
		.heard = heard, .context = context, .folder_fd = -1, .listen_fd = -1, .end_fd = -1};
	if (!open_folder(data_dir, &invalidation->folder_fd, err) || !start(invalidation, err))
		return false;
	*out = TAKE(invalidation);
	return true;
}

void invalidation_close(struct invalidation *invalidation)
{
	if (!invalidation)
		return;
	if (invalidation->running) {
		(void)eventfd_write(invalidation->end_fd, 1);
		thread_join(invalidation->thread);
		(void)unlinkat(invalidation->folder_fd, file_name, 0);
	}
	own_close(&invalidation->listen_fd);
	own_close(&invalidation->end_fd);
	own_close(&invalidation->folder_fd);
	free(invalidation);
}

/* ---- the others' side ---- */

/* No socket, or nobody behind it. */
static bool is_nobody(int reason)
{
	return reason == ENOENT || reason == ECONNREFUSED;
}

static bool ask(int fd, const char *label, struct err *err)
{
	char heard;

	/* It ended in the middle: then it keeps nothing at hand any more. */
	if (send(fd, label, strlen(label), MSG_NOSIGNAL) < 0 && errno == EPIPE)
		return true;
	if (recv(fd, &heard, 1, 0) >= 0 || errno == ECONNRESET)
		return true;
	return err_set(err, ERR_BUSY,
		"the daemon on this data folder does not answer: what it keeps at hand may be "
		"given to clients until it does");
}

bool invalidation_send(const char *data_dir, const char *label, struct err *err)
{
	AUTO_FD int folder_fd = -1;
	AUTO_FD int fd = -1;
	struct sockaddr_un address;

	if (!open_folder(data_dir, &folder_fd, err))
		return false;
	fd = make_socket(RINGER_PATIENCE_S);
	if (fd < 0)
		return err_errno(err, errno, "make a socket");
	address = address_in(folder_fd);
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
		return is_nobody(errno) || err_errno(err, errno, "reach the daemon on %s", data_dir);
	return ask(fd, label, err);
}
