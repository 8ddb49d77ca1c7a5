/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/openapi.h"

#include "server/api/api.h"

void api_openapi(void *services, struct request *request, struct reply *reply)
{
	reply_text(reply, 200, "application/yaml", openapi_yaml);
	reply_header(reply, "Cache-Control", "no-cache");
}
