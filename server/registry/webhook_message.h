/* SPDX-License-Identifier: Apache-2.0
 *
 * What a webhook is sent of an event: JSON as docs/webhooks.md has it. */
#ifndef SERVER_REGISTRY_WEBHOOK_MESSAGE_H
#define SERVER_REGISTRY_WEBHOOK_MESSAGE_H

#include "server/store/catalog/catalog_webhooks.h"

/* The same bytes at each attempt. base_url: where clients reach this server, without a last slash; NULL: it
 * is not known. free() it. */
char *webhook_message(const struct webhook_event *event, const char *base_url);

#endif
