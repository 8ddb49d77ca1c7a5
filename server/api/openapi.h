/* SPDX-License-Identifier: Apache-2.0
 *
 * schema/openapi.yaml, as the build embeds it. */
#ifndef SERVER_API_OPENAPI_H
#define SERVER_API_OPENAPI_H

extern const char openapi_yaml[];

#endif
