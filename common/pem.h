/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates and keys in PEM files (RFC 7468), looked at before somebody else needs them: so that a wrong
 * file is told in words, and not as a handshake that fails. */
#ifndef COMMON_PEM_H
#define COMMON_PEM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

/* Whether the first file begins with a certificate and the second holds its private key, unencrypted. Dates
 * are not looked at. ERR_BAD_REQUEST with a sentence that names the file. */
bool pem_check_pair(const char *certificate, const char *key, struct err *err);

/* Whether the file's first certificate is valid at this time (seconds since 1970). ERR_BAD_REQUEST. */
bool pem_check_dates(const char *certificate, int64_t now_s, struct err *err);

/* Whether the file holds certificates to trust, and nothing but whole ones. ERR_BAD_REQUEST. */
bool pem_check_authorities(const char *path, struct err *err);

#endif
