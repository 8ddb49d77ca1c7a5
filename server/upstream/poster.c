/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/poster.h"

#include <curl/curl.h>

#include "common/mem.h"
#include "common/lock.h"
#include "server/upstream/client.h"
#include "server/upstream/curl_terms.h"

/* What of an answer is read, so that the connection can be used again; more is cut off. */
enum { HEAD_BYTES_MAX = 64 << 10, BODY_BYTES_MAX = 64 << 10 };

struct poster {
	const struct poster_settings *settings;
	CURL *easy;
	char error[CURL_ERROR_SIZE];
	size_t head_bytes; /* of the answer that comes; so for the next */
	size_t body_bytes;
	const _Atomic bool *stop;
};

static size_t take_head_line(char *line, size_t size, size_t count, void *context)
{
	struct poster *poster = context;

	(void)line;
	poster->head_bytes += size * count;
	return poster->head_bytes <= HEAD_BYTES_MAX ? size * count : 0;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
	struct poster *poster = context;

	(void)bytes;
	poster->body_bytes += size * count;
	return poster->body_bytes <= BODY_BYTES_MAX ? size * count : 0;
}

static int look_at_stop(void *context, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
	const struct poster *poster = context;

	(void)down_all;
	(void)down;
	(void)up_all;
	(void)up;
	return atomic_load(poster->stop);
}

struct poster *poster_create(const struct poster_settings *settings)
{
	struct poster *poster = mem_zero(1, sizeof *poster);

	client_start_library();
	poster->settings = settings;
	poster->easy = curl_easy_init();
	return poster;
}

void poster_destroy(struct poster *poster)
{
	if (!poster)
		return;
	curl_easy_cleanup(poster->easy);
	free(poster);
}

#define SET(option, value) (curl_easy_setopt(poster->easy, option, value) == CURLE_OK)

static bool set_bounds(struct poster *poster)
{
	const struct poster_settings *settings = poster->settings;

	return curl_terms_set(poster->easy) &&
	       SET(CURLOPT_CONNECTTIMEOUT, (long)settings->connect_timeout_s) &&
	       SET(CURLOPT_TIMEOUT, (long)settings->timeout_s);
}

static bool set_callbacks(struct poster *poster)
{
	return SET(CURLOPT_HEADERFUNCTION, take_head_line) && SET(CURLOPT_HEADERDATA, poster) &&
	       SET(CURLOPT_WRITEFUNCTION, take_body) && SET(CURLOPT_WRITEDATA, poster) &&
	       SET(CURLOPT_XFERINFOFUNCTION, look_at_stop) && SET(CURLOPT_XFERINFODATA, poster) &&
	       SET(CURLOPT_NOPROGRESS, 0L) && SET(CURLOPT_ERRORBUFFER, poster->error);
}

static bool set_request(
	struct poster *poster, const struct posting *posting, const struct curl_slist *headers)
{
	const struct poster_settings *settings = poster->settings;

	return SET(CURLOPT_URL, settings->url) && SET(CURLOPT_USERAGENT, settings->user_agent) &&
	       SET(CURLOPT_POST, 1L) && SET(CURLOPT_POSTFIELDS, posting->body) &&
	       SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)posting->length) &&
	       SET(CURLOPT_HTTPHEADER, headers) &&
	       (!settings->ca_file || SET(CURLOPT_CAINFO, settings->ca_file));
}

AUTO_CLEANER(own_header_list, struct curl_slist *, curl_slist_free_all)

static bool add_header(struct curl_slist **headers, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*headers, line);

	if (longer)
		*headers = longer;
	return longer;
}

static bool add_headers(const struct posting *posting, struct curl_slist **headers)
{
	for (size_t i = 0; posting->headers[i]; i++) {
		if (!add_header(headers, posting->headers[i]))
			return false;
	}
	/* Nobody is to be asked first whether he takes a body of this size. */
	return add_header(headers, "Expect:");
}

static const char *reason_of(const struct poster *poster, CURLcode result)
{
	if (result == CURLE_OK)
		return "it ended without an answer";
	return curl_terms_reason(poster->error, result, NULL);
}

/* What has said its status has answered, whatever comes behind it or does not. */
static bool read_answer(struct poster *poster, CURLcode result, struct posting_answer *out, struct err *why)
{
	curl_off_t retry_after_s = 0;
	long status = 0;

	(void)curl_easy_getinfo(poster->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(poster->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
	if (atomic_load(poster->stop) && result == CURLE_ABORTED_BY_CALLBACK)
		return err_set(why, ERR_UPSTREAM_UNREACHABLE, "the daemon is stopping");
	if (poster->head_bytes > HEAD_BYTES_MAX)
		return err_set(why, ERR_UPSTREAM_UNREACHABLE, "the head of its answer is too large");
	if (status < 200)
		return err_set(why, ERR_UPSTREAM_UNREACHABLE, "%.300s", reason_of(poster, result));
	*out = (struct posting_answer){(int)status, retry_after_s};
	return true;
}

bool poster_send(struct poster *poster, const struct posting *posting, const _Atomic bool *stop,
	struct posting_answer *out, struct err *why)
{
	AUTO(own_header_list) struct curl_slist *headers = NULL;

	may_call_out("a receiver");
	if (!poster->easy)
		return curl_terms_refuse_handle(why);
	curl_easy_reset(poster->easy);
	poster->stop = stop;
	poster->error[0] = '\0';
	poster->head_bytes = poster->body_bytes = 0;
	if (!add_headers(posting, &headers) || !set_bounds(poster) || !set_callbacks(poster) ||
		!set_request(poster, posting, headers))
		return curl_terms_refuse_options(why);
	return read_answer(poster, curl_easy_perform(poster->easy), out, why);
}
