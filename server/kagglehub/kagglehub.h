/* SPDX-License-Identifier: Apache-2.0
 *
 * Handlers for kagglehub, of both generations: up to 0.3 it calls by paths, later by the names of methods. */
#ifndef SERVER_KAGGLEHUB_KAGGLEHUB_H
#define SERVER_KAGGLEHUB_KAGGLEHUB_H

#include "server/http/route.h"

/* GET /api/v1/models/…: what a path asks for. */
void kaggle_get(void *services, struct request *request, struct reply *reply);

/* POST …/models.ModelApiService/<method>. */
void kaggle_call(void *services, struct request *request, struct reply *reply);

/* POST …/blobs.BlobApiService/StartBlobUpload and /api/v1/blobs/upload: a file is to come. */
void kaggle_start_blob(void *services, struct request *request, struct reply *reply);

/* PUT of its bytes to the address that the client was given. */
extern const struct upload_ops kaggle_blob_upload;
void kaggle_blob(void *services, struct request *request, struct reply *reply);

/* POST /api/v1/models/…: uploads by a path. */
void kaggle_post(void *services, struct request *request, struct reply *reply);

#endif
