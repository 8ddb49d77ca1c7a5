/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection that libmicrohttpd has for one request, or those that came together: what it is to read of it,
 * and how the connection is taken back when they are answered, so that each head is looked at before. */
#ifndef SERVER_HTTP_MHD_GUEST_H
#define SERVER_HTTP_MHD_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/own.h"
#include "server/http/fast/wirehead.h"

struct MHD_Connection;
struct exchange;

/* One for each connection of a daemon. */
struct guest {
	int64_t due;          /* bytes its socket will have given when its requests are read; -1: unknown */
	unsigned requests;    /* that are to be answered before it leaves; 0: it stays for good */
	enum err_code spoilt; /* of what follows, which need not be read */
	int client; /* the client's socket, where libmicrohttpd has another with no more than the head; 0 */
	int peer;   /* the other end of that one */
	struct exchange *exchange; /* that has begun on it and is not completed */
	bool left; /* another has the connection now: what libmicrohttpd closes is a dead socket */
};

/* Writes into the address, behind what the kernel put there, what is due of the unread requests; NULL: it is
 * not known. Whoever gets the address on the other side makes the guest of it. */
void guest_announce(struct sockaddr_storage *address, int fd, const struct wire_heads *heads);
struct guest *guest_create(struct MHD_Connection *connection);
void guest_destroy(struct guest *guest);
AUTO_CLEANER(own_guest, struct guest *, guest_destroy)
#define AUTO_GUEST AUTO(own_guest)

/* The same, and takes the head out of the client's socket: libmicrohttpd is given that alone, on the socket
 * that is returned, and the body is for others to read. -1: it cannot be done, and the connection has to end.
 */
int guest_announce_head(struct sockaddr_storage *address, int fd, const struct wire_heads *heads);

/* Nobody has taken what was announced so: closes the client's socket. */
void guest_withdraw(struct sockaddr_storage *address);

/* On a suspended connection: from now on libmicrohttpd has the client's socket. */
void guest_settle(struct MHD_Connection *connection);

/* The client's socket, wherever it is. */
int guest_socket(struct MHD_Connection *connection);

/* In libmicrohttpd's word that a request is completed, after which it keeps the connection: takes it back, if
 * that was the last. -1: it was not, or it stays, as more was read than the requests. */
int guest_take_back(struct guest *guest, struct MHD_Connection *connection, int dead_socket);

/* Before the last of its requests is answered: whether libmicrohttpd has read, or may have, of what comes
 * behind it, which nobody has looked at: the answer has to end the connection then. */
bool guest_has_read_on(const struct guest *guest, struct MHD_Connection *connection);

/* In the same, before it closes the connection: another hand on its socket, or -1. */
int guest_hold(struct guest *guest, struct MHD_Connection *connection);

/* Before a suspended connection is resumed to be answered. libmicrohttpd reads first then, and closes where
 * it reads the end, which says no more than that the client has asked all it wants to ask: for that moment
 * its socket becomes one that has nothing to read. The socket itself is returned, for guest_show_end; -1:
 * there is no end to be read. */
int guest_hide_end(struct MHD_Connection *connection, int quiet_socket);
void guest_show_end(struct MHD_Connection *connection, int hidden);

/* A socket on which nothing ever comes. -1: none can be made. */
int guest_quiet_socket(void);

/* The address as it was announced. */
const struct sockaddr_storage *guest_address(struct MHD_Connection *connection);

/* A socket that has come to its end. -1: none can be made. */
int guest_dead_socket(void);

#endif
