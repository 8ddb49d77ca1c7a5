/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/bucket_proof.h"

#include "server/command/command.h"
#include "server/upstream/s3/bucket_probe.h"

static void refuse_bucket(const struct probe_report *report, struct err *err)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct probe_step *step = &report->steps[i];

		if (step->verdict == PROBE_FAILURE) {
			(void)err_set(err, ERR_UPSTREAM_FAILED,
				"the bucket cannot be trusted (%s): %s. \"larder store check\" tells what to "
				"do",
				step->name, step->detail);
			return;
		}
	}
}

int bucket_proof_run(struct bucket *bucket)
{
	struct probe_report report;
	struct err err;

	bucket_probe(bucket, false, &report);
	if (report.sound)
		return COMMAND_DONE;
	refuse_bucket(&report, &err);
	(void)command_fail(&err);
	return report.lasting ? COMMAND_MISCONFIGURED : COMMAND_FAILED;
}
