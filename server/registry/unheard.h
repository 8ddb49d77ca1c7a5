/* SPDX-License-Identifier: Apache-2.0
 *
 * Names that no other node has kept as they were written, lately: whoever asks for one again has nobody
 * asked. In memory, so many of them as there is room for. */
#ifndef SERVER_REGISTRY_UNHEARD_H
#define SERVER_REGISTRY_UNHEARD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/own.h"
#include "server/module/name.h"

struct unheard;

/* Each is forgotten after so many seconds: by then a node is told of what others have kept. destroy takes
 * NULL. */
struct unheard *unheard_create(int64_t lifetime_s);
void unheard_destroy(struct unheard *unheard);
AUTO_CLEANER(own_unheard, struct unheard *, unheard_destroy)
#define AUTO_UNHEARD AUTO(own_unheard)

bool unheard_has(struct unheard *unheard, const struct name *name);
void unheard_add(struct unheard *unheard, const struct name *name);

#endif
