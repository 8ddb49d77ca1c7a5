/* SPDX-License-Identifier: Apache-2.0
 *
 * What went wrong, said once by whoever had the facts: a code that decides the status, and a sentence for
 * people. */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

#include <stdbool.h>

enum err_code {
	ERR_NONE,
	ERR_BAD_REQUEST,
	ERR_DIGEST_MISMATCH,
	ERR_UNAUTHORIZED,
	ERR_FORBIDDEN,
	ERR_BLOCKED_BY_POLICY,
	ERR_SIGNATURE_REQUIRED,
	ERR_NOT_FOUND,
	ERR_METHOD_NOT_ALLOWED,
	ERR_GONE,
	ERR_CONFLICT,
	ERR_RANGE_NOT_SATISFIABLE,
	ERR_TOO_LARGE,
	ERR_HEAD_TOO_LARGE,
	ERR_UNSUPPORTED_MEDIA,
	ERR_INVALID_MODULE,
	ERR_UNSAFE_MODULE,
	ERR_OFFLINE,
	ERR_UPSTREAM_UNREACHABLE,
	ERR_UPSTREAM_FAILED,
	ERR_LOOP_DETECTED,
	ERR_QUARANTINED,
	ERR_TOO_MANY_ATTEMPTS,
	ERR_BUSY,
	ERR_STORE_UNAVAILABLE,
	ERR_NO_SPACE,
	ERR_INTERNAL,
	ERR_CODE_COUNT
};

struct err {
	enum err_code code;
	unsigned retry_after_s; /* 0: trying again is not known to help */
	char text[480];
};

/* Fills *err with a code and a formatted sentence. Always false, so that a caller can return it. */
bool err_set(struct err *err, enum err_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* As err_set for a failed system call: the sentence is followed by the errno's own text. ENOSPC and EDQUOT
 * become ERR_NO_SPACE, EMFILE and ENFILE ERR_BUSY, ENOENT ERR_NOT_FOUND, all others ERR_INTERNAL. Always
 * false. */
bool err_errno(struct err *err, int number, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts words before the text that *err already has ("import b.tar: <text>"). Always false. */
bool err_prefix(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The code's name in the interface, such as "not-found". */
const char *err_name(enum err_code code);

#endif
