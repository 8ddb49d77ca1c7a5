/* SPDX-License-Identifier: Apache-2.0
 *
 * The vault of a node that is alone: what it has is in its folder, and nobody else has anything. */
#ifndef SERVER_VAULT_VAULT_ALONE_H
#define SERVER_VAULT_VAULT_ALONE_H

struct vault;

/* The same one for all, for as long as the process lives: destroying it does nothing. */
struct vault *vault_alone(void);

#endif
