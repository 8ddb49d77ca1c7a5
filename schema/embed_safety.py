#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the safety rules and their lists as C tables: embed_safety.py OUTPUT.c safety.json tensorflow_ops.txt safety_ops.tsv
safety_pickles.tsv keras_classes.txt. The enum of server/module/safety/safety_rules.h must have each rule."""
import json
import pathlib
import sys

SEVERITIES = ("info", "low", "medium", "high", "critical")


def text(value):
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?") + '"'


def symbol(rule):
    return "SAFETY_" + rule.upper().replace("-", "_")


def rows(path):
    """The fields of each line that is no comment."""
    lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def known_names(path):
    return [line.split(" ")[0] for (line,) in rows(path)]


def rule_lines(rules):
    for rule in rules:
        severity = "SAFETY_SEVERITY_" + SEVERITIES[SEVERITIES.index(rule["severity"])].upper()
        yield f'\t[{symbol(rule["id"])}] = {{{text(rule["id"])}, {severity},\n\t\t{text(rule["meaning"])},\n\t\t{text(rule["reference"])}}},\n'


def op_lines(ops, rules):
    for name, rule, attribute, *_ in sorted(ops):
        assert rule in rules, f"{name}: no rule {rule}"
        yield f"\t{{{text(name)}, {text(attribute)}, {symbol(rule)}}},\n"


def attribute_lines(ops):
    attributes = sorted({row[2] for row in ops if row[2]})
    assert len(attributes) <= 8, "SAFETY_ATTRIBUTES_MAX of safety_tables.h"
    for attribute in attributes:
        yield f"\t{text(attribute)},\n"


def pickle_lines(imports):
    for verdict, module, name in sorted(imports, key=lambda row: (row[1], row[2])):
        assert verdict in ("allow", "deny"), verdict
        assert verdict == "deny" or (name != "*" and "*" not in module), f"{module}: what is allowed is named"
        yield f'\t{{{text(module)}, {text(name)}, {str(verdict == "deny").lower()}}},\n'


def class_lines(path):
    for (line,) in rows(path):
        for name in line.split():
            yield f"\t{text(name)},\n"


def name_lines(names):
    for first, second in zip(names, names[1:]):
        assert first < second, f"{first} and {second} are not sorted"
    for name in names:
        yield f'\t{text(name)} "\\0"\n'


def offset_lines(names):
    at, offsets = 0, []
    for name in names:
        offsets.append(at)
        at += len(name) + 1
    assert at < 1 << 16
    for start in range(0, len(offsets), 16):
        yield "\t" + ", ".join(map(str, offsets[start:start + 16])) + ",\n"


def main(output, rules_path, names_path, ops_path, pickles_path, classes_path):
    safety = json.loads(pathlib.Path(rules_path).read_text(encoding="utf-8"))
    rules = [rule["id"] for rule in safety["rules"]]
    names = known_names(names_path)
    pathlib.Path(output).write_text(
        "/* Made from schema/safety*.* by schema/embed_safety.py. */\n#include \"server/module/safety/safety_tables.h\"\n\n"
        f'const unsigned safety_version = {safety["version"]};\n\n'
        f"const struct safety_rule safety_rules[SAFETY_RULE_COUNT] = {{\n{''.join(rule_lines(safety['rules']))}}};\n"
        f"_Static_assert(SAFETY_RULE_COUNT == {len(rules)}, \"each rule of safety.json is in the enum\");\n\n"
        f"const struct safety_op safety_ops[] = {{\n{''.join(op_lines(rows(ops_path), rules))}}};\n"
        "const size_t safety_op_count = sizeof safety_ops / sizeof *safety_ops;\n\n"
        f"const char *const safety_attributes[] = {{\n{''.join(attribute_lines(rows(ops_path)))}}};\n"
        "const size_t safety_attribute_count = sizeof safety_attributes / sizeof *safety_attributes;\n\n"
        f"const struct safety_import safety_imports[] = {{\n{''.join(pickle_lines(rows(pickles_path)))}}};\n"
        "const size_t safety_import_count = sizeof safety_imports / sizeof *safety_imports;\n\n"
        f"const char *const safety_keras_classes[] = {{\n{''.join(class_lines(classes_path))}}};\n"
        "const size_t safety_keras_class_count = sizeof safety_keras_classes / sizeof *safety_keras_classes;\n\n"
        f"const char safety_op_names[] =\n{''.join(name_lines(names))}\t;\n"
        f"const uint16_t safety_op_offsets[] = {{\n{''.join(offset_lines(names))}}};\n"
        "const size_t safety_op_name_count = sizeof safety_op_offsets / sizeof *safety_op_offsets;\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
