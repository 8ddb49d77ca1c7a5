/* SPDX-License-Identifier: Apache-2.0
 *
 * The text of config.example.ini, of the tables that the configuration is read by. */
#ifndef SERVER_CONFIG_EXAMPLE_H
#define SERVER_CONFIG_EXAMPLE_H

#include "common/buffer.h"

/* Writes every key with its default and what it is for. */
void config_write_example(struct buffer *out);

#endif
