/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/s3/s3_exchange.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/lock.h"
#include "server/upstream/client.h"
#include "server/upstream/curl_terms.h"
#include "server/upstream/s3/aws_credentials.h"

/* SHA-256 of no bytes. */
static const char empty_sha256[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

enum {
	HEAD_BYTES_MAX = 64 << 10,
	ERROR_BYTES_MAX = 64 << 10,
	LINE_MAX_BYTES = 1024,
	LEAST_BYTES_PER_S = 1,
	CONTINUE_TIMEOUT_MS = 300
};

struct s3_channel {
	const struct bucket_settings *settings;
	CURL *easy;
	char error[CURL_ERROR_SIZE];
	const struct s3_request *request; /* this one and its answer; so for the next */
	struct s3_answer *answer;
	int64_t sent;
	size_t head_bytes;
	bool too_large;
	bool another; /* object or part than was asked for */
	bool is_long;
	int64_t moved_ms; /* when bytes of an object were sent or taken last */
};

/* ---- what is sent ---- */

static size_t give_body(char *out, size_t size, size_t count, void *context)
{
	struct s3_channel *channel = context;
	const struct s3_body *body = &channel->request->body;
	int64_t left = body->length - channel->sent;
	size_t room = size * count;
	size_t length = left < (int64_t)room ? (size_t)left : room;
	size_t got = length;
	struct err err;

	if (body->bytes)
		memcpy(out, (const char *)body->bytes + channel->sent, length);
	else if (length > 0 &&
		 (!file_read_at(body->fd, out, length, body->offset + channel->sent, &got, &err) ||
			 got < length))
		return CURL_READFUNC_ABORT;
	channel->sent += (int64_t)got;
	channel->moved_ms = clock_monotonic_ms();
	return got;
}

/* A connection that was kept and is gone: the body is sent once more. */
static int seek_body(void *context, curl_off_t offset, int origin)
{
	struct s3_channel *channel = context;

	if (origin != SEEK_SET || offset < 0 || offset > channel->request->body.length)
		return CURL_SEEKFUNC_FAIL;
	channel->sent = offset;
	return CURL_SEEKFUNC_OK;
}

/* ---- what comes ---- */

static void take_content_range(struct s3_answer *answer, const char *value)
{
	char first[20];
	char last[20];
	char total[20];
	int end = 0;

	if (sscanf(value, "bytes %19[0-9]-%19[0-9]/%19[0-9]%n", first, last, total, &end) != 3 ||
		value[end] || !number_parse(first, &answer->range_first) ||
		!number_parse(last, &answer->range_last) || !number_parse(total, &answer->range_total))
		answer->range_first = answer->range_last = answer->range_total = -1;
}

static void take_field(struct s3_answer *answer, const char *name, const char *value)
{
	if (strcasecmp(name, "etag") == 0 && strlen(value) < sizeof answer->etag)
		(void)strcpy(answer->etag, value);
	else if (strcasecmp(name, "content-range") == 0)
		take_content_range(answer, value);
	else if (strcasecmp(name, "content-length") == 0 && !number_parse(value, &answer->length))
		answer->length = -1;
	else if (strcasecmp(name, "date") == 0 && !clock_parse_http(value, &answer->date_s))
		answer->date_s = 0;
	else if (strcasecmp(name, "last-modified") == 0 && !clock_parse_http(value, &answer->modified_s))
		answer->modified_s = 0;
}

/* A new head (of a 100, or when the request is sent once more) makes the last one void. */
static void begin_head(struct s3_answer *answer)
{
	*answer->etag = '\0';
	answer->length = answer->range_first = answer->range_last = answer->range_total = -1;
	answer->date_s = answer->modified_s = 0;
}

static size_t take_head_line(char *line, size_t size, size_t count, void *context)
{
	struct s3_channel *channel = context;
	size_t length = size * count;
	char text[LINE_MAX_BYTES];
	char *value;

	channel->head_bytes += length;
	if (channel->head_bytes > HEAD_BYTES_MAX)
		return 0;
	if (length >= sizeof text)
		return length;
	memcpy(text, line, length);
	text[length] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	if (strncmp(text, "HTTP/", 5) == 0)
		begin_head(channel->answer);
	value = strchr(text, ':');
	if (value) {
		*value++ = '\0';
		value += strspn(value, " \t");
		for (char *end = value + strlen(value); end > value && strchr(" \t", end[-1]); end--)
			end[-1] = '\0';
		take_field(channel->answer, text, value);
	}
	return length;
}

static size_t gather(struct s3_channel *channel, const char *bytes, size_t length, size_t limit)
{
	struct buffer *body = &channel->answer->body;

	channel->too_large = length > limit - (body->length < limit ? body->length : limit);
	if (channel->too_large)
		return 0;
	buffer_add(body, bytes, length);
	return length;
}

/* How many bytes of the object are to come; -1 where it is another part, or is not told. */
static int64_t bytes_to_come(const struct s3_range *range, const struct s3_answer *answer)
{
	int64_t left = range ? answer->range_total - range->first : 0;
	int64_t bytes = range && range->length >= 0 && range->length < left ? range->length : left;

	if (!range)
		return answer->length;
	return left > 0 && answer->range_first == range->first &&
			       answer->range_last == range->first + bytes - 1 &&
			       (answer->length < 0 || answer->length == bytes)
		       ? bytes
		       : -1;
}

/* Of a success; what fails may say of it what it wants. */
static bool is_another(const struct s3_channel *channel, long status)
{
	const struct s3_request *request = channel->request;
	const struct s3_answer *answer = channel->answer;

	if (strcmp(request->method, "GET") != 0)
		return false;
	return status != (request->range ? 206 : 200) ||
	       (request->object && bytes_to_come(request->range, answer) < 0) ||
	       (request->etag && strcmp(request->etag, answer->etag) != 0);
}

/* Also one without a body. */
static bool is_short(const struct s3_channel *channel)
{
	const struct s3_request *request = channel->request;
	const struct s3_answer *answer = channel->answer;
	int64_t came = request->receiver ? answer->taken : (int64_t)answer->body.length;

	return request->object && came != bytes_to_come(request->range, answer);
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
	struct s3_channel *channel = context;
	const struct s3_request *request = channel->request;
	size_t length = size * count;
	long status = 0;

	(void)curl_easy_getinfo(channel->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200 || status >= 300)
		return gather(channel, bytes, length, ERROR_BYTES_MAX);
	channel->another = is_another(channel, status);
	if (channel->another)
		return 0;
	if (!request->receiver) {
		size_t gathered = gather(channel, bytes, length, request->body_max);

		channel->answer->oversized = channel->too_large;
		return gathered;
	}
	channel->answer->declined = !request->receiver->body(request->receiver->context, bytes, length);
	if (channel->answer->declined)
		return 0;
	channel->answer->taken += (int64_t)length;
	channel->moved_ms = clock_monotonic_ms();
	return length;
}

static int64_t short_time_s(const struct bucket_settings *settings)
{
	return settings->connect_timeout_s + settings->timeout_s;
}

/* Only an object's bytes may take long. Else a refusal could drip for hours. */
static int look_at_pace(void *context, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
	struct s3_channel *channel = context;
	const atomic_bool *stop = channel->request->body.stop;

	(void)down_all;
	(void)down;
	(void)up_all;
	(void)up;
	channel->answer->declined = channel->answer->declined || (stop && atomic_load(stop));
	if (channel->answer->declined)
		return 1;
	return channel->is_long && channel->request->silence_s == 0 &&
	       clock_monotonic_ms() - channel->moved_ms > short_time_s(channel->settings) * 1000;
}

static int note_asked(void *context, char *to, char *from, int to_port, int from_port)
{
	struct s3_channel *channel = context;

	(void)to;
	(void)from;
	(void)to_port;
	(void)from_port;
	channel->answer->asked = true;
	return CURL_PREREQFUNC_OK;
}

/* ---- the request ---- */

struct s3_channel *s3_channel_create(const struct bucket_settings *settings)
{
	struct s3_channel *channel = mem_zero(1, sizeof *channel);

	client_start_library();
	channel->settings = settings;
	channel->easy = curl_easy_init();
	return channel;
}

void s3_channel_destroy(struct s3_channel *channel)
{
	if (!channel)
		return;
	curl_easy_cleanup(channel->easy);
	free(channel);
}

void s3_answer_finish(struct s3_answer *answer)
{
	buffer_finish(&answer->body);
}

#define SET(option, value) (curl_easy_setopt(channel->easy, option, value) == CURLE_OK)

/* What is small has to be over in time; a module may take as long as bytes move, and what the store has to
 * think over as long as it says something now and then. */
static bool set_bounds(struct s3_channel *channel)
{
	const struct bucket_settings *settings = channel->settings;
	const struct s3_request *request = channel->request;
	int64_t silence_s =
		request->silence_s > settings->timeout_s ? request->silence_s : settings->timeout_s;

	return curl_terms_set(channel->easy) &&
	       SET(CURLOPT_CONNECTTIMEOUT, (long)settings->connect_timeout_s) &&
	       SET(CURLOPT_LOW_SPEED_TIME, (long)silence_s) &&
	       SET(CURLOPT_EXPECT_100_TIMEOUT_MS, (long)CONTINUE_TIMEOUT_MS) &&
	       SET(CURLOPT_LOW_SPEED_LIMIT, (long)LEAST_BYTES_PER_S) &&
	       SET(CURLOPT_TIMEOUT, channel->is_long ? 0L : (long)short_time_s(settings)) &&
	       SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	       SET(CURLOPT_USERAGENT, "larder/" LARDER_VERSION) && SET(CURLOPT_PATH_AS_IS, 1L) &&
	       (!settings->ca_file || SET(CURLOPT_CAINFO, settings->ca_file));
}

static bool set_callbacks(struct s3_channel *channel)
{
	return SET(CURLOPT_HEADERFUNCTION, take_head_line) && SET(CURLOPT_HEADERDATA, channel) &&
	       SET(CURLOPT_WRITEFUNCTION, take_body) && SET(CURLOPT_WRITEDATA, channel) &&
	       SET(CURLOPT_PREREQFUNCTION, note_asked) && SET(CURLOPT_PREREQDATA, channel) &&
	       SET(CURLOPT_XFERINFOFUNCTION, look_at_pace) && SET(CURLOPT_XFERINFODATA, channel) &&
	       SET(CURLOPT_NOPROGRESS, 0L) && SET(CURLOPT_ERRORBUFFER, channel->error);
}

static bool set_method(struct s3_channel *channel)
{
	const struct s3_request *request = channel->request;

	if (strcmp(request->method, "HEAD") == 0)
		return SET(CURLOPT_NOBODY, 1L);
	if (strcmp(request->method, "PUT") == 0)
		return SET(CURLOPT_UPLOAD, 1L) &&
		       SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body.length) &&
		       SET(CURLOPT_READFUNCTION, give_body) && SET(CURLOPT_READDATA, channel) &&
		       SET(CURLOPT_SEEKFUNCTION, seek_body) && SET(CURLOPT_SEEKDATA, channel);
	if (strcmp(request->method, "POST") == 0)
		return SET(CURLOPT_POST, 1L) &&
		       SET(CURLOPT_POSTFIELDS, request->body.bytes ? request->body.bytes : "") &&
		       SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
	return strcmp(request->method, "GET") == 0 || SET(CURLOPT_CUSTOMREQUEST, request->method);
}

static bool set_range(struct s3_channel *channel)
{
	const struct s3_range *range = channel->request->range;
	AUTO_FREE char *text = NULL;

	if (!range)
		return true;
	text = range->length < 0
		       ? mem_printf("%" PRId64 "-", range->first)
		       : mem_printf("%" PRId64 "-%" PRId64, range->first, range->first + range->length - 1);
	return SET(CURLOPT_RANGE, text);
}

AUTO_CLEANER(own_lines, struct curl_slist *, curl_slist_free_all)

static bool add_line(struct curl_slist **lines, const char *name, const char *value)
{
	AUTO_FREE char *line = mem_printf("%s: %s", name, value);
	struct curl_slist *longer = curl_slist_append(*lines, line);

	if (longer)
		*lines = longer;
	return longer;
}

/* Every version of libcurl signs what is set here; those before 8.0 add no digest of their own, and those
 * before 8.3 sign empty lines that they do not send. */
static bool add_lines(
	struct s3_channel *channel, const struct aws_credentials *credentials, struct curl_slist **lines)
{
	const struct s3_request *request = channel->request;
	struct curl_slist *longer;

	if (!add_line(lines, "x-amz-content-sha256",
		    request->body.sha256 ? request->body.sha256 : empty_sha256) ||
		(*credentials->token && !add_line(lines, "x-amz-security-token", credentials->token)) ||
		(strcmp(request->method, "POST") == 0 && !add_line(lines, "Content-Type", "application/xml")))
		return false;
	if (!request->header)
		return true;
	longer = curl_slist_append(*lines, request->header);
	if (longer)
		*lines = longer;
	return longer;
}

static bool set_signature(struct s3_channel *channel, const struct aws_credentials *credentials)
{
	AUTO_FREE char *scheme = mem_printf("aws:amz:%s:s3", channel->settings->region);

	return SET(CURLOPT_AWS_SIGV4, scheme) && SET(CURLOPT_USERNAME, credentials->key_id) &&
	       SET(CURLOPT_PASSWORD, credentials->secret);
}

static bool set_request(struct s3_channel *channel, const struct curl_slist *lines)
{
	const struct s3_request *request = channel->request;

	return SET(CURLOPT_URL, request->url) && SET(CURLOPT_HTTPHEADER, lines) && set_range(channel) &&
	       set_method(channel);
}

static const char *reason_of(const struct s3_channel *channel, CURLcode result)
{
	if (channel->answer->declined)
		return "the transfer was stopped";
	if (channel->too_large)
		return "its answer is too large";
	if (channel->another)
		return "it is another object, or another part of it, than was asked for, or tells no length";
	if (result == CURLE_ABORTED_BY_CALLBACK)
		return "its answer takes too long";
	if (channel->head_bytes > HEAD_BYTES_MAX)
		return "the head of its answer is too large";
	return curl_terms_reason(channel->error, result, NULL);
}

static bool read_end(struct s3_channel *channel, CURLcode result, struct err *why)
{
	long status = 0;

	(void)curl_easy_getinfo(channel->easy, CURLINFO_RESPONSE_CODE, &status);
	channel->answer->status = (int)status;
	if (result == CURLE_OK && status >= 200 && status < 300)
		channel->another = is_another(channel, status) || is_short(channel);
	if (result == CURLE_OK && status >= 200 && !channel->another)
		return true;
	return err_set(why, status >= 200 ? ERR_UPSTREAM_FAILED : ERR_UPSTREAM_UNREACHABLE,
		"the store: %.300s", reason_of(channel, result));
}

static void begin(struct s3_channel *channel, const struct s3_request *request, struct s3_answer *out)
{
	memset(out, 0, sizeof *out);
	begin_head(out);
	channel->request = request;
	channel->answer = out;
	channel->sent = 0;
	channel->is_long =
		request->receiver || request->silence_s > 0 || request->body.length > ERROR_BYTES_MAX;
	channel->moved_ms = clock_monotonic_ms();
	channel->head_bytes = 0;
	channel->too_large = channel->another = false;
	*channel->error = '\0';
}

bool s3_exchange(
	struct s3_channel *channel, const struct s3_request *request, struct s3_answer *out, struct err *why)
{
	AUTO(own_lines) struct curl_slist *lines = NULL;
	AUTO(aws_credentials_finish) struct aws_credentials credentials = {0};
	CURLcode result;

	may_call_out("a store");
	begin(channel, request, out);
	if (!aws_credentials_read(channel->settings->credentials_file, &credentials, why))
		return false;
	if (!channel->easy)
		return curl_terms_refuse_handle(why);
	curl_easy_reset(channel->easy);
	if (!add_lines(channel, &credentials, &lines) || !set_bounds(channel) || !set_callbacks(channel) ||
		!set_request(channel, lines) || !set_signature(channel, &credentials))
		return curl_terms_refuse_options(why);
	result = curl_easy_perform(channel->easy);
	/* It keeps them otherwise, and its memory may be looked at. */
	(void)curl_easy_setopt(channel->easy, CURLOPT_PASSWORD, NULL);
	return read_end(channel, result, why);
}
