// SPDX-License-Identifier: Apache-2.0
// What every page can do: copy its code.
import { offerCopies } from "./copy.js";

offerCopies(document);
