/* SPDX-License-Identifier: Apache-2.0
 *
 * What is asked of an upstream and what it answers, as transfers see it: transport, no judgement. */
#ifndef SERVER_UPSTREAM_TRANSFER_TERMS_H
#define SERVER_UPSTREAM_TRANSFER_TERMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/upstream/testimony.h"

struct client_settings {
	int64_t connect_timeout_s;
	int64_t stall_timeout_s; /* a transfer that brings no byte for so long has failed, */
	int64_t min_bytes_per_s; /* … and one that brings less than this meanwhile; 0: no limit */
	bool private_redirects;  /* redirects may lead to private, loopback and link-local addresses */
	const char *user_agent;
};

enum transfer_outcome {
	TRANSFER_DONE, /* the answer is whole as far as HTTP can tell (length, last chunk) */
	/* no connection with the URL's own server: no name, refused, TLS failed, time-out */
	TRANSFER_UNREACHABLE,
	/* it was asked, and no answer came: time-out, hung up; or so where it redirected to */
	TRANSFER_SILENT,
	TRANSFER_BROKEN,  /* cut or stalled after the answer began */
	TRANSFER_SLOW,    /* the answer began, and came slower than min_bytes_per_s */
	TRANSFER_REFUSED, /* what came is no HTTP, forbidden redirect, too many of them, too large a header */
	TRANSFER_STARVED, /* we have no descriptor or thread left for it */
	TRANSFER_STOPPED  /* the receiver ended it, or what it was told to stop by (client_wake) */
};

/* What the final answer's head says (after redirects). */
struct answer {
	int status;
	int64_t length;         /* of this body; -1 where it is not told */
	bool until_close;       /* it ends with the connection: a cut looks like its end */
	int64_t range_first;    /* of a 206's Content-Range; -1 without one */
	int64_t range_last;     /* the same */
	int64_t range_total;    /* its complete length; -1 where it is not told */
	int64_t retry_after_s;  /* 0 where there is none */
	char content_type[128]; /* "" where there is none; so for the others */
	char content_encoding[64];
	char etag[256];
	char last_modified[64];
	char cache_status[64];
	char effective_url[1024];   /* without its query: signed URLs carry secrets there */
	bool is_elsewhere;          /* a redirect led to it, away from the server that was asked */
	bool was_packed;            /* the receiver's to set: the body is packed on its way */
	struct testimony testimony; /* what this head, and those of redirects to it, say of the bytes */
};

/* Whether a 206 has all from the first byte to the last. */
bool answer_is_whole_range(const struct answer *answer);

/* Who takes the answer, on the thread that waits for the transfer. Meanwhile more of it is gathered; then
 * upstream has to wait, and nobody else. Answering false stops the transfer. redirect, which may be NULL, is
 * told where a redirect leads (the whole URL) before it is followed: on the client's thread, where nothing
 * may wait. */
struct receiver {
	bool (*head)(void *context, const struct answer *answer);
	bool (*body)(void *context, const void *bytes, size_t length);
	void *context;
	bool (*redirect)(void *context, const char *url);
};

struct credentials;

struct transfer_request {
	const char *url;
	bool head_only;                        /* HEAD instead of GET */
	int64_t patience_s;                    /* for the whole transfer; 0: no limit */
	int64_t range_first;                   /* asks for the bytes from here on; 0 is the whole */
	const char *if_range;                  /* a strong ETag or a date, with range_first; may be NULL */
	const struct credentials *credentials; /* sent to the first server only; may be NULL */
	const char *proxy;                     /* NULL is the environment's, "none" is none */
	const char *ca_file;                   /* PEM; NULL is the system's */
	int64_t rate_bytes_per_s;              /* 0 is no limit */
	const char *cdn_loop;                  /* value of the CDN-Loop header (RFC 8586); may be NULL */
	const char *accept_encoding;           /* may be NULL */
};

#endif
