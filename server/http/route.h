/* SPDX-License-Identifier: Apache-2.0
 *
 * The shape of one row in the table of routes, and how a request finds its row. */
#ifndef SERVER_HTTP_ROUTE_H
#define SERVER_HTTP_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "server/http/reply.h"
#include "server/http/request.h"

/* What the client must be allowed to do. */
enum role {
	ROLE_NONE,    /* anyone, always: health, the page's own files */
	ROLE_READ,    /* anyone, or a token where auth.read says so */
	ROLE_HANDLER, /* the handler decides, since it depends on the name: publish and withdraw */
	ROLE_ADMIN
};

enum body_kind {
	BODY_NONE,   /* a body is read and dropped */
	BODY_MEMORY, /* collected in request->body, up to REQUEST_MEMORY_BODY_MAX */
	BODY_UPLOAD  /* poured into what upload->begin made */
};

/* Where an upload's body goes. services is what the front was given. */
struct upload_ops {
	/* Before the first byte and before "100 Continue", on a worker. False: the reply is filled, the body
	 * is not wanted; where it is REPLY_LATER, its resume goes on with beginning. */
	bool (*begin)(void *services, struct request *request, struct reply *reply);
	/* Whether a piece of so many bytes can be written now. Where not, make_room is called first, on a
	 * disk worker and with the connection suspended. NULL: always. */
	bool (*has_room)(const struct request *request, size_t length);
	void (*make_room)(struct request *request, size_t length);
	/* Whether no more of the body is wanted now: the waiter, if there is one, has joined then, and is
	 * woken when it is. On a front thread, quick. leave takes it back; false if it has not joined, has
	 * been or is being woken. NULL: always wanted. */
	bool (*await)(struct request *request, struct waiter *waiter);
	bool (*leave)(struct request *request, struct waiter *waiter);
	/* A piece of the body, on a front thread: may write to disk, nothing slower. False: the rest is not
	 * wanted, the handler is called at once. */
	bool (*write)(struct request *request, const void *bytes, size_t length);
	/* The client went away before its body ended: frees request->upload, on a disk worker. Not called
	 * once the handler was. */
	void (*abort)(void *upload);
};

/* Who calls the handler. */
enum caller {
	CALLER_WORKER, /* one of those that all requests share; may block */
	CALLER_PROBER, /* a worker for probes alone, which nothing else holds; may block */
	CALLER_FRONT /* the connection's own thread: answers from memory, and takes no lock that is held long
		      */
};

struct route {
	enum method method;  /* a GET row answers HEAD as well */
	const char *pattern; /* literal, or ending in "*", which matches any rest (also an empty one) */
	enum role role;
	enum body_kind body;
	const struct upload_ops *upload; /* with BODY_UPLOAD */
	/* Fills the reply, on a worker unless caller says otherwise. Owns request->upload from now on. */
	void (*handle)(void *services, struct request *request, struct reply *reply);
	bool own_pages; /* a page of another site may not send it: its preflight is not told of Content-Type
			 */
	bool slow;      /* the handler waits for the disk: it runs on a disk worker */
	bool basic;     /* the password of Authorization: Basic is a token as well */
	enum caller caller;
	bool any_method; /* there is nothing at such a path, whatever is asked of it */
	/* Whether it is of use for a path that its pattern matches, for those who ask what is; NULL: always.
	 * Quick. */
	bool (*takes)(const char *path);
	bool bulk; /* large bodies: a connection that begins with this row gets more memory to move them */
};

/* The row of the request's method among those of the pattern that says most of its path (a literal, else the
 * longest), with request->rest set; NULL if there is none. *path_known tells whether another method would
 * have matched (405 instead of 404), and allow gets the methods that would ("GET, HEAD, PUT").
 */
const struct route *route_find(
	const struct route *routes, size_t count, struct request *request, bool *path_known, char allow[64]);

/* Whether some row of this path is for our own pages only. */
bool route_is_for_own_pages(const struct route *routes, size_t count, const char *path);

#endif
