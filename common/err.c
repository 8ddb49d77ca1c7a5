/* SPDX-License-Identifier: Apache-2.0 */
#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[ERR_CODE_COUNT] = {
	[ERR_NONE] = "none",
	[ERR_BAD_REQUEST] = "bad-request",
	[ERR_DIGEST_MISMATCH] = "digest-mismatch",
	[ERR_UNAUTHORIZED] = "unauthorized",
	[ERR_FORBIDDEN] = "forbidden",
	[ERR_BLOCKED_BY_POLICY] = "blocked-by-policy",
	[ERR_SIGNATURE_REQUIRED] = "signature-required",
	[ERR_NOT_FOUND] = "not-found",
	[ERR_METHOD_NOT_ALLOWED] = "method-not-allowed",
	[ERR_GONE] = "gone",
	[ERR_CONFLICT] = "conflict",
	[ERR_RANGE_NOT_SATISFIABLE] = "range-not-satisfiable",
	[ERR_TOO_LARGE] = "too-large",
	[ERR_HEAD_TOO_LARGE] = "head-too-large",
	[ERR_UNSUPPORTED_MEDIA] = "unsupported-media",
	[ERR_INVALID_MODULE] = "invalid-module",
	[ERR_UNSAFE_MODULE] = "unsafe-module",
	[ERR_OFFLINE] = "offline",
	[ERR_UPSTREAM_UNREACHABLE] = "upstream-unreachable",
	[ERR_UPSTREAM_FAILED] = "upstream-failed",
	[ERR_LOOP_DETECTED] = "loop-detected",
	[ERR_QUARANTINED] = "quarantined",
	[ERR_TOO_MANY_ATTEMPTS] = "too-many-attempts",
	[ERR_BUSY] = "busy",
	[ERR_STORE_UNAVAILABLE] = "store-unavailable",
	[ERR_NO_SPACE] = "no-space",
	[ERR_INTERNAL] = "internal",
};

bool err_set(struct err *err, enum err_code code, const char *format, ...)
{
	va_list args;

	err->code = code;
	err->retry_after_s = 0;
	va_start(args, format);
	(void)vsnprintf(err->text, sizeof err->text, format, args);
	va_end(args);
	return false;
}

static enum err_code code_of_errno(int number)
{
	switch (number) {
	case ENOSPC:
	case EDQUOT:
		return ERR_NO_SPACE;
	/* Others will let go of theirs. */
	case EMFILE:
	case ENFILE:
		return ERR_BUSY;
	case ENOENT:
		return ERR_NOT_FOUND;
	default:
		return ERR_INTERNAL;
	}
}

bool err_errno(struct err *err, int number, const char *format, ...)
{
	char reason[96];
	va_list args;
	size_t used;

	err->code = code_of_errno(number);
	err->retry_after_s = 0;
	va_start(args, format);
	(void)vsnprintf(err->text, sizeof err->text, format, args);
	va_end(args);
	used = strlen(err->text);
	(void)snprintf(
		err->text + used, sizeof err->text - used, ": %s", strerror_r(number, reason, sizeof reason));
	return false;
}

bool err_prefix(struct err *err, const char *format, ...)
{
	char said[sizeof err->text];
	va_list args;
	size_t used;

	memcpy(said, err->text, sizeof said);
	va_start(args, format);
	(void)vsnprintf(err->text, sizeof err->text, format, args);
	va_end(args);
	used = strlen(err->text);
	(void)snprintf(err->text + used, sizeof err->text - used, "%s", said);
	return false;
}

const char *err_name(enum err_code code)
{
	return names[code];
}
