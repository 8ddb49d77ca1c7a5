/* SPDX-License-Identifier: Apache-2.0
 *
 * What is listed of a model, whatever its format: its meta graphs, signatures, callables and ops, and how
 * much of them. A TensorFlow Lite or TF.js model is one meta graph without tags. */
#ifndef SERVER_MODULE_SAVEDMODEL_MODEL_FACTS_H
#define SERVER_MODULE_SAVEDMODEL_MODEL_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum shape_kind {
	SHAPE_UNSET,        /* no shape message at all */
	SHAPE_UNKNOWN_RANK, /* null in JSON */
	SHAPE_KNOWN         /* rank dimensions, -1 for an unknown one; rank 0 is a scalar */
};

struct shape {
	enum shape_kind kind;
	size_t rank;
	int64_t *dimensions;
};

enum tensor_encoding {
	TENSOR_DENSE,     /* tensor */
	TENSOR_COO,       /* values, indices, dense_shape */
	TENSOR_COMPOSITE, /* type */
	TENSOR_LITERAL /* a Python value that a callable was traced with: type is its repr, such as "False" */
};

/* How integers stand for numbers: (value - zero_point) * scale. */
struct quantization {
	bool is_known;
	double scale; /* of the first channel, where there is one for each */
	int64_t zero_point;
	int64_t channels; /* 0: one scale for all of it */
};

/* One input or output. Unused strings are NULL. */
struct tensor {
	char *name; /* its key in the signature, or the argument's name */
	enum tensor_encoding encoding;
	char *tensor;
	char *values;
	char *indices;
	char *dense_shape;
	char *type;
	int64_t dtype; /* TensorFlow's DataType number */
	struct shape shape;
	struct quantization quantization;
};

struct tensors {
	struct tensor *items;
	size_t count;
	size_t capacity;
};

struct signature {
	char *name;
	char *method; /* "" where the file has none */
	struct tensors
		inputs; /* sorted by name, as are the outputs; where a client goes by their order, in that */
	struct tensors outputs;
};

/* A function that a TF2 object offers by name, one for each distinct trace. */
struct callable {
	char *name;            /* "__call__" */
	struct tensors inputs; /* in the order of the arguments */
	struct tensors outputs;
};

struct op_count {
	char *op;
	int64_t count;
};

struct meta_graph {
	char **tags; /* sorted */
	size_t tag_count;
	size_t tag_capacity;
	char *tensorflow_version;     /* "" where the file has none */
	struct signature *signatures; /* sorted by name; __saved_model_init_op is left out */
	size_t signature_count;
	size_t signature_capacity;
	struct callable *callables; /* sorted by name */
	size_t callable_count;
	size_t callable_capacity;
	struct op_count *ops; /* of the graph and of its function library, sorted by op */
	size_t op_count;
	size_t op_capacity;
};

/* How many there are in the file, listed or not; an entry that a later one of its name replaces counts as
 * well. */
struct saved_model_counts {
	int64_t meta_graphs;
	int64_t tags;
	int64_t signatures;
	int64_t tensors; /* their inputs and outputs */
	int64_t callables;
	int64_t nodes;
};

enum model_kind {
	MODEL_SAVED_MODEL,
	MODEL_TFLITE,   /* with signatures of its own */
	MODEL_SUBGRAPH, /* TensorFlow Lite without: the first subgraph stands for one */
	MODEL_GRAPH,    /* of TF.js */
	MODEL_LAYERS,   /* of TF.js: what Keras knows as a model */
	MODEL_FILES,    /* of an archive of any kind: a signature for each file that tells of its tensors */
	MODEL_KIND_COUNT
};

struct saved_model {
	enum model_kind kind;
	bool tf1_hub;            /* a tfhub_module.pb lies beside it; set by whoever walks the archive */
	bool is_text;            /* read from saved_model.pbtxt */
	bool restores_variables; /* when it is loaded: it has a saver that does, or objects that are variables
				  */
	char odd_name[64];       /* of text: a field that TensorFlow's parser would refuse, or "", */
	bool odd_is_value;       /* … or the name of an enum's value */
	bool truncated;          /* it says more than the limits below let us keep; what is there is right */
	struct saved_model_counts counts;
	int64_t schema_version;
	struct meta_graph *meta_graphs;
	size_t meta_graph_count;
	size_t meta_graph_capacity;
};

/* Limits on what one file may make us remember (not on its size). */
enum {
	SAVED_MODEL_META_GRAPHS_MAX = 64,
	SAVED_MODEL_OPS_MAX = 4096,    /* distinct ones in one meta graph */
	SAVED_MODEL_STRING_MAX = 4096, /* of any name that is kept */
	SAVED_MODEL_LISTED_BYTES_MAX = 2
				       << 20, /* all that is listed of one file, as savedmodel.c weighs it */
	SAVED_MODEL_WORKING_BYTES_MAX = 3 << 20, /* all that is remembered of it while it is read */
	SAVED_MODEL_VISITS_MAX = 1 << 20, /* values looked at for callables, as often as they are named */
	SAVED_MODEL_TEXT_BYTES_MAX = 256 << 20
};

#endif
