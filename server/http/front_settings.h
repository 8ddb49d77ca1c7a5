/* SPDX-License-Identifier: Apache-2.0
 *
 * How a front is to be: what the configuration says of it, and what it asks the services. */
#ifndef SERVER_HTTP_FRONT_SETTINGS_H
#define SERVER_HTTP_FRONT_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "server/http/forwarded.h"
#include "server/http/route.h"

struct response_cache;

struct front_settings {
	const char *listen;          /* "127.0.0.1:8080", "[::]:80"; port 0 takes a free one */
	const char *tls_certificate; /* PEM files; both or neither */
	const char *tls_key;
	const char *trusted_proxies; /* networks; NULL: none */
	enum forwarded_kind proxies_write;
	const char *hub_hosts; /* see request_set_target */
	unsigned threads;      /* epoll threads; 0: one per core, at least 2 */
	unsigned workers;      /* 0: twice the cores, at least 8 */
	unsigned max_connections;
	unsigned idle_timeout_s;
	unsigned head_timeout_s;     /* from a head's first byte to its last; 0: as long as it takes */
	unsigned upload_bytes_per_s; /* the least that is taken for progress of a body; 0: any */
	unsigned drain_timeout_s;    /* how long front_close lets running answers go on */
	const struct route *routes;
	size_t route_count;
	struct response_cache *response_cache; /* where replies may be kept prepared, or NULL */
	void *services;                        /* handed to handlers */
	/* Whether the client may do what the role asks; sets request->who. ERR_UNAUTHORIZED or ERR_FORBIDDEN.
	 * On a worker or a front thread; must be quick. Not called for ROLE_NONE and ROLE_HANDLER. */
	bool (*authorize)(void *services, enum role role, struct request *request, struct err *err);
	/* May put another body in the place of a refusal that no handler made, such as a page for a browser;
	 * or NULL. On a front thread; must be quick. */
	void (*present)(
		void *services, const struct request *request, const struct err *err, struct reply *reply);
	/* May put an answer into other words for a client that reads none else; or NULL. On a worker, once
	 * the reply is filled. */
	void (*adapt)(void *services, const struct request *request, struct reply *reply);
};

#endif
