/* SPDX-License-Identifier: Apache-2.0
 *
 * The words of in-toto statements. https://github.com/in-toto/attestation/tree/main/spec/v1 */
#ifndef SERVER_ATTEST_STATEMENT_H
#define SERVER_ATTEST_STATEMENT_H

#define MEDIA_STATEMENT "application/vnd.in-toto+json"
#define MEDIA_DSSE "application/vnd.dsse.envelope.v1+json"
#define MEDIA_SIGSTORE "application/vnd.dev.sigstore.bundle.v0.3+json"
#define STATEMENT_TYPE "https://in-toto.io/Statement/v1"
#define PREDICATE_PROVENANCE "https://slsa.dev/provenance/v1"
#define PREDICATE_FILES "https://model_signing/signature/v1.0"

#endif
