#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What of a suite may be looked at a second time: prints a case that failed a line, as pytest or meson is to be told it. Nothing where
one of them shows a fault for certain, which no second run takes back: a sanitizer's report, or a program that was aborted."""
import re
import sys
import xml.etree.ElementTree as ElementTree

CERTAIN = re.compile(r"ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:|SUMMARY: \w+Sanitizer|SIGABRT|SIGSEGV|status (99|-6|-11)\b")


def call_name(case):
    """A program that meson ran is called "project:suite / program"; pytest has its root in tests/."""
    name, module = case.get("name"), case.get("classname", "")
    if " / " in name:
        return name.split(" / ")[-1]
    return f"tests/{module.replace('.', '/')}.py::{name}"


def main(path):
    failed = [case for case in ElementTree.parse(path).iter("testcase") if {child.tag for child in case} & {"failure", "error"}]
    if not CERTAIN.search(" ".join(text for case in failed for text in case.itertext())
                          + " ".join(child.get("message", "") for case in failed for child in case)):
        for name in dict.fromkeys(map(call_name, failed)):
            print(name)


main(sys.argv[1])
