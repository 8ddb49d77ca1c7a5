/* SPDX-License-Identifier: Apache-2.0
 *
 * Imports a model that other tools have made, under a name that is given here: those of its layers that are
 * modules, by the rules for what is published. */
#ifndef SERVER_REGISTRY_IMPORT_FOREIGN_H
#define SERVER_REGISTRY_IMPORT_FOREIGN_H

#include <stdbool.h>

#include "common/err.h"
#include "server/module/name.h"
#include "server/registry/importer.h"

/* What is left is told (REMARK_LEFT), with the layer in the place of the format. ERR_INVALID_MODULE where no
 * layer is a module; else as importer_run(). Of the order only path, tell, show and context count. */
bool import_foreign(const struct importer *importer, const struct import_order *order,
	const struct name *name, struct import_report *report, struct err *err);

#endif
