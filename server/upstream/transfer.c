/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/transfer.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "common/secrets.h"
#include "server/metrics.h"
#include "server/upstream/curl_terms.h"
#include "server/upstream/upstream_credentials.h"
#include "server/upstream/peer.h"

enum { REDIRECTS_MAX = 10, SOCKET_BUFFER = 64 * 1024, SOCKET_BUFFER_MIN = 1024 };

#define SET(option, value) (curl_easy_setopt(transfer->easy, option, value) == CURLE_OK)

AUTO_CLEANER(own_curl_url, CURLU *, curl_url_cleanup)
AUTO_CLEANER(own_curl_string, char *, curl_free)

static bool find_place(const char *url, struct place *out)
{
	AUTO(own_curl_url) CURLU *parts = curl_url();
	AUTO(own_curl_string) char *scheme = NULL;
	AUTO(own_curl_string) char *host = NULL;
	AUTO(own_curl_string) char *port = NULL;

	if (!parts || !url || curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) ||
		curl_url_get(parts, CURLUPART_HOST, &host, 0) || !host ||
		curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ||
		curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) || strlen(scheme) >= sizeof out->scheme ||
		strlen(host) >= sizeof out->host || strlen(port) >= sizeof out->port)
		return false;
	(void)strcpy(out->scheme, scheme);
	(void)strcpy(out->host, host);
	(void)strcpy(out->port, port);
	return true;
}

static const char *current_url(const struct transfer *transfer)
{
	const char *url = NULL;

	(void)curl_easy_getinfo(transfer->easy, CURLINFO_EFFECTIVE_URL, &url);
	return url ? url : transfer->request->url;
}

static void show_url(const char *url, char *out, size_t size)
{
	AUTO_FREE char *shown = secrets_hide(url, false);

	(void)snprintf(out, size, "%s", shown);
}

/* At the host and port that the operator named. */
static bool is_home(const struct transfer *transfer, const struct place *place)
{
	return strcasecmp(place->host, transfer->origin.host) == 0 &&
	       strcmp(place->port, transfer->origin.port) == 0;
}

/* A redirect's target is a stranger's word, so the address that it really leads to counts. The first hop and
 * all that stays at its host and port are the operator's word. */
static bool leads_inside(const struct transfer *transfer, const union peer *peer)
{
	struct place place;
	int64_t port;

	if (transfer->hops == 0 || transfer->settings->private_redirects)
		return false;
	if (!find_place(current_url(transfer), &place) || !number_parse(place.port, &port))
		return true;
	if (is_home(transfer, &place))
		return false;
	/* What the URL itself says counts whoever connects. */
	if (peer_host_is_inside(place.host))
		return true;
	/* Another port than the URL's is a proxy's: what a name means to it is for the proxy to judge. A
	 * proxy at the URL's own port cannot be told from the target and is judged as that. */
	return port == peer_port(peer) && peer_is_inside(peer);
}

/* That we have no socket for it says nothing of the upstream. */
static curl_socket_t own_socket(struct transfer *transfer, const struct curl_sockaddr *address)
{
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
		transfer->starved = true;
	return fd;
}

/* Asked before a connection is opened … */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transfer *transfer = context;
	union peer peer = {.any = {0}};
	size_t size = address->addrlen < sizeof peer ? address->addrlen : sizeof peer;

	memcpy(&peer, &address->addr, size);
	/* The connection that it was asked on may have been a dead one of the pool. */
	transfer->asked = false;
	if (leads_inside(transfer, &peer)) {
		transfer->forbidden = true;
		return CURL_SOCKET_BAD;
	}
	return own_socket(transfer, address);
}

/* Before each request: what leads away, also to another scheme, takes none of the credentials along, nor does
 * what leads back from there. */
static bool keep_credentials(struct transfer *transfer)
{
	struct place place;

	if (transfer->hops == 0 || transfer->has_left)
		return true;
	if (find_place(current_url(transfer), &place) && is_home(transfer, &place) &&
		strcasecmp(place.scheme, transfer->origin.scheme) == 0)
		return true;
	transfer->has_left = true;
	return SET(CURLOPT_HTTPHEADER, transfer->headers);
}

/* … and before each request, since a connection may have been opened by another transfer. */
static int before_request(void *context, char *peer_ip, char *own_ip, int peer_tcp_port, int own_tcp_port)
{
	struct transfer *transfer = context;
	union peer peer = {.any = {0}};

	transfer->forbidden = (!peer_parse(peer_ip, peer_tcp_port, &peer) && transfer->hops > 0) ||
			      leads_inside(transfer, &peer) || !keep_credentials(transfer);
	transfer->asked = true;
	/* From here on the whole head may take stall_timeout_s: line by line it could take for ever. */
	transfer->idle_ms = 0;
	return transfer->forbidden ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static void begin_hop(struct transfer *transfer)
{
	transfer->asked = false;
	transfer->before = transfer->head.bytes;
	transfer->forbidden = false;
	/* Also bounds how long the body of a redirect, which goes to nobody, may take. */
	transfer->idle_ms = -1000 * transfer->settings->connect_timeout_s;
}

static void pass_head(struct transfer *transfer)
{
	struct answer *answer = &transfer->head.answer;

	show_url(current_url(transfer), answer->effective_url, sizeof answer->effective_url);
	answer->is_elsewhere = transfer->has_left;
	transfer->answered = true;
	transfer->idle_ms = 0;
	(void)transfer->outlet.hand_over(transfer->outlet.context);
}

/* Whether to go where the redirect leads. */
static bool pass_redirect(struct transfer *transfer)
{
	const struct receiver *receiver = transfer->receiver;
	AUTO(own_curl_url) CURLU *parts = curl_url();
	AUTO(own_curl_string) char *url = NULL;

	if (receiver->redirect && parts &&
		curl_url_set(parts, CURLUPART_URL, current_url(transfer), 0) == CURLUE_OK &&
		curl_url_set(parts, CURLUPART_URL, transfer->head.location, 0) == CURLUE_OK &&
		curl_url_get(parts, CURLUPART_URL, &url, 0) == CURLUE_OK)
		transfer->declined = !receiver->redirect(receiver->context, url);
	return !transfer->declined;
}

static size_t take_head_line(char *line, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;
	size_t length = size * count;

	/* What comes after the head are trailers. */
	if (transfer->answered)
		return length;
	switch (answer_head_add(&transfer->head, line, length)) {
	case HEAD_TOO_LARGE:
		return 0;
	case HEAD_REDIRECT:
		if (!pass_redirect(transfer))
			return 0;
		transfer->hops++;
		begin_hop(transfer);
		return length;
	case HEAD_FINAL:
		pass_head(transfer);
		return length;
	default:
		return length;
	}
}

/* Under a limit libcurl pauses for as long as the bytes should have taken, and a pause is no stall. */
static void count_progress(struct transfer *transfer, size_t length)
{
	int64_t rate = transfer->request->rate_bytes_per_s;

	transfer->span_bytes += (int64_t)length;
	if (transfer->idle_ms > 0)
		transfer->idle_ms = 0;
	if (rate > 0)
		transfer->idle_ms -= 1000 * (int64_t)length / rate;
}

void transfer_swap(struct transfer *transfer)
{
	struct piece taken = transfer->handed;

	transfer->handed = transfer->gathered;
	transfer->gathered = taken;
	transfer->gathered.length = 0;
}

static bool hand_over(struct transfer *transfer)
{
	size_t length = transfer->gathered.length;

	transfer->waits = !transfer->outlet.hand_over(transfer->outlet.context);
	if (!transfer->waits)
		metric_add(METRIC_UPSTREAM_BYTES, (int64_t)length);
	return !transfer->waits;
}

/* Whoever takes the pieces may wait for a disk or for room. He holds up his own upstream alone. */
static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;
	struct piece *gathered = &transfer->gathered;
	size_t length = size * count;

	/* Only the body of a redirect can come before the head that counts. */
	if (!transfer->answered)
		return length;
	if (length > TRANSFER_GATHER_MAX - gathered->length && !hand_over(transfer)) {
		transfer->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	count_progress(transfer, length);
	if (!gathered->bytes)
		gathered->bytes = mem_zero(1, TRANSFER_GATHER_MAX);
	if (gathered->length == 0)
		transfer->gathered_ms = clock_monotonic_ms();
	memcpy(gathered->bytes + gathered->length, bytes, length);
	gathered->length += length;
	return length;
}

void transfer_go_on(struct transfer *transfer, int64_t now_ms)
{
	if (transfer->gathered.length > 0 && (transfer->waits || transfer_hold_left(transfer, now_ms) == 0))
		(void)hand_over(transfer);
	if (!transfer->paused || transfer->waits)
		return;
	transfer->paused = false;
	(void)curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
}

int64_t transfer_hold_left(const struct transfer *transfer, int64_t now_ms)
{
	int64_t left = transfer->gathered_ms + TRANSFER_HOLD_MS - now_ms;

	if (transfer->gathered.length == 0 || transfer->waits)
		return INT64_MAX;
	return left > 0 ? left : 0;
}

void transfer_pass_time(struct transfer *transfer, int64_t elapsed_ms)
{
	/* That nothing comes is our own doing. */
	if (transfer->paused)
		return;
	transfer->idle_ms += elapsed_ms;
	/* Below zero it is our own limit that holds the bytes back. */
	if (transfer->answered && transfer->idle_ms > 0)
		transfer->span_ms += elapsed_ms;
}

/* The least rate, and never more than half of what our own limit lets through. */
static int64_t least_rate(const struct transfer *transfer)
{
	int64_t least = transfer->settings->min_bytes_per_s;
	int64_t half = transfer->request->rate_bytes_per_s / 2;

	return transfer->request->rate_bytes_per_s > 0 && half < least ? half : least;
}

/* Looked at once for each span of stall_timeout_s: whoever trickles would hold a connection, and the fill's
 * place, for as long as he likes. */
static bool is_too_slow(struct transfer *transfer)
{
	int64_t limit_s = transfer->settings->stall_timeout_s;
	int64_t least = least_rate(transfer);

	if (transfer->span_ms < 1000 * limit_s)
		return false;
	transfer->slow = transfer->span_bytes / limit_s < least;
	if (transfer->slow)
		(void)snprintf(transfer->error, sizeof transfer->error,
			"%s came in %" PRId64 " seconds, less than %s a second",
			number_size(transfer->span_bytes).text, limit_s, number_size(least).text);
	transfer->span_ms = 0;
	transfer->span_bytes = 0;
	return transfer->slow;
}

bool transfer_has_stalled(struct transfer *transfer)
{
	int64_t limit_s = transfer->settings->stall_timeout_s;

	if (transfer->idle_ms < 1000 * limit_s)
		return is_too_slow(transfer);
	(void)snprintf(transfer->error, sizeof transfer->error, "%s for %" PRId64 " seconds",
		!transfer->answered && transfer->head.bytes > transfer->before
			? "the head of the answer was not whole"
			: "nothing came",
		limit_s);
	return true;
}

static bool add_line(struct curl_slist **list, const char *line, struct err *err)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (!longer)
		return err_set(err, ERR_INTERNAL, "There is no memory for a request header.");
	*list = longer;
	return true;
}

/* Each value is checked: a line end in one of them would be a header of somebody else's making. */
static bool add_header(struct transfer *transfer, const char *name, const char *value, struct err *err)
{
	AUTO_FREE char *line = mem_printf("%s%s", name, value);

	for (const char *c = value; *c; c++) {
		if (iscntrl((unsigned char)*c))
			return err_set(err, ERR_UPSTREAM_FAILED,
				"The request header %.*s would have a control character.",
				(int)strcspn(name, ":"), name);
	}
	return add_line(&transfer->headers, line, err);
}

static bool add_private_headers(struct transfer *transfer, struct err *err)
{
	const struct credentials *credentials = transfer->request->credentials;

	for (const struct curl_slist *line = transfer->headers; line; line = line->next) {
		if (!add_line(&transfer->private_headers, line->data, err))
			return false;
	}
	for (size_t i = 0; credentials && i < credentials->count; i++) {
		if (!add_line(&transfer->private_headers, credentials->items[i].line, err))
			return false;
	}
	return true;
}

static bool add_headers(struct transfer *transfer, struct err *err)
{
	const struct transfer_request *request = transfer->request;

	return (!request->cdn_loop || add_header(transfer, "CDN-Loop: ", request->cdn_loop, err)) &&
	       (!request->accept_encoding ||
		       add_header(transfer, "Accept-Encoding: ", request->accept_encoding, err)) &&
	       (!request->if_range || request->range_first <= 0 ||
		       add_header(transfer, "If-Range: ", request->if_range, err)) &&
	       add_private_headers(transfer, err);
}

/* libcurl may read a hundred times before it looks at the limit: under one, that is three seconds' worth. */
static long socket_buffer(int64_t rate_bytes_per_s)
{
	int64_t wanted = rate_bytes_per_s / 32;

	if (rate_bytes_per_s == 0 || wanted > SOCKET_BUFFER)
		return SOCKET_BUFFER;
	return wanted > SOCKET_BUFFER_MIN ? (long)wanted : SOCKET_BUFFER_MIN;
}

static bool set_bounds(struct transfer *transfer)
{
	const struct client_settings *settings = transfer->settings;

	return SET(CURLOPT_FOLLOWLOCATION, 1L) && SET(CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX) &&
#if LIBCURL_VERSION_NUM >= 0x075500
	       SET(CURLOPT_PROTOCOLS_STR, "http,https") && SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https") &&
#else
	       SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)) &&
	       SET(CURLOPT_REDIR_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)) &&
#endif
	       SET(CURLOPT_CONNECTTIMEOUT, (long)settings->connect_timeout_s) &&
	       SET(CURLOPT_TIMEOUT, (long)transfer->request->patience_s) &&
	       SET(CURLOPT_MAX_RECV_SPEED_LARGE, (curl_off_t)transfer->request->rate_bytes_per_s) &&
	       SET(CURLOPT_BUFFERSIZE, socket_buffer(transfer->request->rate_bytes_per_s)) &&
	       SET(CURLOPT_NOSIGNAL, 1L);
}

/* A name that takes long to look up must not hold up the other transfers when its own is given up. */
static bool set_quick_exit(struct transfer *transfer)
{
#if LIBCURL_VERSION_NUM >= 0x075700
	return SET(CURLOPT_QUICK_EXIT, 1L);
#else
	return true;
#endif
}

static bool set_callbacks(struct transfer *transfer)
{
	return SET(CURLOPT_HEADERFUNCTION, take_head_line) && SET(CURLOPT_HEADERDATA, transfer) &&
	       SET(CURLOPT_WRITEFUNCTION, take_body) && SET(CURLOPT_WRITEDATA, transfer) &&
	       SET(CURLOPT_OPENSOCKETFUNCTION, open_socket) && SET(CURLOPT_OPENSOCKETDATA, transfer) &&
	       SET(CURLOPT_PREREQFUNCTION, before_request) && SET(CURLOPT_PREREQDATA, transfer) &&
	       SET(CURLOPT_ERRORBUFFER, transfer->error) && SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

/* The operator's word for one upstream counts whatever no_proxy says of others. A proxy sees what is sent
 * through it; where it only connects, it is sent none of our headers. */
static bool set_proxy(struct transfer *transfer)
{
	const char *proxy = transfer->request->proxy;

	if (!SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE))
		return false;
	return !proxy ||
	       (SET(CURLOPT_PROXY, strcmp(proxy, "none") == 0 ? "" : proxy) && SET(CURLOPT_NOPROXY, ""));
}

static bool set_request(struct transfer *transfer)
{
	const struct transfer_request *request = transfer->request;
	char range[32];

	(void)snprintf(range, sizeof range, "%" PRId64 "-", request->range_first);
	return SET(CURLOPT_URL, request->url) && SET(CURLOPT_NOBODY, request->head_only ? 1L : 0L) &&
	       SET(CURLOPT_USERAGENT, transfer->settings->user_agent) &&
	       SET(CURLOPT_HTTPHEADER, transfer->private_headers) && set_proxy(transfer) &&
	       (request->range_first <= 0 || SET(CURLOPT_RANGE, range)) &&
	       (!request->ca_file || SET(CURLOPT_CAINFO, request->ca_file));
}

static bool set_options(struct transfer *transfer, struct err *err)
{
	if (set_bounds(transfer) && set_quick_exit(transfer) && set_callbacks(transfer) &&
		set_request(transfer))
		return true;
	return err_set(err, ERR_INTERNAL, "libcurl does not take the options of a transfer.");
}

bool transfer_init(struct transfer *transfer, const struct client_settings *settings,
	const struct transfer_request *request, const struct receiver *receiver, const struct outlet *outlet,
	struct err *err)
{
	*transfer = (struct transfer){.settings = settings,
		.request = request,
		.receiver = receiver,
		.outlet = *outlet,
		.easy = curl_easy_init()};
	begin_hop(transfer);
	(void)find_place(request->url, &transfer->origin);
	if (add_headers(transfer, err) && set_options(transfer, err))
		return true;
	transfer_finish(transfer);
	return false;
}

void transfer_finish(struct transfer *transfer)
{
	curl_easy_cleanup(transfer->easy);
	curl_slist_free_all(transfer->headers);
	curl_slist_free_all(transfer->private_headers);
	free(transfer->gathered.bytes);
	free(transfer->handed.bytes);
	*transfer = (struct transfer){0};
}

static bool is_refused(const struct transfer *transfer, CURLcode result)
{
	if (transfer->forbidden || result == CURLE_TOO_MANY_REDIRECTS ||
		transfer->head.bytes > HEAD_BYTES_MAX)
		return true;
	return transfer->hops > 0 && !transfer->asked &&
	       (result == CURLE_UNSUPPORTED_PROTOCOL || result == CURLE_URL_MALFORMAT);
}

/* Whether something came that is no head of an answer, rather than nothing. */
static bool is_malformed(const struct transfer *transfer, CURLcode result)
{
	static const CURLcode codes[] = {CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL,
		CURLE_FILESIZE_EXCEEDED, CURLE_BAD_CONTENT_ENCODING, CURLE_HTTP2, CURLE_HTTP2_STREAM};

	if (!transfer->asked)
		return false;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		if (result == codes[i])
			return true;
	}
	return transfer->head.bytes > transfer->before && result != CURLE_OPERATION_TIMEDOUT;
}

static enum transfer_outcome judge(const struct transfer *transfer, CURLcode result)
{
	if (transfer->declined)
		return TRANSFER_STOPPED;
	if (transfer->answered && result == CURLE_OK)
		return TRANSFER_DONE;
	if (transfer->answered)
		return transfer->slow ? TRANSFER_SLOW : TRANSFER_BROKEN;
	if (is_refused(transfer, result) || is_malformed(transfer, result))
		return TRANSFER_REFUSED;
	if (transfer->starved)
		return TRANSFER_STARVED;
	return transfer->asked || transfer->hops > 0 ? TRANSFER_SILENT : TRANSFER_UNREACHABLE;
}

static const char *reason_of(const struct transfer *transfer, CURLcode result)
{
	if (transfer->declined)
		return "the transfer was stopped";
	if (!transfer->answered && transfer->forbidden)
		return "a redirect leads to a private address, which only private_upstreams = on in [mirror] "
		       "allows";
	if (!transfer->answered && transfer->head.bytes > HEAD_BYTES_MAX)
		return "the head of the answer is too large";
	if (!transfer->answered && is_malformed(transfer, result) && !*transfer->error)
		return "it ended in the middle of the answer's head";
	if (!transfer->answered && transfer->starved)
		return "there is no descriptor left for a connection";
	if (result == CURLE_OK)
		return "it ended without an answer";
	return curl_terms_reason(transfer->error, result, transfer->request->proxy);
}

enum transfer_outcome transfer_end(struct transfer *transfer, CURLcode result, struct err *why)
{
	static const enum err_code codes[] = {[TRANSFER_UNREACHABLE] = ERR_UPSTREAM_UNREACHABLE,
		[TRANSFER_SILENT] = ERR_UPSTREAM_UNREACHABLE,
		[TRANSFER_BROKEN] = ERR_UPSTREAM_FAILED,
		[TRANSFER_SLOW] = ERR_UPSTREAM_FAILED,
		[TRANSFER_REFUSED] = ERR_UPSTREAM_FAILED,
		[TRANSFER_STARVED] = ERR_BUSY,
		[TRANSFER_STOPPED] = ERR_UPSTREAM_FAILED};
	struct place place = {.host = "upstream"};
	enum transfer_outcome outcome = judge(transfer, result);

	if (outcome != TRANSFER_DONE) {
		(void)find_place(current_url(transfer), &place);
		(void)err_set(why, codes[outcome], "%s: %s.", place.host, reason_of(transfer, result));
	}
	return outcome;
}
