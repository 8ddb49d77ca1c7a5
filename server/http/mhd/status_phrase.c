/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/mhd/status_phrase.h"

#include <microhttpd.h>

const char *status_phrase(int status)
{
	return MHD_get_reason_phrase_for((unsigned)status);
}
