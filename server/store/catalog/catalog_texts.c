/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_rows.h"

/* In this order, each with the module's id. What a module is searched and filtered by is told by the views of
 * the schema. */
static const char *const steps[] = {
	"DELETE FROM module_texts WHERE rowid = ?1",
	"INSERT INTO module_texts (rowid, description, tags) SELECT * FROM current_texts WHERE module_id = "
	"?1",
	"DELETE FROM module_documents WHERE rowid = ?1",
	"INSERT INTO module_documents (rowid, documentation)"
	" SELECT * FROM current_documents WHERE module_id = ?1",
	"INSERT OR IGNORE INTO facet_values (facet, value)"
	" SELECT facet, value FROM current_facets WHERE module_id = ?1",
	"DELETE FROM module_facets WHERE module_id = ?1",
	"INSERT OR IGNORE INTO module_facets (module_id, value_id)"
	" SELECT ?1, f.id FROM current_facets c JOIN facet_values f ON f.facet = c.facet AND f.value = "
	"c.value"
	" WHERE c.module_id = ?1",
	"UPDATE modules SET text_revision = (SELECT revision + 1 FROM search_state) WHERE id = ?1",
};

bool module_refresh_texts(struct txn *txn, int64_t module_id, struct err *err)
{
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (!txn_run(txn, steps[i], VALUES(v_int(module_id)), err))
			return false;
	}
	return true;
}
