/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON API for people and programs (schema/openapi.yaml): one handler a route. Handlers translate words
 * to values, make one service call and translate the result. */
#ifndef SERVER_API_API_H
#define SERVER_API_API_H

#include <jansson.h>

#include "server/http/reply.h"
#include "server/http/request.h"
#include "server/module/name.h"

/* POST /api/v1/decisions/…: approves a version that is held back, or rejects one. */
void api_decide(void *services, struct request *request, struct reply *reply);

/* /api/v1/modules and /api/v1/modules/<handle>[/<version>] */
void api_modules(void *services, struct request *request, struct reply *reply);
void api_module(void *services, struct request *request, struct reply *reply);
/* /api/v1/…/<handle>/<version> */
void api_signatures(void *services, struct request *request, struct reply *reply);
void api_files(void *services, struct request *request, struct reply *reply);
void api_documentation(void *services, struct request *request, struct reply *reply);
/* GET tells what is attested of a version's artifacts; PUT takes an attestation. */
void api_attestations(void *services, struct request *request, struct reply *reply);
void api_put_attestation(void *services, struct request *request, struct reply *reply);
void api_publishers(void *services, struct request *request, struct reply *reply);
/* /api/v1/publishers/<publisher>, /api/v1/publisher-documentation/<publisher> */
void api_publisher(void *services, struct request *request, struct reply *reply);
void api_publisher_documentation(void *services, struct request *request, struct reply *reply);
/* /api/v1/collections, and with <publisher>/<name>; /api/v1/collection-documentation/<publisher>/<name> */
void api_collections(void *services, struct request *request, struct reply *reply);
void api_collection(void *services, struct request *request, struct reply *reply);
void api_collection_documentation(void *services, struct request *request, struct reply *reply);
/* /api/v1/diff/<handle>/<version>/<version> */
void api_diff(void *services, struct request *request, struct reply *reply);
void api_stats(void *services, struct request *request, struct reply *reply);
/* /api/v1/artifacts: POST asks what there is of many versions */
void api_artifacts(void *services, struct request *request, struct reply *reply);
/* /api/v1/fills: those that run and ended lately; /api/v1/fills/<id>: one of them; DELETE cancels it */
void api_fills(void *services, struct request *request, struct reply *reply);
void api_fill(void *services, struct request *request, struct reply *reply);
void api_cancel_fill(void *services, struct request *request, struct reply *reply);
/* /api/v1/imports: bundles that clients send; POST begins one with its head. …/<id>: its state;
 * …/<id>/lacking: what to send; PUT …/<id>/blobs/sha256/<hex>: that; POST …/<id>/record; DELETE ends it */
void api_imports(void *services, struct request *request, struct reply *reply);
void api_import(void *services, struct request *request, struct reply *reply);
void api_begin_import(void *services, struct request *request, struct reply *reply);
void api_put_import(void *services, struct request *request, struct reply *reply);
void api_record_import(void *services, struct request *request, struct reply *reply);
void api_drop_import(void *services, struct request *request, struct reply *reply);
/* what goes on right now, once, and as server-sent events */
void api_activity(void *services, struct request *request, struct reply *reply);
void api_events(void *services, struct request *request, struct reply *reply);
void api_openapi(void *services, struct request *request, struct reply *reply);
/* what was asked for offline: as JSON, as the file that prefetch reads; DELETE forgets it */
void api_wants(void *services, struct request *request, struct reply *reply);
void api_wants_file(void *services, struct request *request, struct reply *reply);
void api_clear_wants(void *services, struct request *request, struct reply *reply);
/* who has changed what clients get, and the hash of the last row of that chain */
void api_audit(void *services, struct request *request, struct reply *reply);
void api_audit_head(void *services, struct request *request, struct reply *reply);
/* the programs that are told what happens here, and how that goes */
void api_webhooks(void *services, struct request *request, struct reply *reply);
/* /healthz, /readyz, /metrics */
void api_healthz(void *services, struct request *request, struct reply *reply);
void api_readyz(void *services, struct request *request, struct reply *reply);
void api_metrics(void *services, struct request *request, struct reply *reply);

/* Answers with the JSON of a publisher, a module or a version, whichever the name is: for the bare hub URLs.
 */
void api_describe(
	void *services, const struct request *request, const struct name *name, struct reply *reply);

/* The version's JSON, also of a withdrawn one; NULL, with the refusal in *err, where it is not known. */
json_t *api_version_json(
	void *services, const struct request *request, const struct name *name, struct err *err);

#endif
