/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/remote.h"

#include <curl/curl.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "common/digest.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/command/part_file.h"
#include "server/command/remote_refusal.h"
#include "server/command/text_table.h"

static const char default_server[] = "http://127.0.0.1:8080";

enum {
	REPLY_MAX = 64 << 20, /* bytes of JSON: a page of modules, one version's signatures */
	TOKEN_MAX = 4096,
	CONNECT_TIMEOUT_S = 15,
	EXPECT_TIMEOUT_MS = 5000,
	ASKING_TIMEOUT_MS = 120 * 1000, /* an upload may have to wait for its turn */
	STALL_TIMEOUT_S = 300,          /* a registry that examines a large upload is silent for a while */
	BUSY_MS = 120 * 1000,           /* so long a busy one is tried again */
	BUSY_PAUSE_MS = 1000,
	UNREACHED_TRIES =
		5, /* one that is started anew takes seconds, and has forgotten what was under way */
	UNREACHED_PAUSE_MS = 250
};

struct remote {
	char *server;
	bool is_named; /* by somebody */
	bool is_itself;
	// /* without its last slash */
	char *authorization;
	CURL *easy;
	struct buffer body;
	bool too_large;
	int64_t retry_after_s; /* what the last answer has asked for; 0: nothing */
	char problem[CURL_ERROR_SIZE];
};

/* One running upload. */
struct source {
	const struct remote_upload *upload;
	int64_t size_bytes;
	int64_t offset;
	bool is_welcome; /* the server said so before the body */
};

AUTO_CLEANER(own_headers, struct curl_slist *, curl_slist_free_all)

/* ---- which registry ---- */

const struct option_row remote_option_rows[] = {
	{"server", 0, "URL", TEXT_INTO(struct remote_options, server),
		"the registry (default: $LARDER_SERVER, or http://127.0.0.1:8080)"},
	{"token", 0, "TOKEN", TEXT_INTO(struct remote_options, token),
		"the token to send (default: $LARDER_TOKEN)", .or_next = true, .is_secret = true},
	{"token-file", 0, "FILE", TEXT_INTO(struct remote_options, token_file), "the file that holds it"},
	{0},
};

static const char *or_environment(const char *given, const char *variable)
{
	const char *value = given ? given : getenv(variable);

	return value && *value ? value : NULL;
}

/* "" where there is none: many a registry lets anyone read. */
static bool read_token(const struct remote_options *options, struct buffer *token, struct err *err)
{
	bool from_file = options->token_file && !options->token;
	const char *value = from_file ? NULL : or_environment(options->token, "LARDER_TOKEN");

	buffer_add_string(token, value ? value : "");
	if (from_file && !file_read_all(options->token_file, TOKEN_MAX, token, err))
		return false;
	if (from_file && token->data)
		token->data[strcspn(token->data, " \t\r\n")] = '\0';
	return true;
}

static bool make_authorization(const struct remote_options *options, char **out, struct err *err)
{
	AUTO_BUFFER struct buffer token = {0};
	const char *text;

	if (!read_token(options, &token, err))
		return false;
	text = buffer_string(&token);
	for (const char *c = text; *c; c++) {
		if (*c <= ' ' || *c > '~')
			return err_set(err, ERR_BAD_REQUEST,
				"The token has characters that no token has: is it whole, and alone?");
	}
	*out = *text ? mem_printf("Authorization: Bearer %s", text) : NULL;
	return true;
}

/* A host, with or without a port, is meant as http:. What follows it must be a port or nothing. */
static bool is_host(const char *server)
{
	static const char signs[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";

	return *server && server[strspn(server, signs)] == '\0';
}

static bool read_server(const char *server, char **out, struct err *err)
{
	size_t length = strlen(server);
	const char *scheme = "";

	while (length && server[length - 1] == '/')
		length--;
	if (strncasecmp(server, "http://", 7) != 0 && strncasecmp(server, "https://", 8) != 0) {
		if (!is_host(server))
			return err_set(err, ERR_BAD_REQUEST, "\"%s\" is no URL of a registry, such as %s.",
				server, default_server);
		scheme = "http://";
	}
	*out = mem_printf("%s%.*s", scheme, (int)length, server);
	return true;
}

bool remote_create(const struct remote_options *options, struct remote **out, struct err *err)
{
	AUTO_REMOTE struct remote *remote = mem_zero(1, sizeof *remote);
	const char *server = or_environment(options->server, "LARDER_SERVER");

	remote->is_named = server;
	remote->is_itself = options->is_itself;
	if (!read_server(server ? server : default_server, &remote->server, err) ||
		!make_authorization(options, &remote->authorization, err))
		return false;
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	remote->easy = curl_easy_init();
	if (!remote->easy)
		return err_set(err, ERR_INTERNAL, "libcurl cannot be started.");
	*out = TAKE(remote);
	return true;
}

void remote_destroy(struct remote *remote)
{
	if (!remote)
		return;
	curl_easy_cleanup(remote->easy);
	buffer_finish(&remote->body);
	free(remote->authorization);
	free(remote->server);
	free(remote);
}

int64_t remote_retry_after_s(const struct remote *remote)
{
	return remote->retry_after_s;
}

bool remote_is_named(const struct remote *remote)
{
	return remote->is_named;
}

const char *remote_server(const struct remote *remote)
{
	return remote->server;
}

/* ---- one request ---- */

#define SET(option, value) (curl_easy_setopt(remote->easy, option, value) == CURLE_OK)

static bool restrict_protocols(struct remote *remote)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	return SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
	return SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
	struct remote *remote = context;
	size_t length = size * count;

	remote->too_large = remote->body.length + length > REPLY_MAX;
	if (remote->too_large)
		return 0;
	buffer_add(&remote->body, bytes, length);
	return length;
}

/* A path with dots in it goes out as it was written: it is for the server to refuse, not to become another.
 * Redirects are not followed: the API has none, and a token goes to the registry that was named. */
static bool prepare(struct remote *remote, const char *url, struct curl_slist *headers, struct err *err)
{
	curl_easy_reset(remote->easy);
	buffer_finish(&remote->body);
	remote->too_large = false;
	remote->problem[0] = '\0';
	if (SET(CURLOPT_URL, url) && restrict_protocols(remote) && SET(CURLOPT_NOSIGNAL, 1L) &&
		SET(CURLOPT_PATH_AS_IS, 1L) && SET(CURLOPT_USERAGENT, "larder/" LARDER_VERSION) &&
		SET(CURLOPT_HTTPHEADER, headers) && SET(CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S) &&
		SET(CURLOPT_LOW_SPEED_LIMIT, 1L) && SET(CURLOPT_LOW_SPEED_TIME, (long)STALL_TIMEOUT_S) &&
		SET(CURLOPT_ERRORBUFFER, remote->problem) && SET(CURLOPT_WRITEFUNCTION, take_body) &&
		SET(CURLOPT_WRITEDATA, remote) && /* Its certificate has another name than where it listens,
						     and no proxy leads there. */
		(!remote->is_itself || (SET(CURLOPT_NOPROXY, "*") && SET(CURLOPT_SSL_VERIFYPEER, 0L) &&
					       SET(CURLOPT_SSL_VERIFYHOST, 0L))))
		return true;
	return err_set(err, ERR_INTERNAL, "libcurl refuses an option.");
}

/* What to do where nobody answers at all. */
static const char *advice(CURLcode code)
{
	if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
		return " Is it running? Start it with `larder serve`, or name another with --server or "
		       "$LARDER_SERVER.";
	return "";
}

/* A refusal may come while the body still goes out, which then fails: the answer counts. */
static bool perform(struct remote *remote, struct remote_reply *reply, struct err *err)
{
	CURLcode code = curl_easy_perform(remote->easy);
	long status = 0;
	curl_off_t retry_after_s = 0;

	(void)curl_easy_getinfo(remote->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(remote->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
	remote->retry_after_s = retry_after_s;
	if (remote->too_large)
		return err_set(
			err, ERR_UPSTREAM_FAILED, "%s answers more than a registry would.", remote->server);
	if (code != CURLE_OK && (status < 400 || remote->body.length == 0)) {
		(void)err_set(err, ERR_UPSTREAM_UNREACHABLE, "%s: %s.%s", remote->server,
			*remote->problem ? remote->problem : curl_easy_strerror(code), advice(code));
		text_table_blank_controls(err->text);
		return false;
	}
	reply->status = status;
	reply->json =
		remote->body.length ? json_loadb(remote->body.data, remote->body.length, 0, NULL) : NULL;
	return true;
}

/* Keeps what the list was where there is no memory for one more. */
static void add_header(struct curl_slist **headers, const char *line)
{
	struct curl_slist *longer = line ? curl_slist_append(*headers, line) : NULL;

	*headers = longer ? longer : *headers;
}

/* ---- get ---- */

char *remote_path_of(const char *target)
{
	const char *host = strstr(target, "://");
	const char *path = host && host < target + strcspn(target, "/?") + 1 ? strchr(host + 3, '/') : target;

	path = path ? path : "/";
	/* Behind the server's name anything but a slash could make it another's: "@elsewhere/". */
	return *path == '/' ? mem_dup(path) : mem_printf("/%s", path);
}

/* Performs what is prepared, and takes an object out of a good answer. */
bool remote_refuse_stranger(const struct remote *remote, struct err *err)
{
	return err_set(
		err, ERR_UPSTREAM_FAILED, "%s does not answer as a Larder does: is it one?", remote->server);
}

static bool perform_for_object(struct remote *remote, json_t **out, struct err *err)
{
	AUTO(remote_reply_finish) struct remote_reply reply = {0};

	if (!perform(remote, &reply, err) || !remote_accepted(&reply, err))
		return false;
	if (reply.status == 204 && !reply.json)
		reply.json = json_object();
	if (!json_is_object(reply.json))
		return remote_refuse_stranger(remote, err);
	*out = TAKE(reply.json);
	return true;
}

bool remote_get(struct remote *remote, const char *target, json_t **out, struct err *err)
{
	AUTO(own_headers) struct curl_slist *headers = NULL;
	AUTO_FREE char *path = remote_path_of(target);
	AUTO_FREE char *url = mem_printf("%s%s", remote->server, path);

	add_header(&headers, "Accept: application/json");
	add_header(&headers, remote->authorization);
	return prepare(remote, url, headers, err) && perform_for_object(remote, out, err);
}

/* ---- post ---- */

bool remote_post(struct remote *remote, const char *target, const json_t *body, json_t **out, struct err *err)
{
	AUTO(own_headers) struct curl_slist *headers = NULL;
	AUTO_FREE char *url = mem_printf("%s%s", remote->server, target);
	AUTO_FREE char *text = json_dumps(body, JSON_COMPACT);

	add_header(&headers, "Content-Type: application/json");
	add_header(&headers, "Accept: application/json");
	add_header(&headers, "Expect:");
	add_header(&headers, remote->authorization);
	if (!prepare(remote, url, headers, err))
		return false;
	if (!SET(CURLOPT_POSTFIELDSIZE, (long)strlen(text)) || !SET(CURLOPT_POSTFIELDS, text))
		return err_set(err, ERR_INTERNAL, "libcurl refuses an option.");
	return perform_for_object(remote, out, err);
}

/* ---- delete ---- */

bool remote_delete(struct remote *remote, const char *target, json_t **out, struct err *err)
{
	AUTO(own_headers) struct curl_slist *headers = NULL;
	AUTO_FREE char *url = mem_printf("%s%s", remote->server, target);

	add_header(&headers, "Accept: application/json");
	add_header(&headers, remote->authorization);
	if (!prepare(remote, url, headers, err))
		return false;
	if (!SET(CURLOPT_CUSTOMREQUEST, "DELETE"))
		return err_set(err, ERR_INTERNAL, "libcurl refuses an option.");
	return perform_for_object(remote, out, err);
}

/* ---- put ---- */

static size_t give_body(char *bytes, size_t size, size_t count, void *context)
{
	struct source *source = context;
	const struct remote_upload *upload = source->upload;
	struct err err;
	size_t got;

	if (upload->asks_only)
		return CURL_READFUNC_ABORT;
	if (!(upload->read ? upload->read(upload->context, source->offset, bytes, size * count, &got, &err)
			   : file_read_at(upload->fd, bytes, size * count, source->offset, &got, &err)))
		return CURL_READFUNC_ABORT;
	source->offset += (int64_t)got;
	if (upload->progressed)
		upload->progressed(upload->context, source->offset, source->size_bytes);
	return got;
}

static size_t note_welcome(char *line, size_t size, size_t count, void *context)
{
	struct source *source = context;

	if (size * count >= 12 && strncmp(line, "HTTP/1.1 100", 12) == 0)
		source->is_welcome = true;
	return size * count;
}

static int seek_body(void *context, curl_off_t offset, int origin)
{
	struct source *source = context;

	if (origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	source->offset = offset;
	return CURL_SEEKFUNC_OK;
}

static bool add_digest(const struct remote_upload *upload, struct curl_slist **headers, struct err *err)
{
	AUTO_FREE char *repr = NULL;
	AUTO_HASHER struct hasher *hasher = hasher_create();
	struct digest digest;
	int64_t length;

	if (!part_file_hash(upload->fd, hasher, &length, err))
		return false;
	digest = hasher_result(hasher);
	repr = mem_printf("Repr-Digest: sha-256=:%s:", base64_encode(digest.bytes, sizeof digest.bytes).text);
	add_header(headers, repr);
	return true;
}

static bool make_put_headers(struct remote *remote, const struct remote_upload *upload,
	struct curl_slist **headers, struct err *err)
{
	AUTO_FREE char *type = mem_printf("Content-Type: %s", upload->media_type);

	if (!upload->read && !add_digest(upload, headers, err))
		return false;
	add_header(headers, type);
	add_header(headers, "Expect: 100-continue");
	add_header(headers, "Accept: application/json");
	add_header(headers, remote->authorization);
	return true;
}

static bool prepare_put(struct remote *remote, struct source *source, struct err *err)
{
	bool asks_only = source->upload->asks_only;

	if (source->upload->is_post && !SET(CURLOPT_CUSTOMREQUEST, "POST"))
		return err_set(err, ERR_INTERNAL, "libcurl refuses an option.");
	/* A welcome is a status line of HTTP/1.1. */
	if (asks_only && !SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1))
		return err_set(err, ERR_INTERNAL, "libcurl refuses an option.");
	if (SET(CURLOPT_UPLOAD, 1L) && SET(CURLOPT_READFUNCTION, give_body) &&
		SET(CURLOPT_READDATA, source) && SET(CURLOPT_SEEKFUNCTION, seek_body) &&
		SET(CURLOPT_SEEKDATA, source) &&
		SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)source->size_bytes) &&
		SET(CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10) && SET(CURLOPT_HEADERFUNCTION, note_welcome) &&
		SET(CURLOPT_HEADERDATA, source) &&
		SET(CURLOPT_EXPECT_100_TIMEOUT_MS, (long)(asks_only ? ASKING_TIMEOUT_MS : EXPECT_TIMEOUT_MS)))
		return true;
	return err_set(err, ERR_INTERNAL, "libcurl refuses an option.");
}

bool remote_send(struct remote *remote, const struct remote_upload *upload, struct remote_reply *reply,
	struct err *err)
{
	AUTO(own_headers) struct curl_slist *headers = NULL;
	AUTO_FREE char *url = mem_printf("%s%s", remote->server, upload->target);
	struct source source = {.upload = upload, .size_bytes = upload->size_bytes};
	struct stat status;

	if (!upload->read && fstat(upload->fd, &status) < 0)
		return err_errno(err, errno, "read the file");
	if (!upload->read)
		source.size_bytes = status.st_size;
	if (!make_put_headers(remote, upload, &headers, err) || !prepare(remote, url, headers, err) ||
		!prepare_put(remote, &source, err))
		return false;
	if (perform(remote, reply, err))
		return true;
	if (upload->asks_only && source.is_welcome)
		reply->status = 100;
	return reply->status == 100;
}

/* ---- a file ---- */

/* One running download. */
struct sink {
	const struct remote_download *download;
	struct remote *remote;
	struct remote_head *head;
	bool begun;
	bool failed;
	struct err err; /* where it failed by itself */
};

static const struct {
	const char *name;
	size_t offset;
	size_t size;
} head_fields[] = {
#define HEAD_FIELD(name, field) \
	{ \
		name, offsetof(struct remote_head, field), sizeof((struct remote_head *)NULL)->field \
	}
	HEAD_FIELD("ETag", etag),
	HEAD_FIELD("Repr-Digest", repr_digest),
	HEAD_FIELD("Content-Type", media_type),
	HEAD_FIELD("Content-Disposition", disposition),
	HEAD_FIELD("Location", location),
	HEAD_FIELD("Content-Range", range),
};

static void note_field(struct remote_head *head, const char *name, const char *value)
{
	if (strcasecmp(name, "Content-Length") == 0 && !number_parse(value, &head->length_bytes))
		head->length_bytes = -1;
	for (size_t i = 0; i < sizeof head_fields / sizeof *head_fields; i++) {
		char *slot = (char *)head + head_fields[i].offset;

		if (strcasecmp(name, head_fields[i].name) == 0)
			(void)snprintf(slot, head_fields[i].size, "%s",
				strlen(value) < head_fields[i].size ? value : "");
	}
}

/* Each answer, also an interim one, begins anew. */
static size_t take_header(char *line, size_t size, size_t count, void *context)
{
	struct remote_head *head = context;
	AUTO_FREE char *text = mem_dup_n(line, size * count);
	char *value = text + strcspn(text, ":");

	text[strcspn(text, "\r\n")] = '\0';
	if (strncmp(text, "HTTP/", 5) == 0) {
		*head = (struct remote_head){
			.status = strtol(text + strcspn(text, " "), NULL, 10), .length_bytes = -1};
	} else if (*value) {
		*value++ = '\0';
		note_field(head, text, value + strspn(value, " \t"));
	}
	return size * count;
}

static bool has_file(const struct remote_head *head)
{
	return head->status == 200 || head->status == 206;
}

static bool begin_file(struct sink *sink)
{
	const struct remote_download *download = sink->download;

	if (!sink->begun && !sink->failed)
		sink->failed = !download->begin(download->context, sink->head, &sink->err);
	sink->begun = true;
	return !sink->failed;
}

static size_t take_file(char *bytes, size_t size, size_t count, void *context)
{
	struct sink *sink = context;
	const struct remote_download *download = sink->download;

	if (!has_file(sink->head))
		return take_body(bytes, size, count, sink->remote);
	if (!begin_file(sink))
		return 0;
	sink->failed = !download->take(download->context, bytes, size * count, &sink->err);
	return sink->failed ? 0 : size * count;
}

static bool prepare_file(struct remote *remote, struct sink *sink, struct err *err)
{
	if (SET(CURLOPT_HEADERFUNCTION, take_header) && SET(CURLOPT_HEADERDATA, sink->head) &&
		SET(CURLOPT_WRITEFUNCTION, take_file) && SET(CURLOPT_WRITEDATA, sink) &&
		SET(CURLOPT_NOBODY, (long)sink->download->head_only) && SET(CURLOPT_BUFFERSIZE, 256L << 10))
		return true;
	return err_set(err, ERR_INTERNAL, "libcurl refuses an option.");
}

static void add_file_headers(
	struct remote *remote, const struct remote_download *download, struct curl_slist **headers)
{
	AUTO_FREE char *range = mem_printf("Range: bytes=%lld-", (long long)download->first);
	AUTO_FREE char *condition = mem_printf("If-Range: %s", download->etag ? download->etag : "");

	add_header(headers, "Accept: application/problem+json, */*");
	add_header(headers, remote->authorization);
	if (download->first <= 0 || !download->etag)
		return;
	add_header(headers, range);
	add_header(headers, condition);
}

bool remote_get_file(struct remote *remote, const struct remote_download *download, struct remote_head *head,
	struct remote_reply *reply, struct err *err)
{
	AUTO(own_headers) struct curl_slist *headers = NULL;
	AUTO_FREE char *url = mem_printf("%s%s", remote->server, download->target);
	struct sink sink = {.download = download, .remote = remote, .head = head};
	bool answered;

	*head = (struct remote_head){.length_bytes = -1};
	add_file_headers(remote, download, &headers);
	if (!prepare(remote, url, headers, err) || !prepare_file(remote, &sink, err))
		return false;
	answered = perform(remote, reply, err);
	if (answered && has_file(head) && !download->head_only)
		(void)begin_file(&sink); /* an empty file has no bytes that would begin it */
	if (sink.failed)
		*err = sink.err;
	return answered && !sink.failed;
}

/* ---- what came back ---- */

bool remote_accepted(const struct remote_reply *reply, struct err *err)
{
	return (reply->status >= 200 && reply->status < 300) ||
	       remote_refusal_tell(reply->status, reply->json, err);
}

void remote_reply_finish(struct remote_reply *reply)
{
	json_decref(reply->json);
	reply->json = NULL;
}
