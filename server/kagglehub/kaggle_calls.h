/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls by the name of a method, each with its JSON in the request's body. */
#ifndef SERVER_KAGGLEHUB_KAGGLE_CALLS_H
#define SERVER_KAGGLEHUB_KAGGLE_CALLS_H

#include "server/http/route.h"

void kaggle_latest(void *services, struct request *request, struct reply *reply);
void kaggle_files(void *services, struct request *request, struct reply *reply);
void kaggle_download(void *services, struct request *request, struct reply *reply);
void kaggle_model(void *services, struct request *request, struct reply *reply);

/* These look at the token themselves, since what it takes depends on the name. */
void kaggle_create_model(void *services, struct request *request, struct reply *reply);
void kaggle_create_instance(void *services, struct request *request, struct reply *reply);
void kaggle_create_version(void *services, struct request *request, struct reply *reply);

#endif
