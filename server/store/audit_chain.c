/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/audit_chain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"

/* "5:bytes,": nothing that a text has in it can be taken for the end of one. */
static void add_text(struct hasher *hasher, const char *text)
{
	size_t length = text ? strlen(text) : 0;
	char head[32];

	hasher_add(hasher, head, (size_t)snprintf(head, sizeof head, "%zu:", length));
	hasher_add(hasher, text ? text : "", length);
	hasher_add(hasher, ",", 1);
}

static void add_digest(struct hasher *hasher, const struct digest *digest)
{
	char text[sizeof "sha256:" + sizeof digest->hex] = "";

	if (digest)
		(void)snprintf(text, sizeof text, "sha256:%s", digest->hex);
	add_text(hasher, text);
}

static void add_number(struct hasher *hasher, int64_t number)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%" PRId64, number);
	add_text(hasher, text);
}

struct digest audit_chain_hash(const struct digest *previous, const struct audit_row *row)
{
	AUTO_HASHER struct hasher *hasher = hasher_create();
	const char *const texts[] = {
		row->who, row->from, row->action, row->subject, row->detail, row->before, row->after};

	add_digest(hasher, previous);
	add_number(hasher, row->id);
	add_text(hasher, clock_rfc3339(row->at).text);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		add_text(hasher, texts[i]);
	return hasher_result(hasher);
}

/* ---- verifying ---- */

static bool refuse_gap(const struct audit_check *check, int64_t id, struct err *err)
{
	if (id == check->last_id + 2)
		return err_set(err, ERR_CONFLICT,
			"row %" PRId64 " was removed: row %" PRId64 " follows row %" PRId64,
			check->last_id + 1, id, check->last_id);
	return err_set(err, ERR_CONFLICT,
		"rows %" PRId64 " to %" PRId64 " were removed: row %" PRId64 " follows row %" PRId64,
		check->last_id + 1, id - 1, id, check->last_id);
}

/* Before the chain begins there are only rows that have no hash. */
static bool check_unchained(struct audit_check *check, const struct audit_row *row, struct err *err)
{
	if (check->begun)
		return err_set(
			err, ERR_CONFLICT, "row %" PRId64 " has no hash: Larder has not written it", row->id);
	check->earlier++;
	return true;
}

/* The number of the first one tells how many there were before it. */
static bool check_earlier(const struct audit_check *check, const struct audit_row *row, struct err *err)
{
	if (row->id == (int64_t)check->earlier + 1)
		return true;
	return err_set(err, ERR_CONFLICT,
		"rows of an earlier Larder were removed or added: %zu are there before row %" PRId64
		", with which the chain begins",
		check->earlier, row->id);
}

bool audit_check_row(struct audit_check *check, const struct audit_row *row, struct err *err)
{
	struct digest hash;

	if (!row->is_chained)
		return check_unchained(check, row, err);
	if (check->begun && row->id != check->last_id + 1)
		return refuse_gap(check, row->id, err);
	hash = audit_chain_hash(check->begun ? &check->last : NULL, row);
	if (!digest_equal(&hash, &row->hash))
		return err_set(err, ERR_CONFLICT,
			check->begun ? "row %" PRId64 " is not what was written: its hash does not fit"
				     : "row %" PRId64
				       " is not the first that was written: it, or what was before "
				       "it, was changed or removed",
			row->id);
	if (!check->begun && !check_earlier(check, row, err))
		return false;
	check->begun = true;
	check->last_id = row->id;
	check->last = hash;
	check->rows++;
	check->found = check->found || (check->wanted && digest_equal(check->wanted, &hash));
	return true;
}

bool audit_check_end(const struct audit_check *check, bool head_found, struct err *err)
{
	if (!head_found)
		return err_set(err, ERR_CONFLICT,
			"the last rows were removed: none behind row %" PRId64
			" is there, and the head that is "
			"on record is another's",
			check->last_id);
	if (check->wanted && !check->found)
		return err_set(err, ERR_CONFLICT,
			"no row has the hash sha256:%.12s…: the rows up to it were removed or written anew, "
			"or "
			"it is another registry's",
			check->wanted->hex);
	return true;
}
