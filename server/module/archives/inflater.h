/* SPDX-License-Identifier: Apache-2.0
 *
 * Inflates one gzip member that is fed in pieces: the part of gunzip that a library does. Built with ISA-L
 * (inflater_isal.c) where there is one, with zlib (inflater_zlib.c) elsewhere; for gunzip.c only. */
#ifndef SERVER_MODULE_ARCHIVES_INFLATER_H
#define SERVER_MODULE_ARCHIVES_INFLATER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/own.h"

enum inflated {
	INFLATED_FULL,    /* the room is used up, there may be more without input */
	INFLATED_STARVED, /* nothing comes any more without input */
	INFLATED_ENDED,   /* the member is complete, its CRC and length were right */
	INFLATED_WRONG_CRC,
	INFLATED_WRONG_LENGTH,
	INFLATED_BROKEN /* see inflater_complaint */
};

/* The most that may be fed at once: the libraries count in 32 bits. */
enum { INFLATER_PIECE_MAX = 1 << 30 };

struct inflater;

struct inflater *inflater_create(void);
void inflater_destroy(struct inflater *inflater);
AUTO_CLEANER(own_inflater, struct inflater *, inflater_destroy)
#define AUTO_INFLATER AUTO(own_inflater)

/* The next piece, once the one before it is used up; it must stay until then. */
void inflater_feed(struct inflater *inflater, const uint8_t *data, size_t length);

/* Bytes of the piece that are not taken. At the end of the member exactly those that lie behind it. */
size_t inflater_left(const struct inflater *inflater);

/* Unpacks into out, which has *length bytes of room; *length becomes how many there are. Nothing can follow
 * after anything but FULL and STARVED. */
enum inflated inflater_run(struct inflater *inflater, uint8_t *out, size_t *length);

/* The CRC-32 of all that was unpacked so far. */
uint32_t inflater_crc(const struct inflater *inflater);

/* The CRC-32 that this one goes on to with so many more bytes. */
uint32_t inflater_crc_on(uint32_t crc, const uint8_t *data, size_t length);

/* Whether the header, once it was read, has an extra field with something in it (RFC 1952, FEXTRA). */
bool inflater_has_extra(const struct inflater *inflater);

/* What is broken, in a few words. */
const char *inflater_complaint(const struct inflater *inflater);

#endif
