/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes, as files of several names that the safety rules look into, whole and byte by byte: the same is
 * found in both. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/own.h"
#include "server/module/safety/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t scan_in(const char *name, const uint8_t *data, size_t size, size_t piece)
{
	AUTO(safety_findings_finish) struct safety_findings findings = {0};
	AUTO_SCAN struct scan *scan = scan_create(&findings, name);
	bool wants_more = true;

	for (size_t at = 0; at < size && wants_more; at += piece)
		wants_more = scan_feed(scan, data + at, size - at < piece ? size - at : piece);
	scan_end(scan);
	return findings.rules;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"m.pkl", "m.bin", "model.json", "m.pbtxt"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (scan_in(names[i], data, size, size + 1) != scan_in(names[i], data, size, 1))
			abort();
	}
	return 0;
}
