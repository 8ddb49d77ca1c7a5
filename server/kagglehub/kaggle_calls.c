/* SPDX-License-Identifier: Apache-2.0 */
#include "server/kagglehub/kaggle_calls.h"

#include <string.h>

#include "server/http/problem.h"
#include "server/kagglehub/kagglehub.h"
#include "server/registry/access.h"
#include "server/registry/services.h"

static const struct {
	const char *method;
	bool reads; /* takes the right to read */
	void (*handle)(void *services, struct request *request, struct reply *reply);
} calls[] = {
	{"GetModelInstance", true, kaggle_latest},
	{"ListModelInstanceVersionFiles", true, kaggle_files},
	{"DownloadModelInstanceVersion", true, kaggle_download},
	{"GetModel", true, kaggle_model},
	{"CreateModel", false, kaggle_create_model},
	{"CreateModelInstance", false, kaggle_create_instance},
	{"CreateModelInstanceVersion", false, kaggle_create_version},
};

static bool may_read(const struct services *services, struct request *request, struct err *err)
{
	return access_check(services->access, request_token(request), request->origin, RIGHT_READ, NULL,
		request->who, err);
}

void kaggle_call(void *services, struct request *request, struct reply *reply)
{
	struct err err;

	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		if (strcmp(calls[i].method, request->rest) != 0)
			continue;
		if (calls[i].reads && !may_read(services, request, &err))
			return problem_reply(reply, &err);
		return calls[i].handle(services, request, reply);
	}
	(void)err_set(&err, ERR_NOT_FOUND, "kagglehub's call %.60s is not answered here", request->rest);
	problem_reply(reply, &err);
}
