/* SPDX-License-Identifier: Apache-2.0
 *
 * What commands ask of a bucket before they work on it. */
#ifndef SERVER_COMMAND_BUCKET_PROOF_H
#define SERVER_COMMAND_BUCKET_PROOF_H

struct bucket;

/* Proves it in short, and has it know how its store wants ETags. An exit status, with the failure told: to
 * try again without a change helps only where the store could not be asked (COMMAND_FAILED, else
 * COMMAND_MISCONFIGURED). */
int bucket_proof_run(struct bucket *bucket);

#endif
