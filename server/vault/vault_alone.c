/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/vault_alone.h"

#include <stddef.h>

#include "server/vault/vault_ops.h"

static void destroy(struct vault *vault)
{
	(void)vault;
}

static bool find(struct vault *vault, const struct name *name, enum vault_standing *out,
	struct identity *identity, struct err *err)
{
	*out = VAULT_UNKNOWN;
	return true;
}

static bool is_never_gone(struct vault *vault, const struct name *name, bool *out, struct err *err)
{
	*out = false;
	return true;
}

/* What the catalog makes of them decides. */
static bool keep(struct vault *vault, const struct deposit *deposit, enum deposited *out, struct err *err)
{
	*out = DEPOSITED_NEW;
	return true;
}

static bool hold_none(
	struct vault *vault, const struct digest *digest, int64_t size_bytes, bool *out, struct err *err)
{
	*out = false;
	return true;
}

static bool read_none(struct vault *vault, const struct digest *digest, int64_t first, int64_t length,
	const struct vault_receiver *receiver, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "nobody else has anything");
}

static bool withdraw(struct vault *vault, const struct name *name, const char *who, bool known_here,
	bool *before, struct err *err)
{
	*before = false;
	return known_here || err_set(err, ERR_NOT_FOUND, "there is no %s", name_path(name).text);
}

static bool describe_none(
	struct vault *vault, const struct name *name, bool *found, struct identity *identity, struct err *err)
{
	*found = false;
	return true;
}

static bool number_none(struct vault *vault, const char *handle, int64_t *out, struct err *err)
{
	*out = 0;
	return true;
}

static bool list_none(struct vault *vault, enum vault_change change, struct vault_place *place,
	const struct vault_listener *listener, bool *more, struct err *err)
{
	*more = false;
	return true;
}

static bool count_none(struct vault *vault, const struct vault_census *census, struct err *err)
{
	return true;
}

static bool poll_none(struct vault *vault, int64_t since_s, int64_t notes_since_s,
	const struct vault_listener *listener, struct err *err)
{
	return true;
}

static bool read_no_note(struct vault *vault, enum vault_change change, const struct name *name,
	struct note *out, struct err *err)
{
	*out = (struct note){0};
	return true;
}

/* It stays what nobody has written: what is written here decides. */
static bool write_no_note(struct vault *vault, enum vault_change change, const struct name *name,
	struct note *note, struct err *err)
{
	return true;
}

static bool acquire(struct vault *vault, const struct name *name, const struct lease_holder *holder,
	struct lease_watch *watch, struct lease_answer *out, struct err *err)
{
	out->standing = LEASE_NEW;
	out->lease = NULL;
	return true;
}

static void report(struct vault *vault, struct lease *lease, const struct lease_work *work)
{
	(void)vault;
}

static void release(struct vault *vault, struct lease *lease, enum lease_end end)
{
	(void)vault;
}

static bool is_well(struct vault *vault, struct err *err)
{
	return true;
}

struct vault *vault_alone(void)
{
	static const struct vault_ops ops = {.destroy = destroy,
		.find = find,
		.is_gone = is_never_gone,
		.keep = keep,
		.holds = hold_none,
		.read = read_none,
		.withdraw = withdraw,
		.describe = describe_none,
		.last_version = number_none,
		.list = list_none,
		.each_identity = count_none,
		.poll = poll_none,
		.read_note = read_no_note,
		.write_note = write_no_note,
		.acquire = acquire,
		.report = report,
		.release = release,
		.can_read = is_well,
		.can_write = is_well};
	static struct vault vault = {&ops};

	return &vault;
}
