/* SPDX-License-Identifier: Apache-2.0
 *
 * A registry as commands reach it: over HTTP, with a token, one request at a time. Refusals become sentences
 * here, and what a server says cannot steer a terminal. */
#ifndef SERVER_COMMAND_REMOTE_H
#define SERVER_COMMAND_REMOTE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/err.h"
#include "common/own.h"
#include "server/command/options.h"

struct remote;

/* Which registry, and who asks; what is NULL comes from $LARDER_SERVER and $LARDER_TOKEN. */
struct remote_options {
	const char *server;
	const char *token;
	const char *token_file;
	bool is_itself; /* the daemon of this very machine, by an address: whatever its certificate says */
};
extern const struct option_row remote_option_rows[];

/* The caller owns *out. ERR_BAD_REQUEST for a URL or a token that is none. */
bool remote_create(const struct remote_options *options, struct remote **out, struct err *err);
void remote_destroy(struct remote *remote);
AUTO_CLEANER(own_remote, struct remote *, remote_destroy)
#define AUTO_REMOTE AUTO(own_remote)

/* GETs a target such as "/api/v1/modules?q=x"; of a whole URL only the path and query count, so that a token
 * never goes to another host. Anything but JSON and a 2xx is an error; a 204 is an empty object. The caller
 * owns *out.
 */
bool remote_get(struct remote *remote, const char *target, json_t **out, struct err *err);

/* POSTs JSON; the answer as of remote_get. */
bool remote_post(
	struct remote *remote, const char *target, const json_t *body, json_t **out, struct err *err);

/* DELETEs a target; the answer as of remote_get. */
bool remote_delete(struct remote *remote, const char *target, json_t **out, struct err *err);

/* What an answer says before its body; "" where it says nothing, or more than anyone would. */
struct remote_head {
	long status;          /* 0: there was no answer */
	int64_t length_bytes; /* of this answer's body; -1: it does not say */
	char etag[128];
	char repr_digest[256];
	char media_type[128];
	char disposition[600];
	char location[1200];
	char range[96]; /* Content-Range */
};

struct remote_download {
	const char *target;
	int64_t first;    /* bytes that are here already, and not asked for; 0: none */
	const char *etag; /* theirs; where it is another's by now, the whole is answered */
	bool head_only;
	/* Of a 200 or 206: called once, before its bytes. Answering false, with *err, ends the transfer. */
	bool (*begin)(void *context, const struct remote_head *head, struct err *err);
	bool (*take)(void *context, const void *bytes, size_t length, struct err *err);
	void *context;
};

struct remote_upload {
	const char *target;
	const char *media_type;
	bool is_post; /* else a PUT */
	/* Sent is what stands before the body: the answer is 100 where that would be taken. */
	bool asks_only;
	int fd; /* a file, sent from its beginning, with its digest; stays the caller's */
	/* In its place, of a body with so many bytes: what stands at an offset. NULL: the file. */
	bool (*read)(
		void *context, int64_t offset, void *bytes, size_t length, size_t *out_read, struct err *err);
	int64_t size_bytes;
	/* May be NULL; called as bytes go out. */
	void (*progressed)(void *context, int64_t done_bytes, int64_t total_bytes);
	void *context;
};

struct remote_reply {
	long status;
	json_t *json; /* NULL where the body was none */
};

/* True for every answer, also a refusal. */
bool remote_send(struct remote *remote, const struct remote_upload *upload, struct remote_reply *reply,
	struct err *err);

/* GETs a file; true for every answer that came whole, also a refusal or redirect, which is not followed.
 * *head is filled as far as it came, also on failure. ERR_UPSTREAM_UNREACHABLE where it broke off or never
 * came, and what begin and take fail with. */
bool remote_get_file(struct remote *remote, const struct remote_download *download, struct remote_head *head,
	struct remote_reply *reply, struct err *err);

/* Whether the reply is a 2xx; else its problem as a sentence, with ERR_BUSY where a try later may do, or
 * with ERR_NOT_FOUND, ERR_GONE or ERR_BAD_REQUEST. */
bool remote_accepted(const struct remote_reply *reply, struct err *err);

void remote_reply_finish(struct remote_reply *reply);

/* How long it asked to be left alone with its last answer (Retry-After); 0: it did not. */
int64_t remote_retry_after_s(const struct remote *remote);

/* The registry's URL, without a slash at its end. */
const char *remote_server(const struct remote *remote);

/* What answered is no daemon of ours: ERR_UPSTREAM_FAILED. */
bool remote_refuse_stranger(const struct remote *remote, struct err *err);
/* Whether somebody named it; else it is the one that is meant where nobody does. */
bool remote_is_named(const struct remote *remote);

/* The path and query of a URL that a server names, with a slash before them; free() it. */
char *remote_path_of(const char *url);

#endif
