/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/lock.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "server/metrics.h"
#include "server/ranks.h"
#include "server/upstream/transfer.h"

static const struct lock_place lock_place = {"client", RANK_CLIENT};

enum { POOLED_CONNECTIONS = 64, SPARE_DESCRIPTORS = 8, ROUND_MS = 1000, REST_MS = 60 * 1000 };

/* A transfer and who waits for it; it lives on his stack. */
struct job {
	struct client *client;
	/* The caller's before and after, the client's thread's in between: but for its head once that is
	 * there and for the piece that is handed over, which are the caller's. */
	struct transfer transfer;
	const _Atomic bool *stop;
	_Atomic bool refused;  /* the receiver wants no more */
	bool told;             /* the caller's: the receiver has the head; */
	size_t taken;          /* … bytes of the piece that it takes now */
	struct list_link link; /* in handed, then in running */

	pthread_cond_t has_news; /* with the client's mutex, which guards what follows */
	bool answered;           /* the head is there */
	bool waited_for;         /* the thread has something to hand over */
	bool ended;
	CURLcode result;
};

struct client {
	struct lock
		mutex; /* guards handed, callers, stopping, the ends of jobs and the start of the thread */
	pthread_cond_t is_empty;
	struct list handed; /* jobs that are new to the thread */
	size_t callers;
	bool stopping;

	struct list running; /* this and the multi handle are the thread's, if it was started */
	CURLM *multi;        /* NULL before; others may only wake it */
	pthread_t thread;
	struct client_settings settings;
	char *user_agent;
};

/* The job may be gone when this returns. */
static void end_job(struct client *client, struct job *job, CURLcode result)
{
	(void)curl_multi_remove_handle(client->multi, job->transfer.easy);
	LOCKED(&client->mutex);
	job->result = result;
	job->ended = true;
	(void)pthread_cond_signal(&job->has_news);
}

static bool hand_over(void *context)
{
	struct job *job = context;
	LOCKED(&job->client->mutex);

	job->waited_for = job->transfer.handed.length > 0;
	if (job->waited_for)
		return false;
	transfer_swap(&job->transfer);
	job->answered = true;
	(void)pthread_cond_signal(&job->has_news);
	return true;
}

static void stop_all(struct client *client)
{
	struct job *job;

	while ((job = LIST_TAKE(struct job, link, &client->running))) {
		job->transfer.declined = true;
		end_job(client, job, CURLE_ABORTED_BY_CALLBACK);
	}
}

static bool take_handed(struct client *client, struct list *out)
{
	LOCKED(&client->mutex);

	list_move(&client->handed, out);
	return !client->stopping;
}

static void begin_job(struct client *client, struct job *job)
{
	if (curl_multi_add_handle(client->multi, job->transfer.easy) == CURLM_OK)
		list_append(&client->running, &job->link);
	else
		end_job(client, job, CURLE_FAILED_INIT);
}

/* Begins what has been handed over; false when the client is to end. */
static bool admit(struct client *client)
{
	struct list handed;
	struct job *job;
	bool goes_on;

	list_init(&handed);
	goes_on = take_handed(client, &handed);
	while ((job = LIST_TAKE(struct job, link, &handed)))
		begin_job(client, job);
	return goes_on;
}

static void end_completed(struct client *client)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(client->multi, &left))) {
		CURLcode result = message->data.result;
		char *private = NULL;
		struct job *job;

		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
		job = (struct job *)private;
		list_remove(&job->link);
		end_job(client, job, result);
	}
}

/* Passes on what has waited long enough; CURLE_OK while the job is to go on. */
static CURLcode tend_job(struct job *job, int64_t now_ms)
{
	struct transfer *transfer = &job->transfer;

	if (atomic_load(&job->refused) || (job->stop && atomic_load(job->stop)))
		transfer->declined = true;
	if (transfer->declined)
		return CURLE_ABORTED_BY_CALLBACK;
	transfer_go_on(transfer, now_ms);
	return transfer_has_stalled(transfer) ? CURLE_OPERATION_TIMEDOUT : CURLE_OK;
}

static void tend_all(struct client *client)
{
	int64_t now_ms = clock_monotonic_ms();

	LIST_EACH (struct job, job, link, &client->running) {
		CURLcode result = tend_job(job, now_ms);

		if (result != CURLE_OK) {
			list_remove(&job->link);
			end_job(client, job, result);
		}
	}
}

/* At most one round's time counts: a receiver that was slow for once must not make the others look stalled.
 */
static void pass_time(struct client *client, int64_t *before_ms)
{
	int64_t now_ms = clock_monotonic_ms();
	int64_t elapsed_ms = now_ms - *before_ms < ROUND_MS ? now_ms - *before_ms : ROUND_MS;

	*before_ms = now_ms;
	LIST_EACH (struct job, job, link, &client->running)
		transfer_pass_time(&job->transfer, elapsed_ms);
}

static int patience_ms(const struct client *client)
{
	int64_t now_ms = clock_monotonic_ms();
	int64_t patience = list_is_empty(&client->running) ? REST_MS : ROUND_MS;

	LIST_EACH (const struct job, job, link, &client->running) {
		int64_t left = transfer_hold_left(&job->transfer, now_ms);

		if (left < patience)
			patience = left;
	}
	return (int)patience;
}

static void *run(void *argument)
{
	struct client *client = argument;
	int64_t before_ms = clock_monotonic_ms();
	sigset_t all;

	/* Above all SIGPIPE, which TLS libraries raise when the other side has hung up. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, NULL);
	/* Time passes before the sockets are read: what has come meanwhile counts as come. */
	for (; admit(client); pass_time(client, &before_ms)) {
		int count;

		(void)curl_multi_perform(client->multi, &count);
		end_completed(client);
		tend_all(client);
		(void)curl_multi_poll(client->multi, NULL, 0, patience_ms(client), NULL);
	}
	stop_all(client);
	return NULL;
}

static void start_libcurl(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

void client_start_library(void)
{
	static pthread_once_t libcurl = PTHREAD_ONCE_INIT;

	(void)pthread_once(&libcurl, start_libcurl);
}

/* OpenSSL goes on without its configuration where that cannot be opened, and libcurl's multi handle without
 * what wakes it: neither says so. */
static bool has_spare_descriptors(void)
{
	int fds[SPARE_DESCRIPTORS];
	int count = 0;

	while (count < SPARE_DESCRIPTORS && (fds[count] = eventfd(0, EFD_CLOEXEC)) >= 0)
		count++;
	for (int i = 0; i < count; i++)
		(void)close(fds[i]);
	return count == SPARE_DESCRIPTORS;
}

/* Beside other threads: nobody else starts libcurl, and OpenSSL may be started so. */
static CURLM *open_multi(void)
{
	CURLM *multi = NULL;

	if (!has_spare_descriptors())
		return NULL;
	client_start_library();
	multi = curl_multi_init();
	if (multi && curl_multi_wakeup(multi) == CURLM_OK)
		return multi;
	(void)curl_multi_cleanup(multi);
	return NULL;
}

/* Not before the first transfer: a daemon that has all it serves can do without the memory that TLS takes.
 * What fails is tried again with the next one. */
static bool start(struct client *client, struct err *why)
{
	const struct thread_plan plan = {
		.name = "upstream", .role = THREAD_LOOP, .run = run, .context = client};
	struct err unused;
	LOCKED(&client->mutex);

	if (client->multi || client->stopping)
		return true;
	client->multi = open_multi();
	(void)curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)POOLED_CONNECTIONS);
	if (client->multi && thread_start(&client->thread, &plan, &unused))
		return true;
	(void)curl_multi_cleanup(TAKE(client->multi));
	return err_set(why, ERR_BUSY, "There is no descriptor or thread left for transfers from upstream.");
}

struct client *client_create(const struct client_settings *settings)
{
	struct client *client = mem_zero(1, sizeof *client);

	lock_init(&client->mutex, &lock_place);
	(void)pthread_cond_init(&client->is_empty, NULL);
	list_init(&client->handed);
	list_init(&client->running);
	client->settings = *settings;
	client->user_agent = mem_dup(settings->user_agent);
	client->settings.user_agent = client->user_agent;
	return client;
}

static void wake(struct client *client)
{
	lock_expect(&client->mutex);
	if (client->multi)
		(void)curl_multi_wakeup(client->multi);
}

void client_wake(struct client *client)
{
	LOCKED(&client->mutex);
	wake(client);
}

/* Nothing is started from here on. */
static bool stop(struct client *client)
{
	LOCKED(&client->mutex);
	client->stopping = true;
	wake(client);
	return client->multi != NULL;
}

static void await_callers(struct client *client)
{
	LOCKED(&client->mutex);
	while (client->callers > 0)
		lock_wait(&client->mutex, &client->is_empty);
}

void client_destroy(struct client *client)
{
	if (!client)
		return;
	if (stop(client))
		thread_join(client->thread);
	await_callers(client);
	(void)curl_multi_cleanup(client->multi);
	(void)pthread_cond_destroy(&client->is_empty);
	lock_finish(&client->mutex);
	free(client->user_agent);
	free(client);
}

/* Hands the job to the thread; false when the client takes no more. */
static bool hand_in(struct client *client, struct job *job)
{
	LOCKED(&client->mutex);
	if (client->stopping)
		return false;
	client->callers++;
	list_append(&client->handed, &job->link);
	wake(client);
	return true;
}

/* False once the transfer has ended and all that was handed over is taken. */
static bool await_news(struct client *client, struct job *job)
{
	LOCKED(&client->mutex);
	while (!job->ended && (!job->answered || job->told) && job->transfer.handed.length == 0)
		lock_wait(&client->mutex, &job->has_news);
	job->taken = job->transfer.handed.length;
	return (job->answered && !job->told) || job->taken > 0;
}

static void make_room(struct client *client, struct job *job)
{
	LOCKED(&client->mutex);
	if (job->taken > 0)
		job->transfer.handed.length = 0;
	if (job->waited_for || atomic_load(&job->refused))
		wake(client);
	job->waited_for = false;
}

/* Gives the receiver what is there; false when it wants no more. */
static bool deliver(struct job *job)
{
	const struct receiver *receiver = job->transfer.receiver;

	if (!job->told && !receiver->head(receiver->context, &job->transfer.head.answer))
		return false;
	job->told = true;
	return job->taken == 0 || receiver->body(receiver->context, job->transfer.handed.bytes, job->taken);
}

static void take_news(struct client *client, struct job *job)
{
	if (!atomic_load(&job->refused) && !deliver(job))
		atomic_store(&job->refused, true);
	job->told = true;
	make_room(client, job);
}

/* What came last was not due yet. The thread has let go of the job. */
static void take_rest(struct job *job)
{
	if (!job->transfer.declined && !atomic_load(&job->refused) && job->transfer.gathered.length > 0) {
		metric_add(METRIC_UPSTREAM_BYTES, (int64_t)job->transfer.gathered.length);
		transfer_swap(&job->transfer);
		job->taken = job->transfer.handed.length;
		atomic_store(&job->refused, !deliver(job));
	}
	job->transfer.declined |= atomic_load(&job->refused);
}

static void hand_back(struct client *client)
{
	LOCKED(&client->mutex);
	if (--client->callers == 0)
		(void)pthread_cond_signal(&client->is_empty);
}

/* Takes all that the transfer brings, until it has ended; false when the client takes no more. */
static bool perform(struct client *client, struct job *job)
{
	if (!hand_in(client, job))
		return false;
	while (await_news(client, job))
		take_news(client, job);
	take_rest(job);
	hand_back(client);
	return true;
}

enum transfer_outcome client_transfer(struct client *client, const struct transfer_request *request,
	const struct receiver *receiver, const _Atomic bool *stop, struct err *why)
{
	struct job job = {.client = client, .stop = stop, .has_news = PTHREAD_COND_INITIALIZER};
	const struct outlet outlet = {hand_over, &job};
	enum transfer_outcome outcome = TRANSFER_STOPPED;
	int64_t begun_us = clock_monotonic_us();

	may_call_out("an upstream");
	if (!start(client, why))
		return TRANSFER_STARVED;
	if (!transfer_init(&job.transfer, &client->settings, request, receiver, &outlet, why))
		return TRANSFER_REFUSED;
	(void)curl_easy_setopt(job.transfer.easy, CURLOPT_PRIVATE, &job);
	metric_add(METRIC_UPSTREAM_REQUESTS, 1);
	if (perform(client, &job))
		outcome = transfer_end(&job.transfer, job.result, why);
	else
		(void)err_set(why, ERR_UPSTREAM_FAILED, "The daemon is stopping.");
	metric_observe(HISTOGRAM_UPSTREAM, clock_monotonic_us() - begun_us);
	transfer_finish(&job.transfer);
	(void)pthread_cond_destroy(&job.has_news);
	return outcome;
}
