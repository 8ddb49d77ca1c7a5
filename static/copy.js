// SPDX-License-Identifier: Apache-2.0
// A button beside each piece of code, which puts it on the clipboard.

async function write(text) {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		return false;
	}
}

// Over plain HTTP from another machine browsers have no clipboard for us: what is selected can be copied by hand.
function select(code) {
	const range = document.createRange();
	range.selectNodeContents(code);
	getSelection().removeAllRanges();
	getSelection().addRange(range);
	return document.execCommand("copy");
}

async function copy(button, code) {
	const done = await write(code.textContent) || select(code);
	button.textContent = done ? "Copied" : "Selected";
	setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

export function offerCopies(root) {
	for (const box of root.querySelectorAll(".code:not(:has(button))")) {
		const pre = box.querySelector("pre");
		const button = document.createElement("button");
		button.type = "button";
		button.className = "quiet";
		button.textContent = "Copy";
		button.setAttribute("aria-live", "polite");
		button.setAttribute("aria-label", `Copy: ${pre.getAttribute("aria-label")}`);
		button.addEventListener("click", () => {
			button.removeAttribute("aria-label");
			copy(button, pre.querySelector("code"));
		});
		box.append(button);
	}
}
