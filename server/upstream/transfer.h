/* SPDX-License-Identifier: Apache-2.0
 *
 * One transfer: what libcurl is told to do, what its callbacks gather, and how the end is judged. It knows
 * nothing of threads; the client runs it. */
#ifndef SERVER_UPSTREAM_TRANSFER_H
#define SERVER_UPSTREAM_TRANSFER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/upstream/answer_head.h"
#include "server/upstream/transfer_terms.h"

enum { TRANSFER_GATHER_MAX = 256 * 1024, TRANSFER_HOLD_MS = 2 };

struct place {
	char scheme[8];
	char host[256];
	char port[8];
};

struct piece {
	char *bytes; /* TRANSFER_GATHER_MAX of them, allocated when the first comes */
	size_t length;
};

/* Who takes what a transfer brings, on another thread. Called when the head is there and when a piece is due;
 * false: what was handed over last is not taken yet. He swaps the pieces where the head is all there is, too.
 */
struct outlet {
	bool (*hand_over)(void *context);
	void *context;
};

struct transfer {
	const struct client_settings *settings;
	const struct transfer_request *request;
	const struct receiver *receiver;
	CURL *easy;
	struct curl_slist *headers;         /* what is sent to anybody */
	struct curl_slist *private_headers; /* the same and the credentials, */
	bool has_left;                      /* … until a redirect led away from the first server */
	char error[CURL_ERROR_SIZE];
	struct place origin;
	struct answer_head head;
	int hops;       /* redirects followed so far */
	bool asked;     /* of this hop: there is a connection, and the request goes out */
	size_t before;  /* of this hop: the bytes of heads that came before it */
	bool forbidden; /* of this hop: it leads inside */
	bool starved;   /* there was no descriptor for a connection */
	bool answered;  /* the receiver has the head */
	bool declined;  /* the receiver or its owner wants no more */
	bool slow;      /* the answer came below the least rate */
	struct outlet outlet;
	struct piece gathered; /* of the body, not handed over yet */
	struct piece handed;   /* belongs to who takes it, until it has no length again */
	int64_t gathered_ms;   /* when the first byte of gathered came */
	bool waits;            /* gathered is due, and handed is not taken yet */
	bool paused;           /* libcurl reads no more until it is */
	int64_t idle_ms; /* since the last byte, counted by the client; below zero while a connection may take
			    its time */
	int64_t span_ms; /* since when span_bytes are counted: of a body, by the client's rounds */
	int64_t span_bytes;
};

/* Prepares an easy handle; the strings and structs given must outlive the transfer. finish takes what init
 * has made. */
bool transfer_init(struct transfer *transfer, const struct client_settings *settings,
	const struct transfer_request *request, const struct receiver *receiver, const struct outlet *outlet,
	struct err *err);
void transfer_finish(struct transfer *transfer);

/* Makes what was gathered what is handed over: by the outlet, or by whoever has the transfer for himself. */
void transfer_swap(struct transfer *transfer);

/* Hands over what is due, and goes on where there is room again. */
void transfer_go_on(struct transfer *transfer, int64_t now_ms);

/* The milliseconds that what has been gathered may still wait; INT64_MAX where there is nothing, or where
 * only the taker can help. */
int64_t transfer_hold_left(const struct transfer *transfer, int64_t now_ms);

/* So much time has passed. */
void transfer_pass_time(struct transfer *transfer, int64_t elapsed_ms);

/* Whether nothing has come for too long, or too little; the end's sentence will then say so. */
bool transfer_has_stalled(struct transfer *transfer);

/* Judges; *why is a sentence unless it is TRANSFER_DONE. */
enum transfer_outcome transfer_end(struct transfer *transfer, CURLcode result, struct err *why);

#endif
