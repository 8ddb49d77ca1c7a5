/* SPDX-License-Identifier: Apache-2.0
 *
 * What an implementation of the vault has to do: as vault.h says of the functions of the same names. */
#ifndef SERVER_VAULT_VAULT_OPS_H
#define SERVER_VAULT_VAULT_OPS_H

#include "server/vault/vault_terms.h"

struct vault_ops {
	bool is_shared;
	void (*destroy)(struct vault *vault);
	bool (*find)(struct vault *vault, const struct name *name, enum vault_standing *out,
		struct identity *identity, struct err *err);
	bool (*is_gone)(struct vault *vault, const struct name *name, bool *out, struct err *err);
	bool (*keep)(
		struct vault *vault, const struct deposit *deposit, enum deposited *out, struct err *err);
	bool (*holds)(struct vault *vault, const struct digest *digest, int64_t size_bytes, bool *out,
		struct err *err);
	bool (*read)(struct vault *vault, const struct digest *digest, int64_t first, int64_t length,
		const struct vault_receiver *receiver, struct err *err);
	bool (*withdraw)(struct vault *vault, const struct name *name, const char *who, bool known_here,
		bool *before, struct err *err);
	bool (*describe)(struct vault *vault, const struct name *name, bool *found, struct identity *identity,
		struct err *err);
	bool (*last_version)(struct vault *vault, const char *handle, int64_t *out, struct err *err);
	bool (*list)(struct vault *vault, enum vault_change change, struct vault_place *place,
		const struct vault_listener *listener, bool *more, struct err *err);
	bool (*each_identity)(struct vault *vault, const struct vault_census *census, struct err *err);
	bool (*poll)(struct vault *vault, int64_t since_s, int64_t notes_since_s,
		const struct vault_listener *listener, struct err *err);
	bool (*read_note)(struct vault *vault, enum vault_change change, const struct name *name,
		struct note *out, struct err *err);
	bool (*write_note)(struct vault *vault, enum vault_change change, const struct name *name,
		struct note *note, struct err *err);
	bool (*acquire)(struct vault *vault, const struct name *name, const struct lease_holder *holder,
		struct lease_watch *watch, struct lease_answer *out, struct err *err);
	void (*report)(struct vault *vault, struct lease *lease, const struct lease_work *work);
	void (*release)(struct vault *vault, struct lease *lease, enum lease_end end);
	bool (*can_read)(struct vault *vault, struct err *err);
	bool (*can_write)(struct vault *vault, struct err *err);
};

/* The first member of each implementation. */
struct vault {
	const struct vault_ops *ops;
};

#endif
