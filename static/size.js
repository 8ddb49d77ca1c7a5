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

export function span(seconds) {
	if (seconds < 60) {
		return `${seconds} s`;
	}
	const minutes = Math.round(seconds / 60);
	return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
