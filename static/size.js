// SPDX-License-Identifier: Apache-2.0
// Sizes and spans of time as the server writes them.

export function size(bytes) {
	if (bytes < 1024) {
		return `${bytes} B`;
	}
	const units = ["KiB", "MiB", "GiB", "TiB"];
	let value = bytes / 1024;
	let unit = 0;
	for (; value >= 1024 && unit < 3; unit++) {
		value /= 1024;
	}
	return `${value.toFixed(1)} ${units[unit]}`;
}

// One unit, rounded down.
export function span(seconds) {
	for (const [unit, one, many] of [[86400, "day", "days"], [3600, "h", "h"], [60, "min", "min"]]) {
		if (seconds >= unit) {
			const count = Math.floor(seconds / unit);
			return `${count} ${count === 1 ? one : many}`;
		}
	}
	return `${Math.floor(seconds)} s`;
}
