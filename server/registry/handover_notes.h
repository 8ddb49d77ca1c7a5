/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of a handover, and of a takeout, that is about what nodes agree on beside modules. What both sides
 * have stays as it is on each. */
#ifndef SERVER_REGISTRY_HANDOVER_NOTES_H
#define SERVER_REGISTRY_HANDOVER_NOTES_H

#include <stdbool.h>

#include "common/err.h"
#include "server/module/name.h"
#include "server/registry/handover_item.h"

/* Those of a version, unless the other side has other bytes of it; and tokens and pins. */
bool handover_notes_hold(const struct handover *handover, const struct name *name, struct err *err);
bool handover_notes_document(const struct handover *handover, const struct name *name, struct err *err);
bool handover_notes_of_all(const struct handover *handover, struct err *err);

/* Takes all of them out, into the handover's catalog. */
bool handover_notes_take(const struct handover *handover, struct err *err);

#endif
