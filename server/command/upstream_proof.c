/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/upstream_proof.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/mem.h"
#include "server/upstream/client.h"
#include "server/upstream/curl_terms.h"
#include "server/upstream/upstream.h"

enum {
	WAIT_MS = 1000,
	CLOCK_SLACK_S = 300,     /* what may be between two clocks */
	SOON_S = 14 * 24 * 3600, /* for a certificate that nobody has renewed by then */
	HEAD_BYTES_MAX = 64 << 10,
};

struct question {
	const struct upstream *upstream;
	CURL *easy;
	char *url;
	char error[CURL_ERROR_SIZE];
	CURLcode result;
	size_t head_bytes;
	bool has_date;
	int64_t their_s; /* what its Date said, and what the clock here said then */
	int64_t our_s;
};

/* The root of the server that a template names, without what may be secret. The words of a template stand
 * behind the host. */
static char *root_of(const char *template)
{
	const char *host = strstr(template, "://") + 3;
	const char *after_user;
	size_t length = strcspn(host, "/?#");

	after_user = memrchr(host, '@', length);
	if (after_user)
		return mem_printf("%.*s%.*s/", (int)(host - template), template,
			(int)(host + length - after_user - 1), after_user + 1);
	return mem_printf("%.*s/", (int)(host + length - template), template);
}

static size_t take_head_line(char *line, size_t size, size_t count, void *context)
{
	static const char name[] = "Date:";
	struct question *question = context;
	const size_t length = size * count;
	char date[64] = "";

	question->head_bytes += length;
	if (question->head_bytes > HEAD_BYTES_MAX)
		return 0;
	if (length < sizeof date && length >= sizeof name && strncasecmp(line, name, sizeof name - 1) == 0) {
		memcpy(date, line + sizeof name - 1, length - (sizeof name - 1));
		date[strcspn(date, "\r\n")] = '\0';
		question->has_date = clock_parse_http(date + strspn(date, " \t"), &question->their_s);
		question->our_s = clock_now_s();
	}
	return length;
}

#define SET(option, value) (curl_easy_setopt(question->easy, option, value) == CURLE_OK)

static bool set_way(struct question *question)
{
	const struct upstream *upstream = question->upstream;
	const char *proxy = upstream->proxy;

	return (!upstream->ca_file || SET(CURLOPT_CAINFO, upstream->ca_file)) &&
	       (!proxy || (SET(CURLOPT_PROXY, strcmp(proxy, "none") == 0 ? "" : proxy) &&
				  SET(CURLOPT_NOPROXY, "")));
}

static bool set_question(struct question *question, int64_t patience_s)
{
	return question->easy && curl_terms_set(question->easy) && SET(CURLOPT_URL, question->url) &&
	       SET(CURLOPT_NOBODY, 1L) && SET(CURLOPT_TIMEOUT, (long)patience_s) &&
	       SET(CURLOPT_USERAGENT, "larder-doctor") && SET(CURLOPT_CERTINFO, 1L) &&
	       SET(CURLOPT_ERRORBUFFER, question->error) && SET(CURLOPT_HEADERFUNCTION, take_head_line) &&
	       SET(CURLOPT_HEADERDATA, question) && SET(CURLOPT_PRIVATE, question) && set_way(question);
}

static void ask(struct question *question, int64_t patience_s, CURLM *multi)
{
	question->result = CURLE_FAILED_INIT;
	question->url = root_of(question->upstream->url);
	question->easy = curl_easy_init();
	if (set_question(question, patience_s) && multi)
		(void)curl_multi_add_handle(multi, question->easy);
}

static void note_ended(CURLM *multi)
{
	const CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(multi, &left))) {
		struct question *question = NULL;

		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &question);
		if (message->msg == CURLMSG_DONE && question)
			question->result = message->data.result;
	}
}

/* Each has its own time-out, so that this ends. */
static void await_all(CURLM *multi)
{
	int running = 1;

	while (multi && running > 0 && curl_multi_perform(multi, &running) == CURLM_OK) {
		note_ended(multi);
		if (running > 0 && curl_multi_poll(multi, NULL, 0, WAIT_MS, NULL) != CURLM_OK)
			return;
	}
}

/* When the certificate of the server ends; -1: there was none, or libcurl does not tell. */
static time_t end_of_certificate(const struct question *question)
{
	static const char name[] = "Expire date:";
	struct curl_certinfo *info = NULL;

	if (curl_easy_getinfo(question->easy, CURLINFO_CERTINFO, &info) != CURLE_OK || !info ||
		info->num_of_certs < 1)
		return -1;
	for (const struct curl_slist *line = info->certinfo[0]; line; line = line->next) {
		if (strncmp(line->data, name, sizeof name - 1) == 0)
			return curl_getdate(line->data + sizeof name - 1, NULL);
	}
	return -1;
}

static const struct remedy {
	CURLcode result;
	const char *text;
} remedies[] = {
	{CURLE_COULDNT_RESOLVE_PROXY, "correct the proxy's name: upstream.proxy, or the environment's"},
	{CURLE_COULDNT_RESOLVE_HOST, "correct the name in its url, or see to this machine's name servers"},
	{CURLE_COULDNT_CONNECT, "see whether it runs, and whether a firewall or a proxy stands between"},
	{CURLE_OPERATION_TIMEDOUT, "see whether it runs, and whether a firewall or a proxy stands between"},
	{CURLE_PEER_FAILED_VERIFICATION, "name who signs its certificate by upstream.ca_file, or have it "
					 "renewed; see to the clock here"},
	{CURLE_SSL_CACERT_BADFILE, "install ca-certificates, or correct upstream.ca_file"},
	{CURLE_SSL_CONNECT_ERROR, "see whether its url should begin with http, and what TLS it speaks"},
};

static const char *remedy_for(CURLcode result)
{
	for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++) {
		if (remedies[i].result == result)
			return remedies[i].text;
	}
	return "see whether its url is right, and what stands between";
}

static void judge_answer(const struct question *question, struct finding *finding)
{
	const time_t end = end_of_certificate(question);
	const int64_t ahead_s = question->has_date ? question->our_s - question->their_s : 0;
	long status = 0;

	(void)curl_easy_getinfo(question->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status == 407)
		finding_set(finding, FINDING_FAULT, "give the proxy's user and password in its address",
			"the proxy before %.200s wants to know who asks (407)", question->url);
	else if (status >= 500)
		finding_set(finding, FINDING_WARNING, "wait, or tell those who run it",
			"%.200s answers with status %ld", question->url, status);
	else if (llabs(ahead_s) > CLOCK_SLACK_S)
		finding_set(finding, FINDING_WARNING, "set the clock that is wrong, and have NTP keep it",
			"the clock here is %" PRId64 " s %s that of %.150s", (int64_t)llabs(ahead_s),
			ahead_s > 0 ? "ahead of" : "behind", question->url);
	else if (end > 0 && end < clock_now_s() + SOON_S)
		finding_set(finding, FINDING_WARNING, "have those who run it renew its certificate",
			"the certificate of %.150s ends at %s", question->url, clock_rfc3339(end).text);
	else
		finding_set(finding, FINDING_OK, NULL, "%.150s answers%s%s", question->url,
			end > 0 ? "; its certificate is good until " : "",
			end > 0 ? clock_rfc3339(end).text : "");
}

static void judge(const struct question *question, struct finding *finding)
{
	if (question->result == CURLE_OK)
		judge_answer(question, finding);
	else
		finding_set(finding, FINDING_FAULT, remedy_for(question->result), "%.120s: %.180s",
			question->url,
			curl_terms_reason(question->error, question->result, question->upstream->proxy));
}

static void forget(struct question *question, CURLM *multi)
{
	if (question->easy && multi)
		(void)curl_multi_remove_handle(multi, question->easy);
	curl_easy_cleanup(question->easy);
	free(question->url);
}

void upstream_proof_run(const struct config *config,
	void (*tell)(void *context, const char *upstream, struct finding *finding), void *context)
{
	const size_t count = config->upstream_count;
	AUTO_FREE struct question *questions = mem_zero(count + 1, sizeof *questions);
	CURLM *multi;

	client_start_library();
	multi = curl_multi_init();
	for (size_t i = 0; i < count; i++) {
		questions[i].upstream = &config->upstreams[i];
		ask(&questions[i], config->mirror.connect_timeout_s, multi);
	}
	await_all(multi);
	for (size_t i = 0; i < count; i++) {
		struct finding finding = {0};

		judge(&questions[i], &finding);
		tell(context, questions[i].upstream->name, &finding);
		forget(&questions[i], multi);
	}
	(void)curl_multi_cleanup(multi);
}
