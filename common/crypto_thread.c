/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto_thread.h"

#include <openssl/crypto.h>

void crypto_thread_end(void)
{
	OPENSSL_thread_stop();
}
