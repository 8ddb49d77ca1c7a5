#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a data folder with very many modules, the same ones each time, for figures on search, listing and starting.

    tests/bench/catalogue.py FOLDER [--modules 100000] [--larder build/larder]

Everything goes through the real tables, of which larder makes the schema; what is derived is made by the statements that end
schema/004_search.sql. A third of the modules count as mirrored and in the store, but their bytes are nowhere: lists do not miss
them, downloads would."""
import argparse
import hashlib
import pathlib
import random
import sqlite3
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]

TASKS = ["text-embedding", "text-classification", "text-generation", "text-question-answering", "image-classification",
         "image-feature-vector", "image-object-detection", "image-segmentation", "image-style-transfer", "image-super-resolution",
         "audio-embedding", "audio-stt", "audio-event-classification", "audio-pitch-extraction", "video-classification"]
ARCHITECTURES = ["bert", "albert", "electra", "nnlm", "elmo", "t5", "gpt", "mobilenet_v1", "mobilenet_v2", "mobilenet_v3", "resnet_v1",
                 "resnet_v2", "inception_v3", "efficientnet", "efficientdet", "ssd", "yolo", "vit", "mlp_mixer", "yamnet", "wav2vec2", "i3d"]
DATASETS = ["wikipedia", "bookscorpus", "imagenet", "imagenet-21k", "coco-2017", "openimages-v4", "audioset", "librispeech", "kinetics-400",
            "squad", "mnli", "cc-100", "inaturalist", "cifar-10", "ms-celeb", "google-news", "multilingual-c4", "places-365"]
LANGUAGES = "en de fr es it pt nl pl ru tr ar fa hi bn ta te zh ja ko th vi id sv da no fi cs hu ro el he uk".split()
LICENSES = ["apache-2.0"] * 6 + ["mit", "mit", "bsd-3-clause", "cc-by-nc-4.0", "cc-by-sa-4.0", "gpl-3.0", "custom"]
OPS = ["Const", "Placeholder", "Identity", "MatMul", "Add", "AddV2", "Mul", "Relu", "Softmax", "Conv2D", "DepthwiseConv2dNative",
       "FusedBatchNormV3", "GatherV2", "Reshape", "Transpose", "LookupTableFindV2", "StringSplit", "Rsqrt", "Erf", "Einsum", "Pad", "Mean",
       "NonMaxSuppressionV5", "AudioSpectrogram", "RFFT", "Cast", "Shape", "StatefulPartitionedCall", "VarHandleOp", "ReadVariableOp"]
FORMATS = ["tf-hub"] * 6 + ["tfjs", "tflite", "tflite", "coral"]
CONSONANTS, VOWELS = "bcdfghklmnprstvz", "aeiou"
NOW = 1_760_000_000
NIGHTLY, NIGHTLY_VERSIONS = "acme/nightly", 10_000


def vocabulary(random, count):
    """Words that look like words; common ones stand first."""
    english = ("the of model is a to for and in with on this are trained from be by which an can that as input output layers "
               "images text tokens features values batch shape size width height embedding encoder classifier module fine tuning "
               "signature returns float example usage references paper license").split()
    invented = {"".join(random.choice(CONSONANTS) + random.choice(VOWELS) for _ in range(random.randint(2, 4))) for _ in range(count)}
    return english + sorted(invented)


class Maker:
    def __init__(self, database, count):
        self.database, self.count = database, count
        self.random = random.Random(2819)
        self.words = vocabulary(self.random, 20000)
        self.weights = [1 / (rank + 3) for rank in range(len(self.words))]
        self.prose = self.random.choices(self.words, self.weights, k=200_000)
        self.publishers = [f"{self.random.choice(self.words[60:])}-{i}" if i > 5 else name for i, name in
                           enumerate((["google", "tensorflow", "deepmind", "mediapipe", "acme", "silero"] + [""] * 194))]

    def sentence(self, length):
        start = self.random.randrange(len(self.prose) - length)
        return " ".join(self.prose[start:start + length])

    def insert(self, table, columns, rows):
        marks = ",".join("?" * len(columns.split(",")))
        self.database.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)

    def names(self):
        self.insert("publishers", "id,name", ((i + 1, name) for i, name in enumerate(self.publishers)))
        rows, self.kinds = [], []
        for id in range(1, self.count + 1):
            publisher = min(int(self.random.paretovariate(0.7)) - 1, len(self.publishers) - 1)
            task, architecture = self.random.choice(TASKS), self.random.choice(ARCHITECTURES)
            tail = f"{architecture}_{self.random.choice([32, 50, 64, 128, 224, 300])}-{id}"
            rows.append((id, publisher + 1, f"{self.publishers[publisher]}/{task.split('-')[0]}/{tail}", int(self.random.paretovariate(0.5)) % 99999))
            self.kinds.append((task, architecture))
        self.insert("modules", "id,publisher_id,handle,downloads", rows)

    def versions(self):
        """One to three of each module; the last one is what lists tell of."""
        rows, self.latest = [], []
        for module, (task, architecture) in enumerate(self.kinds, 1):
            source = "mirrored" if module % 3 == 0 else "published" if module % 7 == 0 else "listed"
            for version in range(1, self.random.choice([1, 1, 1, 2, 3]) + 1):
                at = NOW - self.random.randrange(100_000_000)
                rows.append((module, version, source, f"A {architecture} for {task.replace('-', ' ')}: {self.sentence(8)}.", at, at))
            self.latest.append((len(rows), source))
        self.insert("versions", "module_id,version,source,description,created_at,updated_at", rows)

    def nightly(self):
        """One module with as many versions as a nightly build has after years: its page and its JSON must not grow with them."""
        module = self.count + 1
        publisher = self.publishers.index("acme") + 1
        self.insert("modules", "id,publisher_id,handle", [(module, publisher, NIGHTLY)])
        self.insert("versions", "module_id,version,source,description,created_at,updated_at", (
            (module, version, "listed", "Built every night.", NOW + version, NOW + version) for version in range(1, NIGHTLY_VERSIONS + 1)))

    def documentation(self):
        tags = set()
        for (version, _), (task, architecture) in zip(self.latest, self.kinds):
            tags.update((version, *tag) for tag in (
                ("task", task), ("architecture", architecture), ("dataset", self.random.choice(DATASETS)), ("license", self.random.choice(LICENSES)),
                ("language", LANGUAGES[min(int(self.random.paretovariate(0.8)) - 1, len(LANGUAGES) - 1)]),
                ("fine_tunable", "true" if version % 3 else "false")))
        self.insert("tags", "version_id,kind,value", sorted(tags))
        self.insert("documentation", "version_id,markdown,updated_at", (
            (version, f"## Overview\n\n{self.sentence(50)}.\n", NOW) for version, _ in self.latest))

    def artifacts(self):
        blobs, artifacts, inspections, graphs, tags, ops, functions, tensors = [], [], [], [], [], [], [], []
        for id, (version, source) in enumerate(self.latest, 1):
            format = FORMATS[id % len(FORMATS)]
            if source == "listed":
                continue
            digest = hashlib.sha256(str(id).encode()).digest()
            blobs.append((id, digest, digest[:16], self.random.randrange(10_000, 500_000_000), 1000, 3, int(source == "mirrored"), NOW))
            artifacts.append((version, format, id, NOW, NOW, source))
            inspections.append((id, id, format))
            if format != "tf-hub":
                continue
            graphs.append((id, id, 0, self.random.choice(["1.15.0", "2.4.1", "2.11.0", "2.14.0"])))
            tags.append((id, 0, "serve"))
            ops += [(id, place, op, 5) for place, op in enumerate(self.random.sample(OPS, 8))]
            functions.append((id, id, "signature", 0, "serving_default"))
            tensors += [(id, "input", 0, "x", "dense", self.random.choice([1, 7, 9, 4])), (id, "output", 0, "y", "dense", 1)]
        self.insert("blobs", "id,digest,md5,size_bytes,unpacked_bytes,file_count,cached,added_at", blobs)
        self.insert("artifacts", "version_id,format,blob_id,created_at,last_used_at,source", artifacts)
        self.insert("inspections", "id,blob_id,format", inspections)
        self.insert("saved_models", "inspection_id,tf1_hub,is_text,truncated,schema_version", ((row[1], 0, 0, 0, 1) for row in graphs))
        self.insert("meta_graphs", "id,inspection_id,position,tensorflow_version", graphs)
        self.insert("meta_graph_tags", "meta_graph_id,position,tag", tags)
        self.insert("op_counts", "meta_graph_id,position,op,count", ops)
        self.insert("functions", "id,meta_graph_id,kind,position,name", functions)
        self.insert("tensors", "function_id,direction,position,name,encoding,dtype", tensors)

    def derived(self):
        self.database.execute("""UPDATE modules SET
            latest_id = (SELECT id FROM versions WHERE module_id = modules.id ORDER BY version DESC LIMIT 1)""")
        self.database.execute("""UPDATE modules SET
            latest_source = (SELECT source FROM versions WHERE id = latest_id),
            updated_at = (SELECT updated_at FROM versions WHERE id = latest_id),
            (latest_formats, latest_cached, latest_size_bytes) =
            (SELECT coalesce(',' || group_concat(a.format) || ',', ''), coalesce(min(b.cached), 0), coalesce(sum(b.size_bytes), 0)
             FROM artifacts a JOIN blobs b ON b.id = a.blob_id WHERE a.version_id = latest_id)""")
        script = (ROOT / "schema/004_search.sql").read_text(encoding="utf-8")
        for statement in script[script.index("INSERT INTO module_texts"):].split(";"):
            self.database.execute(statement)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--modules", type=int, default=100_000)
    parser.add_argument("--larder", default=str(ROOT / "build/larder"))
    options = parser.parse_args()
    began = time.monotonic()
    subprocess.run([options.larder, "token", "list", "--data", options.folder], check=True, stdout=subprocess.DEVNULL)
    database = sqlite3.connect(pathlib.Path(options.folder) / "larder.db", isolation_level=None)
    database.executescript("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; BEGIN")
    maker = Maker(database, options.modules)
    for step in (maker.names, maker.versions, maker.documentation, maker.artifacts, maker.nightly, maker.derived):
        step()
    database.execute("COMMIT")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    print(f"{options.modules} modules in {options.folder}, made in {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
