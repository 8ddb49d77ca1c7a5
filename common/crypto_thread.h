/* SPDX-License-Identifier: Apache-2.0
 *
 * What OpenSSL keeps for each thread (its queue of errors, its random numbers). */
#ifndef COMMON_CRYPTO_THREAD_H
#define COMMON_CRYPTO_THREAD_H

/* Gives it back. For a detached thread, before it tells anybody of its end: the process may be gone before
 * the system does it. */
void crypto_thread_end(void);

#endif
