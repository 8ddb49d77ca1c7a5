/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_families.h"

#include "server/store/catalog/catalog_deployments.h"
#include "server/store/search/families.h"

struct family family_find(const struct module_index *index, size_t slot)
{
	struct family family = {0};
	size_t slots[FAMILY_MAX];

	family.count = families_list(index, slot, slots, FAMILY_MAX, &family.total);
	for (size_t i = 0; i < family.count; i++)
		family.ids[i] = module_index_id(index, slots[i]);
	return family;
}

bool family_load(struct txn *txn, const struct family *family, struct deployments *out, struct err *err)
{
	for (size_t i = 0; i < family->count; i++) {
		if (!deployments_load(txn, family->ids[i], out, err))
			return false;
	}
	out->total = family->total;
	return true;
}
