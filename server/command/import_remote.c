/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/import_remote.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/uri.h"
#include "server/api/import_json.h"
#include "server/bundle/carrier.h"
#include "server/bundle/head.h"
#include "server/bundle/opening.h"
#include "server/bundle/scratch.h"
#include "server/command/cells.h"
#include "server/command/paging.h"
#include "server/command/patience.h"

/* How often it is asked how far it is. */
enum { ASK_FIRST_MS = 20, ASK_LAST_MS = 1000 };

struct sending {
	struct remote *remote;
	struct import_talk *talk;
	struct import_report *report;
	struct scratch_place scratch;
	struct carrier *carrier;
	struct opening opening;
	char *target;      /* of the import */
	json_t *told;      /* artifacts that are told as faulty already: the daemon will do it once more */
	size_t told_count; /* of the daemon's remarks */
	json_t *state;     /* the import, as it was last */
	int64_t done_bytes, total_bytes;
};

static void finish_sending(struct sending *sending)
{
	carrier_close(sending->carrier);
	json_decref(sending->told);
	json_decref(sending->state);
	free(sending->target);
}

/* No daemon's: nothing is to stay free there. */
static struct scratch_place scratch_place(void)
{
	const char *folder = getenv("TMPDIR");

	return (struct scratch_place){.folder = folder && *folder ? folder : "/tmp"};
}

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* ---- what it answers ---- */

static void take_report(const json_t *state, struct import_report *report)
{
	import_report_read(state, report);
	report->wanted_bytes = number(json_object_get(state, "lacking"), "bytes");
}

static bool is_told(const struct sending *sending, const json_t *remark)
{
	AUTO_FREE char *key = mem_printf("%s %s", cell_text(remark, "name"), cell_text(remark, "format"));

	return json_object_get(sending->told, key) && strcmp(cell_text(remark, "remark"), "faulty") == 0;
}

static const char *format_of(const json_t *object)
{
	enum format format;

	return format_parse(cell_text(object, "format"), &format) ? formats[format].name : NULL;
}

static bool tell_page(void *context, const json_t *page, struct err *err)
{
	struct sending *sending = context;
	json_auto_t *none = json_array();
	const json_t *remark;
	size_t i;

	(void)err;
	json_array_foreach(json_object_get(page, "remarks"), i, remark)
	{
		sending->told_count++;
		if (!is_told(sending, remark))
			import_talk_remark(sending->talk,
				&(struct import_told){
					.remark = import_remark_parse(cell_text(remark, "remark")),
					.name = cell_text(remark, "name"),
					.format = format_of(remark),
					.detail = cell_text(remark, "detail")},
				none);
	}
	return true;
}

/* Those that it had no room for are counted. */
static bool tell_remarks(struct sending *sending, struct err *err)
{
	AUTO_FREE char *target = mem_printf("%s/remarks?limit=200", sending->target);
	size_t count = json_array_size(json_object_get(sending->state, "remarks")) +
		       (size_t)number(sending->state, "more_remarks");

	if (count == 0)
		return true;
	if (!paging_walk_patiently(sending->remote, target, tell_page, sending, err))
		return false;
	sending->talk->more += count > sending->told_count ? count - sending->told_count : 0;
	return true;
}

/* What has failed there; true: nothing. */
static bool check_failure(const struct sending *sending, struct err *err)
{
	const json_t *failure = json_object_get(sending->state, "failure");

	return !json_is_object(failure) || err_set(err, ERR_CONFLICT, "%.400s", cell_text(failure, "detail"));
}

/* ---- asking ---- */

static void show(const struct sending *sending)
{
	const json_t *told = json_object_get(sending->state, "progress");
	struct import_progress progress = {.phase = import_phase_parse(cell_text(told, "phase")),
		.read = number(told, "done"),
		.said = number(told, "total"),
		.count = (size_t)number(told, "count")};

	/* There nothing is copied any more: what is in the bundle is gone through once more. */
	if (progress.phase == IMPORT_COPYING)
		progress.phase = IMPORT_READING;
	import_talk_show(sending->talk, &progress);
}

static bool is_at_work(const struct sending *sending)
{
	const char *state = cell_text(sending->state, "state");

	return strcmp(state, "open") != 0 && strcmp(state, "ended") != 0;
}

/* Until it waits for us again. */
static bool await(struct sending *sending, struct err *err)
{
	int64_t pause_ms = ASK_FIRST_MS;

	while (is_at_work(sending)) {
		json_t *state;

		clock_sleep_ms(pause_ms);
		pause_ms = 2 * pause_ms < ASK_LAST_MS ? 2 * pause_ms : ASK_LAST_MS;
		if (!patience_get(sending->remote, sending->target, &state, err))
			return false;
		json_decref(sending->state);
		sending->state = state;
		show(sending);
	}
	take_report(sending->state, sending->report);
	return true;
}

/* What is said where it broke off. */
static bool broke_off(struct err *err)
{
	return err->code == ERR_UPSTREAM_UNREACHABLE
		       ? err_prefix(err, "the import broke off, and the same command goes on where it was: ")
		       : false;
}

/* ---- the head ---- */

static bool open_bundle(struct sending *sending, const struct signing_key *key, struct err *err)
{
	return carrier_open(sending->talk->options->path, &sending->scratch, &sending->carrier, err) &&
	       (sending->talk->options->partial || carrier_prove_pieces(sending->carrier, NULL, NULL, err)) &&
	       opening_find(sending->carrier, &sending->opening, err) &&
	       (!key || opening_verify(sending->carrier, &sending->opening, key, err));
}

static char *head_target(const struct signing_key *key)
{
	AUTO_BUFFER struct buffer target = {0};

	buffer_add_string(&target, "/api/v1/imports");
	if (key) {
		buffer_add_string(&target, "?key=");
		uri_encode(&target, signing_key_text(key).text, "");
	}
	return buffer_take(&target);
}

static bool take_import(struct sending *sending, struct remote_reply *reply, struct err *err)
{
	if (!remote_accepted(reply, err))
		return false;
	if (!*cell_text(reply->json, "id"))
		return remote_refuse_stranger(sending->remote, err);
	sending->state = TAKE(reply->json);
	sending->target = mem_printf("/api/v1/imports/%.64s", cell_text(sending->state, "id"));
	return true;
}

static bool send_head(struct sending *sending, const struct signing_key *key, struct err *err)
{
	AUTO(remote_reply_finish) struct remote_reply reply = {0};
	AUTO_FREE char *target = head_target(key);
	AUTO_FD int fd = -1;
	const struct remote_upload upload = {
		.target = target, .media_type = "application/x-tar", .is_post = true, .fd = -1};
	struct remote_upload head = upload;

	if (!scratch_open(sending->scratch.folder, &fd, err) ||
		!head_write(sending->carrier, &sending->opening, sending->talk->options->partial,
			&sending->scratch, fd, err))
		return false;
	head.fd = fd;
	return remote_send(sending->remote, &head, &reply, err) && take_import(sending, &reply, err);
}

/* ---- artifacts ---- */

/* One that is on its way. */
struct consignment {
	struct sending *sending;
	const json_t *item;
	struct carrier_blob blob;
	bool failed; /* the medium did; why: */
	struct err why;
};

static void finish_consignment(struct consignment *consignment)
{
	carrier_close_blob(&consignment->blob);
}

static bool read_blob(
	void *context, int64_t offset, void *bytes, size_t length, size_t *out_read, struct err *err)
{
	struct consignment *consignment = context;

	if (carrier_read_at(&consignment->blob, offset, bytes, length, out_read, &consignment->why))
		return true;
	consignment->failed = true;
	*err = consignment->why;
	return false;
}

static void show_bytes(struct sending *sending, int64_t more)
{
	const struct import_progress progress = {.phase = IMPORT_COPYING,
		.done_bytes = sending->done_bytes + more,
		.total_bytes = sending->total_bytes};

	import_talk_show(sending->talk, &progress);
}

static void note_sent(void *context, int64_t done_bytes, int64_t total_bytes)
{
	const struct consignment *consignment = context;

	(void)total_bytes;
	show_bytes(consignment->sending, done_bytes);
}

/* It is faulty; the others may be whole. */
static bool tell_faulty(struct consignment *consignment, const char *detail, json_t *findings)
{
	const json_t *item = consignment->item;
	AUTO_FREE char *name =
		mem_printf("%s/%" JSON_INTEGER_FORMAT, cell_text(item, "handle"), number(item, "version"));
	AUTO_FREE char *key = mem_printf("%s %s", name, cell_text(item, "format"));
	json_auto_t *none = json_array();

	json_object_set_new(consignment->sending->told, key, json_true());
	import_talk_remark(consignment->sending->talk,
		&(struct import_told){
			.remark = REMARK_FAULTY, .name = name, .format = format_of(item), .detail = detail},
		findings ? findings : none);
	return true;
}

static bool try_once(struct consignment *consignment, struct remote_reply *reply, struct err *err)
{
	struct sending *sending = consignment->sending;
	AUTO_FREE char *target = mem_printf("%s/blobs/sha256/%s?format=%s", sending->target,
		consignment->blob.digest.hex, format_of(consignment->item));
	const struct remote_upload upload = {.target = target,
		.media_type = "application/octet-stream",
		.fd = -1,
		.read = read_blob,
		.size_bytes = consignment->blob.size_bytes,
		.progressed = note_sent,
		.context = consignment};

	return remote_send(sending->remote, &upload, reply, err);
}

static bool send_blob(struct consignment *consignment, struct err *err)
{
	struct patience patience = {0};

	for (;;) {
		AUTO(remote_reply_finish) struct remote_reply reply = {0};
		bool answered = try_once(consignment, &reply, err);

		if (consignment->failed)
			return tell_faulty(consignment, consignment->why.text, NULL);
		if (answered && reply.status == 422)
			return tell_faulty(consignment, cell_text(reply.json, "detail"),
				json_object_get(reply.json, "violations"));
		if (answered && remote_accepted(&reply, err))
			return true;
		if (!patience_wait(&patience, consignment->sending->remote, err))
			return false;
	}
}

static bool send_item(struct sending *sending, const json_t *item, struct err *err)
{
	AUTO(finish_consignment)
	struct consignment consignment = {.sending = sending, .item = item, .blob = {.fd = -1}};
	struct bundle_blob blob = {.size_bytes = number(item, "size_bytes")};
	bool done;

	if (!digest_parse(cell_text(item, "digest"), &blob.digest) || !format_of(item))
		return err_set(err, ERR_UPSTREAM_FAILED, "%s does not tell what it lacks as a Larder does.",
			remote_server(sending->remote));
	if (!carrier_open_blob(sending->carrier, &blob, &consignment.blob, &consignment.why))
		return tell_faulty(&consignment, consignment.why.text, NULL);
	consignment.blob.trusting = true;
	done = send_blob(&consignment, err);
	sending->done_bytes += blob.size_bytes;
	return done;
}

static bool send_page(void *context, const json_t *page, struct err *err)
{
	struct sending *sending = context;
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(page, "blobs"), i, item)
	{
		if (!send_item(sending, item, err))
			return false;
		show_bytes(sending, 0);
	}
	return true;
}

static bool send_lacking(struct sending *sending, struct err *err)
{
	AUTO_FREE char *target = mem_printf("%s/lacking?limit=200", sending->target);

	sending->total_bytes = sending->report->wanted_bytes;
	return paging_walk_patiently(sending->remote, target, send_page, sending, err);
}

/* ---- the record ---- */

static bool has_refusals(const struct import_report *report)
{
	return report->outcomes[IMPORT_REFUSED] + report->faulty > 0;
}

/* Where no answer came, it may be under way all the same. */
static bool order_record(struct sending *sending, json_t **out, struct err *err)
{
	AUTO_FREE char *target = mem_printf("%s/record", sending->target);
	json_auto_t *order = json_pack("{s:b}", "partial", (int)sending->talk->options->partial);

	if (remote_post(sending->remote, target, order, out, err))
		return true;
	if (err->code != ERR_UPSTREAM_UNREACHABLE ||
		!patience_get(sending->remote, sending->target, out, err))
		return false;
	if (strcmp(cell_text(*out, "state"), "open") != 0)
		return true;
	json_decref(TAKE(*out));
	return err_set(err, ERR_UPSTREAM_UNREACHABLE, "%s: the order to record it did not come through.",
		remote_server(sending->remote));
}

static bool record(struct sending *sending, struct err *err)
{
	struct patience patience = {0};
	json_t *state = NULL;

	while (!order_record(sending, &state, err)) {
		if (!patience_wait(&patience, sending->remote, err))
			return false;
	}
	json_decref(sending->state);
	sending->state = state;
	return await(sending, err);
}

static bool is_read(const struct sending *sending)
{
	return strcmp(cell_text(sending->state, "state"), "open") == 0;
}

static bool go_on(struct sending *sending, struct err *err)
{
	const struct import_options *options = sending->talk->options;
	bool is_over =
		options->dry_run || !is_read(sending) || (has_refusals(sending->report) && !options->partial);

	if (!is_over && (!send_lacking(sending, err) || !record(sending, err)))
		return false;
	return tell_remarks(sending, err) && check_failure(sending, err);
}

/* It needs nobody to wait until nobody asks for it any more. */
static void drop(struct sending *sending)
{
	json_auto_t *answer = NULL;
	struct err err;

	if (sending->target)
		(void)remote_delete(sending->remote, sending->target, &answer, &err);
}

bool import_remote(struct remote *remote, const struct signing_key *key, struct import_talk *talk,
	struct import_report *report, struct err *err)
{
	AUTO(finish_sending)
	struct sending sending = {.remote = remote,
		.talk = talk,
		.report = report,
		.scratch = scratch_place(),
		.told = json_object()};
	bool done;

	if (!talk->options->json) {
		(void)printf("into the daemon at %s\n", remote_server(remote));
		(void)fflush(stdout);
	}
	if (!open_bundle(&sending, key, err))
		return false;
	done = (send_head(&sending, key, err) && await(&sending, err) && go_on(&sending, err)) ||
	       broke_off(err);
	drop(&sending);
	return done;
}
