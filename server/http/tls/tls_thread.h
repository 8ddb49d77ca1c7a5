/* SPDX-License-Identifier: Apache-2.0
 *
 * One of the terminator's threads, and the clients that are its own: who stands where, who has a turn, and
 * what an end means. */
#ifndef SERVER_HTTP_TLS_TLS_THREAD_H
#define SERVER_HTTP_TLS_TLS_THREAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/list.h"
#include "server/http/loop.h"
#include "server/http/tls/credentials.h"
#include "server/http/tls/loopback.h"
#include "server/http/tls/pump.h"
#include "server/http/tls/terminator_settings.h"

enum stage {
	STAGE_SILENT,  /* nothing came yet */
	STAGE_SHAKING, /* hands */
	STAGE_MEETING, /* its near end is about to meet its far end */
	STAGE_OPEN,
	STAGE_STALLED, /* open, and has not taken what is there for it */
	STAGE_ENDING,  /* the far end has ended; what is left is passed on */
	STAGE_LEAVING, /* the client was told so, and counts no more */
	STAGE_COUNT
};

/* What an event is of. */
struct tag {
	struct client *client; /* NULL: the thread's loopback */
	bool is_near;
};

/* A thread's own, but while it is posted to it. */
struct client {
	struct list_link post;
	struct list_link row;   /* among those of its stage, in the order in which they came there */
	struct list_link ready; /* among those that have a turn; or in no list */
	struct pump pump;
	struct tag client_tag;
	struct tag near_tag;
	enum stage stage;
	uint16_t port; /* of its near end */
	int64_t since_s;
	int64_t active_s;
	socklen_t address_length;
	struct sockaddr_storage address;
};

struct tls_thread {
	struct loop loop;
	const struct terminator_settings *settings;
	const struct terminator_exits *exits;
	const struct credentials *credentials;
	_Atomic bool crowded;     /* one handshake is to make room */
	_Atomic int64_t oldest_s; /* since when the longest goes on; INT64_MAX: none does */
	struct loopback loopback; /* from here on its own */
	struct tag loopback_tag;
	struct list rows[STAGE_COUNT];
	struct list ready;   /* who has made its handshake */
	struct list shaking; /* who has not */
	unsigned leaving;
	bool callers; /* there may be far ends to be accepted */
	bool stopping;
	int64_t now_s;
	char block[PUMP_BLOCK_BYTES];
};

/* Zeroed, then settings, exits and credentials set. */
void tls_thread_init(struct tls_thread *thread);

void tls_thread_enter(struct tls_thread *thread, struct client *client, enum stage stage);
void tls_thread_give_turn(struct tls_thread *thread, struct client *client);
bool tls_thread_watch(const struct tls_thread *thread, int fd, struct tag *tag);

/* The client counts no more among those who are there. */
void tls_thread_count_out(const struct tls_thread *thread);

/* Closes the client's connection, reset where it was not told the end, and frees it. */
void tls_thread_end(struct tls_thread *thread, struct client *client);
void tls_thread_end_all(struct tls_thread *thread, enum stage stage);

#endif
