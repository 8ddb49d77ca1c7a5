// SPDX-License-Identifier: Apache-2.0
// Node's tar (npm), as deployment scripts use it.
//   node tar.mjs pack OUT FOLDER OPTIONS ENTRY…   OPTIONS are those of tar.c(), as JSON
//   node tar.mjs pipe OUT FOLDER OPTIONS ENTRY…   the same by a stream
//   node tar.mjs unpack FILE FOLDER
//   node tar.mjs list FILE
import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import * as tar from "tar";

const [task, file, cwd, options, ...entries] = process.argv.slice(2);

const tasks = {
	pack: () => tar.c({ file, cwd, gzip: true, ...JSON.parse(options) }, entries),
	pipe: () => pipeline(tar.c({ cwd, gzip: true, ...JSON.parse(options) }, entries), createWriteStream(file)),
	// With strict, what is only a warning elsewhere is an error.
	unpack: () => pipeline(createReadStream(file), tar.x({ cwd, strict: true })),
	list: () => tar.t({ file, strict: true, onReadEntry: (entry) => console.log(entry.path) }),
};

await tasks[task]();
