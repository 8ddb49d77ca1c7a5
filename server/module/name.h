/* SPDX-License-Identifier: Apache-2.0
 *
 * What identifies an artifact: handle, version and format; how they are read and written as a path. */
#ifndef SERVER_MODULE_NAME_H
#define SERVER_MODULE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum { NAME_PATH_MAX = 512 };

enum format { FORMAT_TF_HUB, FORMAT_TFJS, FORMAT_TFLITE, FORMAT_CORAL, FORMAT_ARCHIVE, FORMAT_COUNT };

/* All of them, for sentences, for completions, and as whole artifacts are asked for. */
#define FORMATS_IN_WORDS "tf-hub, tfjs, tflite, coral or archive"
#define FORMATS_TO_CHOOSE "tf-hub tfjs tflite coral archive"
#define FORMATS_IN_QUERIES \
	"tf-hub-format=compressed, tfjs-format=compressed, archive-format=compressed, lite-format=tflite " \
	"and coral-format=tflite"

/* One row a format; walk it by enum format. */
struct format_row {
	const char *name;        /* "tf-hub", as in JSON */
	const char *query_key;   /* "tf-hub-format" */
	const char *query_value; /* "compressed", "tflite" */
	const char *media_type;  /* "application/gzip" */
	const char *file_suffix; /* ".tar.gz" */
	bool is_archive;         /* a tar.gz, as opposed to one bare file */
};
extern const struct format_row formats[FORMAT_COUNT];

/* Reads a format's name as in JSON: one of FORMATS_IN_WORDS. */
bool format_parse(const char *name, enum format *out);

struct name {
	char handle[NAME_PATH_MAX + 1]; /* "google/nnlm-en-dim50" */
	int64_t version;                /* 0: none was given */
	enum format format;
};

/* Whether both are the same artifact; those that are have the same hash. */
bool name_equals(const struct name *a, const struct name *b);
uint32_t name_hash(const struct name *name);

/* Reads "<handle>[/<version>][/<member>]" (no leading slash, already percent-decoded): the last all-digit
 * segment is the version, what follows it the member. *member points into path, or is NULL where there is
 * none. A path without a version is all handle. ERR_BAD_REQUEST, with a sentence that says which rule of the
 * grammar is broken. Leaves name->format alone. */
bool name_parse_path(const char *path, struct name *name, const char **member, struct err *err);

/* One way to read a path: where its handle ends, which of the numbers behind it is the version. */
struct name_reading {
	size_t handle_length;
	int64_t version;    /* 0: the whole path is the handle */
	const char *member; /* points into the path; NULL where there is none */
};
enum { NAME_READINGS_MAX = 16 };

/* The ways in which a path with a publisher and a name can be read, the longest handle first: digits are a
 * version, or belong to a name. Those beyond NAME_READINGS_MAX are left out; none where the path breaks the
 * grammar. */
size_t name_list_readings(const char *path, struct name_reading out[NAME_READINGS_MAX]);

/* Takes a reading of this path. Leaves name->format alone. */
void name_take_reading(
	struct name *name, const char *path, const struct name_reading *reading, const char **member);

/* Reads exactly "<handle>/<version>"; anything else is ERR_BAD_REQUEST. */
bool name_parse_versioned(const char *path, struct name *name, struct err *err);

/* "google/nnlm-en-dim50/2", or the bare handle where there is no version. */
struct name_path {
	char text[NAME_PATH_MAX + 32];
};
struct name_path name_path(const struct name *name);

/* The part of a handle before its first slash. */
struct publisher_name {
	char text[NAME_PATH_MAX + 1];
};
struct publisher_name name_publisher(const char *handle);

#endif
