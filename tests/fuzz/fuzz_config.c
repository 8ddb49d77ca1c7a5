/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text as a configuration: it is read, or each of its faults is told. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/own.h"
#include "server/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FD int fd = memfd_create("larder.ini", MFD_CLOEXEC);
	AUTO_BUFFER struct buffer faults = {0};
	struct config *config = NULL;
	char path[64];
	struct err err = {0};

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (config_load(path, &config, &faults, &err))
		config_destroy(config);
	else if (err.code == ERR_NONE || !err.text[0])
		abort();
	return 0;
}
