/* SPDX-License-Identifier: Apache-2.0
 *
 * The vault of a node that is alone: what it has is in its folder, and nobody else has anything. */
#ifndef SERVER_VAULT_VAULT_ALONE_H
#define SERVER_VAULT_VAULT_ALONE_H

struct vault;

struct vault *vault_alone_create(void);

#endif
