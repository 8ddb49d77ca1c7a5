/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/vault.h"

#include "server/vault/vault_ops.h"

void vault_destroy(struct vault *vault)
{
	if (vault)
		vault->ops->destroy(vault);
}

bool vault_is_shared(const struct vault *vault)
{
	return vault->ops->is_shared;
}

bool vault_find(struct vault *vault, const struct name *name, enum vault_standing *out,
	struct identity *identity, struct err *err)
{
	return vault->ops->find(vault, name, out, identity, err);
}

bool vault_is_gone(struct vault *vault, const struct name *name, bool *out, struct err *err)
{
	return vault->ops->is_gone(vault, name, out, err);
}

bool vault_keep(struct vault *vault, const struct deposit *deposit, enum deposited *out, struct err *err)
{
	return vault->ops->keep(vault, deposit, out, err);
}

bool vault_holds(
	struct vault *vault, const struct digest *digest, int64_t size_bytes, bool *out, struct err *err)
{
	return vault->ops->holds(vault, digest, size_bytes, out, err);
}

bool vault_read(struct vault *vault, const struct digest *digest, int64_t first, int64_t length,
	const struct vault_receiver *receiver, struct err *err)
{
	return vault->ops->read(vault, digest, first, length, receiver, err);
}

bool vault_withdraw(struct vault *vault, const struct name *name, const char *who, bool known_here,
	bool *before, struct err *err)
{
	return vault->ops->withdraw(vault, name, who, known_here, before, err);
}

bool vault_describe(
	struct vault *vault, const struct name *name, bool *found, struct identity *identity, struct err *err)
{
	return vault->ops->describe(vault, name, found, identity, err);
}

bool vault_last_version(struct vault *vault, const char *handle, int64_t *out, struct err *err)
{
	return vault->ops->last_version(vault, handle, out, err);
}

bool vault_list(struct vault *vault, enum vault_change change, struct vault_place *place,
	const struct vault_listener *listener, bool *more, struct err *err)
{
	return vault->ops->list(vault, change, place, listener, more, err);
}

bool vault_each_identity(struct vault *vault, const struct vault_census *census, struct err *err)
{
	return vault->ops->each_identity(vault, census, err);
}

bool vault_poll(struct vault *vault, int64_t since_s, int64_t notes_since_s,
	const struct vault_listener *listener, struct err *err)
{
	return vault->ops->poll(vault, since_s, notes_since_s, listener, err);
}

bool vault_read_note(struct vault *vault, enum vault_change change, const struct name *name, struct note *out,
	struct err *err)
{
	return vault->ops->read_note(vault, change, name, out, err);
}

bool vault_write_note(struct vault *vault, enum vault_change change, const struct name *name,
	struct note *note, struct err *err)
{
	return note->text.length <= NOTE_TEXT_MAX
		       ? vault->ops->write_note(vault, change, name, note, err)
		       : err_set(err, ERR_TOO_LARGE, "nodes tell each other texts of at most 1 MiB");
}

bool vault_acquire(struct vault *vault, const struct name *name, const struct lease_holder *holder,
	struct lease_watch *watch, struct lease_answer *out, struct err *err)
{
	return vault->ops->acquire(vault, name, holder, watch, out, err);
}

void vault_report(struct vault *vault, struct lease *lease, const struct lease_work *work)
{
	vault->ops->report(vault, lease, work);
}

void vault_release(struct vault *vault, struct lease *lease, enum lease_end end)
{
	vault->ops->release(vault, lease, end);
}

bool vault_can_read(struct vault *vault, struct err *err)
{
	return vault->ops->can_read(vault, err);
}

bool vault_can_write(struct vault *vault, struct err *err)
{
	return vault->ops->can_write(vault, err);
}
