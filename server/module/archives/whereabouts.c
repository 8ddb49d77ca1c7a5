/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/whereabouts.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/module/archives/advice.h"
#include "server/module/violations.h"

/* What there is to see; of two at the root the first counts. */
static const struct kind {
	enum format format;
	const char *what;
	const char *missing; /* what is said where there is none of it */
	const char *as;      /* how its archive is published instead */
	const char *alone;   /* … or, where it is none, what to do with the file; NULL */
	enum rule rule_of_missing;
} kinds[SIGHTINGS] = {
	{FORMAT_TF_HUB, "a SavedModel", "There is neither saved_model.pb nor saved_model.pbtxt",
		"without a query, or under ?tf-hub-format=compressed", NULL, RULE_SAVED_MODEL_MISSING},
	{FORMAT_TFJS, "a TF.js model", "There is no model.json", "under ?tfjs-format=compressed", NULL,
		RULE_MODEL_JSON_MISSING},
	{FORMAT_TFLITE, "a TF Lite model", NULL, NULL,
		"publish that file alone, under ?lite-format=tflite (or ?coral-format=tflite)",
		RULE_SAVED_MODEL_MISSING},
};

/* The names, or the ends of names, that tell a kind. */
static const struct sign {
	const char *name;
	bool is_suffix;
	size_t kind;
} signs[] = {
	{"saved_model.pb", false, 0},
	{"saved_model.pbtxt", false, 0},
	{"model.json", false, 1},
	{".tflite", true, 2},
};

static bool shows(const struct sign *sign, const char *name)
{
	size_t length = strlen(name);
	size_t wanted = strlen(sign->name);

	if (sign->is_suffix)
		return length > wanted && strcmp(name + length - wanted, sign->name) == 0;
	return strcmp(name, sign->name) == 0;
}

static size_t depth_of(const char *path)
{
	size_t depth = 0;

	for (; (path = strchr(path, '/')); path++)
		depth++;
	return depth;
}

static size_t folder_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

static bool shares_folder(const char *path, const char *other)
{
	size_t length = folder_length(path);

	return folder_length(other) == length && strncmp(path, other, length) == 0;
}

static void finish_sighting(struct sighting *sighting)
{
	free(sighting->path);
	free(sighting->another);
	*sighting = (struct sighting){0};
}

static void note(struct sighting *sighting, const char *path)
{
	size_t depth = depth_of(path);

	if (sighting->path && depth > sighting->depth)
		return;
	if (!sighting->path || depth < sighting->depth) {
		finish_sighting(sighting);
		sighting->path = mem_dup(path);
		sighting->depth = depth;
	} else if (!sighting->another && !shares_folder(sighting->path, path)) {
		sighting->another = mem_dup(path);
	}
}

void whereabouts_note(struct whereabouts *whereabouts, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
		if (shows(&signs[i], name))
			note(&whereabouts->sightings[signs[i].kind], path);
	}
}

void whereabouts_finish(struct whereabouts *whereabouts)
{
	for (size_t i = 0; i < SIGHTINGS; i++)
		finish_sighting(&whereabouts->sightings[i]);
}

static size_t kind_of(enum format format)
{
	return format == FORMAT_TFJS ? 1 : 0;
}

/* What is at the root says what the archive is; else the kind that it should be, wherever one lies. */
static size_t choose(const struct whereabouts *whereabouts, size_t wanted)
{
	const struct sighting *sightings = whereabouts->sightings;
	size_t best = wanted;

	for (size_t i = 0; i < SIGHTINGS; i++) {
		if (sightings[i].path && sightings[i].depth == 0)
			return i;
	}
	for (size_t i = 0; i < SIGHTINGS && !sightings[wanted].path; i++) {
		if (sightings[i].path &&
			(!sightings[best].path || sightings[i].depth < sightings[best].depth))
			best = i;
	}
	return best;
}

static void report_wrapper(struct examination *examination, const struct sighting *sighting)
{
	AUTO_FREE char *folder = mem_dup_n(sighting->path, folder_length(sighting->path));
	AUTO_FREE char *advice = advice_pack(folder);

	violations_add(examination, RULE_WRAPPER_FOLDER, sighting->path,
		"The module lies in a folder instead of at the root; pack that folder itself: %s.", advice);
}

static void report_several(
	struct examination *examination, const struct kind *wanted, const struct sighting *sighting)
{
	AUTO_FREE char *path = violations_name(sighting->path);
	AUTO_FREE char *another = violations_name(sighting->another);

	violations_add(examination, wanted->rule_of_missing, "",
		"%s at the root of the archive, but several in folders, such as \"%.200s\" and "
		"\"%.200s\"; publish each folder as a module of its own: " ADVICE_PUBLISH ".",
		wanted->missing, path, another);
}

/* A model of another format. */
static void report_other(struct examination *examination, const struct kind *wanted, const struct kind *seen,
	const struct sighting *sighting)
{
	AUTO_FREE char *path = violations_name(sighting->path);
	AUTO_FREE char *advice = NULL;

	if (seen->alone)
		advice = mem_dup(seen->alone);
	else if (sighting->depth == 0)
		advice = mem_printf("publish the archive %s", seen->as);
	else
		advice = mem_printf("publish that file's folder: %s", ADVICE_PUBLISH);
	violations_add(examination, wanted->rule_of_missing, "",
		"%s at the root of the archive, but \"%.200s\", which is %s; %s.", wanted->missing, path,
		seen->what, advice);
}

void whereabouts_report(const struct whereabouts *whereabouts, struct examination *examination)
{
	size_t wanted = kind_of(examination->format);
	size_t seen = choose(whereabouts, wanted);
	const struct sighting *sighting = &whereabouts->sightings[seen];

	if (!sighting->path)
		violations_add(examination, kinds[wanted].rule_of_missing, "",
			"%s at the root of the archive, nor any model elsewhere in it; publish the folder "
			"that holds one: " ADVICE_PUBLISH ". Files of any other kind (Keras, PyTorch, ONNX, "
			"GGUF …) are published with --format archive, or under ?archive-format=compressed.",
			kinds[wanted].missing);
	else if (seen != wanted)
		report_other(examination, &kinds[wanted], &kinds[seen], sighting);
	else if (sighting->another)
		report_several(examination, &kinds[wanted], sighting);
	else
		report_wrapper(examination, sighting);
}
