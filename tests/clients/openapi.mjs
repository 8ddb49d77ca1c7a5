// SPDX-License-Identifier: Apache-2.0
// What a validator of OpenAPI documents says of FILE, as JSON.
import { Validator } from "@seriousme/openapi-schema-validator";

const validator = new Validator();
const { valid, errors } = await validator.validate(process.argv[2]);
console.log(JSON.stringify({ valid, errors, version: validator.version }));
